"""What our runs say of each claim, in sentences with numbers, and whether the claim is seen in them.

A claim about accuracy is seen where the bootstrap intervals of the differences lie on their side of zero; nothing is
claimed from fewer than three seeds.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from explorer.reproduction.authors import AuthorsCase
from explorer.reproduction.gap import CASE, WAYS, Gap
from explorer.reproduction.knight import SIZES_PX, KnightRuns
from explorer.reproduction.results import Results
from explorer.reproduction.sides import Sides
from explorer.reproduction.statistics import LEAST_VALUES, Difference, Summary, difference, summarise
from explorer.reproduction.studies import SIDES_PX, Study
from explorer.reproduction.tables import signed
from explorer.training.metrics import TURNS

SEEN, OPEN, NOT_SEEN = "seen", "open", "not seen"
NOT_RUN = "Not run yet."
_NAMED = 3  # exceptions in one sentence
_FAR = 100.0  # errors that theory tells apart are further apart than this factor
_TURN_TITLES = dict(zip(TURNS, ("0°", "90°", "180°", "270°"), strict=True))
_PARITY = {
    "parity/resized-30": "resampled but even (30 px)",
    "parity/cut-27": "not resampled but odd (cut to 27 px)",
    "parity/padded-29": "not resampled but odd (padded to 29 px)",
    "parity/padded-30": "not resampled and even (padded to 30 px)",
    "parity/padded-32": "not resampled and even (padded to 32 px)",
}


@dataclass(frozen=True)
class Finding:
    """What is found of a claim: SEEN, OPEN or NOT_SEEN, the sentence that says why, and the same in a few words."""

    state: str
    sentence: str
    short: str = NOT_RUN


# --------------------------------------------------------------------------------------------------------- the claims


def learns_to_break(knight: KnightRuns | None) -> Finding:
    """Claim 1: at 32 px every seed learns to tell the knight from its turn, at 33 px none."""
    runs = () if knight is None else knight.runs
    by_size = {size_px: [run for run in runs if run.size_px == size_px] for size_px in SIZES_PX}
    if not all(by_size.values()):
        return Finding(OPEN, NOT_RUN)
    broken = {size_px: sum(run.verdict == "broken" for run in found) for size_px, found in by_size.items()}
    lowest = {size_px: summarise([run.lowest for run in found]).mean for size_px, found in by_size.items()}
    approximate_px, exact_px = SIZES_PX
    is_seen = broken[approximate_px] == len(by_size[approximate_px]) and broken[exact_px] == 0
    is_enough = min(map(len, by_size.values())) >= LEAST_VALUES
    parts = []
    for size_px, found in by_size.items():
        loss = f"the loss falls to {lowest[size_px]:.3f} on average"
        if not broken[size_px]:
            loss = f"the loss stays at {lowest[size_px]:.4f}; a guess has ln 2 = {math.log(2):.4f}"
        parts.append(
            f"At {size_px} px {broken[size_px]} of {len(found)} trainings tell the knight from its turn: {loss}"
        )
    return Finding(
        (SEEN if is_seen else NOT_SEEN) if is_enough else OPEN,
        f"{'. '.join(parts)}.",
        f"A loss of {lowest[approximate_px]:.3f} at {approximate_px} px and of {lowest[exact_px]:.3f} at {exact_px} "
        f"px; a guess has {math.log(2):.3f}.",
    )


def one_pixel_decides(sides: Sides | None) -> Finding:
    """Claim 2: errors are rounding at the sizes that theory calls exact, and large at all others."""
    if sides is None:
        return Finding(OPEN, NOT_RUN)
    exact = [side.error for network in sides.networks for side in network.sides if side.is_exact]
    others = [side.error for network in sides.networks for side in network.sides if not side.is_exact]
    largest, smallest = upper_bound(max(exact)), lower_bound(min(others))
    return Finding(
        SEEN if _FAR * max(exact) < min(others) else NOT_SEEN,
        f"Measured for {len(sides.networks)} networks at {len(exact) + len(others)} sizes: the error is at most "
        f"{largest} at the {len(exact)} sizes that theory calls exact, and at least {smallest} at the {len(others)} "
        "others.",
        f"A relative error of at most {largest} at exact sizes, of at least {smallest} at all others.",
    )


def fails_unseen_turns(results: Results | None) -> Finding:
    """Claim 3: on turns that training did not show, the approximate networks fall behind the exact one."""
    exact = _values(results, "upright/exact-28", "unseen")
    others = _by_side(results, "upright/approximate", "unseen")
    if not exact or not all(others.values()):
        return _unfinished(results, "upright")
    behind = {side: difference(exact, values) for side, values in others.items()}
    parts = " and ".join(
        f"{_mean(values)} at {side} px ({_more(behind[side], ('fewer', 'more'))})" for side, values in others.items()
    )
    return Finding(
        _state([each.sign for each in behind.values()]),
        f"On turns that training did not show, the exact network reads {_mean(exact)} of the digits, the approximate "
        f"one {parts}.",
        f"Right on unseen turns: {_mean(exact)} where exact, "
        f"{' and '.join(_mean(values) for values in others.values())} where approximate.",
    )


def relaxes_its_constraint(results: Results | None, study: str = "turned-20") -> Finding:
    """Claim 4: near the training's angles both approximate networks beat the exact one, and pay for it elsewhere.

    study: one whose training turns digits by 45° and so much more or less.
    """
    near, around = (_differences(results, study, measure) for measure in ("angle40", "angles"))
    if len(near) < len(SIDES_PX) or len(around) < len(SIDES_PX):
        return _unfinished(results, study)
    gains_and_pays = [each.sign for each in near.values()] + [-each.sign for each in around.values()]
    return Finding(
        _state(gains_and_pays),
        f"Trained on digits turned by 45° ± {study.removeprefix('turned-')}°, the approximate networks differ from the "
        f"exact one at 40°, among the angles of training, by {_each(near)}, and over all 36 angles by {_each(around)}.",
        f"Against the exact network {_means(near)} points at 40°, among the angles of training, and {_means(around)} "
        "over all angles.",
    )


# ------------------------------------------------------------------------------------------------- beyond the claims


def what_upright_shows(results: Results | None) -> str:
    """How far ahead at 40° the approximate networks are without having been shown any turn; empty if not run."""
    found = _differences(results, "upright", "angle40")
    if len(found) < len(SIDES_PX):
        return ""
    return f"Trained upright, without any turn, they differ from it at 40° by {_each(found)}."


def what_uniform_shows(results: Results | None) -> str:
    """Whether anything is left to gain or to lose where training shows every angle."""
    found = _differences(results, "uniform", "angles")
    if not found:
        return "Training at all angles: not run yet."
    return (
        f"Trained at all angles, the approximate networks differ from the exact one over 36 angles by {_each(found)}."
    )


def what_parity_shows(results: Results | None) -> str:
    """Whether resampling or the odd side makes the difference: each against the exact network on unseen turns."""
    base = _values(results, "upright/exact-28", "unseen")
    cases = {title: _values(results, key, "unseen") for key, title in _PARITY.items()}
    said = [f"{title} {_signed(difference(values, base))}" for title, values in cases.items() if values and base]
    return f"Unseen turns, against the exact network at 28 px: {'; '.join(said)}." if said else NOT_RUN


def what_mending_shows(results: Results | None) -> str:
    """What symmetric subsampling gives at 29 px, and costs upright: from the start, and mended after training."""
    broken, mended, tuned = ("upright/approximate-29", "mended/29", "tuned/29")
    unseen = {case: _values(results, case, "unseen") for case in (broken, mended, tuned)}
    upright = {case: _values(results, case, "identity") for case in (broken, mended, tuned)}
    if results is None or not unseen[broken] or not unseen[mended]:
        return NOT_RUN
    words = ("more", "fewer")
    sentence = (
        f"At 29 px, unseen turns: {_mean(unseen[broken])} as published, {_mean(unseen[mended])} trained with symmetric "
        f"subsampling ({_more(difference(unseen[mended], unseen[broken]), words)}); upright "
        f"{_mean(upright[broken])} and {_mean(upright[mended])} "
        f"({_more(difference(upright[mended], upright[broken]), words)})."
    )
    at_once = results.percents(tuned, "unseen", first=True)
    if not unseen[tuned] or not at_once:
        return f"{sentence} Mending after training: not run yet."
    epochs = next(iter(results.cases[tuned].values())).final.epoch
    return (
        f"{sentence} Mended after training, the published weights give {_mean(at_once)} at unseen turns at once, and "
        f"{_mean(unseen[tuned])} after {epochs} more epoch{'s' * (epochs > 1)} of upright digits "
        f"({_more(difference(unseen[tuned], unseen[broken]), words)} than as published); upright "
        f"{_mean(upright[tuned])}."
    )


def what_photographs_show(results: Results | None, study: Study) -> str:
    """For each group that was run at both sides: the approximate network against the exact one."""
    said = []
    for group, grouped in itertools.groupby(study.cases, lambda case: case.key.rpartition("-")[0]):
        cases = sorted(grouped, key=lambda case: case.is_exact)
        if [case.is_exact for case in cases] != [False, True]:  # plain networks are never exact
            continue
        upright, unseen = ([_values(results, case.key, name) for case in cases] for name in ("identity", "unseen"))
        if not all(upright):
            continue
        sides = " against ".join(f"{case.recipe.size_px} px" for case in cases)
        name = group.rpartition("/")[2]
        said.append(
            f"{name}, {sides}: {_signed(difference(*upright))} upright, {_signed(difference(*unseen))} at unseen turns"
        )
    return f"Approximate against exact. {'; '.join(said)}." if said else NOT_RUN


def what_was_tried(gap: Gap | None, results: Results | None) -> tuple[str, ...]:
    """For each way of `gap`, from three seeds on: unseen turns, against the same network as it is run here."""
    as_here = _values(results, CASE, "unseen")
    by_way = {way: [run.unseen for run in (gap.runs if gap else ()) if run.way == way] for way in WAYS}
    return tuple(
        f"{words}: {_mean(values)} ({_signed(difference(values, as_here))})"
        for words, values in zip(WAYS.values(), by_way.values(), strict=True)
        if min(len(values), len(as_here)) >= LEAST_VALUES
    )


def what_order_shows(results: Results | None, study: Study) -> str:
    """Whether the networks come in the authors' order at every turn, where their order is clear."""
    if results is None:
        return NOT_RUN
    authors = {case.key: case.authors for case in study.cases if case.authors is not None}
    count, agreeing, certain, against = 0, 0, 0, list[str]()
    for turn, (first, second) in itertools.product(TURNS, itertools.combinations(authors, 2)):
        expected = _clear_order(authors[first], authors[second], turn)
        ours = results.percents(first, turn), results.percents(second, turn)
        if not expected or min(map(len, ours)) < LEAST_VALUES:
            continue
        found = difference(*ours)
        count += 1
        agreeing += found.mean * expected > 0
        certain += found.sign == expected
        if found.mean * expected <= 0:
            against.append(f"{_name(study, first)} and {_name(study, second)} at {_TURN_TITLES[turn]}")
    if not count:
        return "Which network is ahead at which turn is said from three seeds on."
    sentence = (
        f"Of the {count} pairs of networks and turns that the authors' runs tell apart by more than a standard "
        f"deviation, {agreeing} come in the same order here, {certain} of them with an interval that leaves out zero"
    )
    if not against:
        return f"{sentence}."
    rest = f" and {len(against) - _NAMED} more" if len(against) > _NAMED else ""
    return f"{sentence}; not {', '.join(against[:_NAMED])}{rest}."


# ------------------------------------------------------------------------------------------------------------ helpers


def _values(results: Results | None, case: str, measure: str) -> tuple[float, ...]:
    return () if results is None else results.percents(case, measure)


def _by_side(results: Results | None, case: str, measure: str) -> dict[int, tuple[float, ...]]:
    return {side: _values(results, f"{case}-{side}", measure) for side in SIDES_PX}


def _differences(results: Results | None, study: str, measure: str) -> dict[int, Difference]:
    """Approximate less exact, by the side of the approximate network: 27 and 29 px, as far as they were run."""
    exact = _values(results, f"{study}/exact-28", measure)
    others = _by_side(results, f"{study}/approximate", measure)
    return {side: difference(values, exact) for side, values in others.items() if exact and values}


def _unfinished(results: Results | None, study: str) -> Finding:
    """Which of the three networks of a comparison are missing, where others were run."""
    keys = ("exact-28", *(f"approximate-{side}" for side in SIDES_PX))
    left = [key for key in keys if not _values(results, f"{study}/{key}", "identity")]
    said = NOT_RUN if len(left) == len(keys) else f"Not complete: {' and '.join(left)} not run yet."
    return Finding(OPEN, said, said)


def _clear_order(first: AuthorsCase, second: AuthorsCase, turn: str) -> int:
    """1 or −1 where the authors' means differ by more than both deviations, else 0."""
    one, other = first.figures[turn], second.figures[turn]
    if abs(one.mean - other.mean) <= max(one.sd, other.sd):
        return 0
    return 1 if one.mean > other.mean else -1


def _state(signs: Sequence[int]) -> str:
    if all(sign > 0 for sign in signs):
        return SEEN
    return NOT_SEEN if any(sign < 0 for sign in signs) else OPEN


def _name(study: Study, key: str) -> str:
    return next(case.title for case in study.cases if case.key == key).lower()


def _mean(values: Sequence[float]) -> str:
    found: Summary = summarise(values)
    return f"{found.mean:.1f} %"


def _means(found: Mapping[int, Difference]) -> str:
    return " and ".join(signed(each.mean) for each in found.values())


def _each(found: Mapping[int, Difference]) -> str:
    return " and ".join(f"{_signed(each)} at {side} px" for side, each in found.items())


def _more(found: Difference, words: tuple[str, str]) -> str:
    """The size of a difference with its interval: `2.5 points more [2.0, 3.1]`, the other word where it is negative."""
    if found.mean >= 0:
        return f"{found.mean:.1f} points {words[0]} {_interval(found.low, found.high)}"
    turned = [None if end is None else -end for end in (found.high, found.low)]
    return f"{-found.mean:.1f} points {words[1]} {_interval(*turned)}"


def _signed(found: Difference) -> str:
    return f"{signed(found.mean)} points {_interval(found.low, found.high)}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "[too few seeds for an interval]"
    return f"[{low:.1f}, {high:.1f}]".replace("-0.0", "0.0").replace("-", "−")


def upper_bound(value: float) -> str:
    """A positive number rounded up to one digit, in plain text: 0.05, or 3·10⁻⁶."""
    return _one_digit(value, math.ceil)


def lower_bound(value: float) -> str:
    """The same rounded down."""
    return _one_digit(value, math.floor)


def _one_digit(value: float, rounded: Callable[[float], int]) -> str:
    if value <= 0:
        return "0"
    exponent = math.floor(math.log10(value))
    digit = rounded(round(value / 10**exponent, 9))
    digit, exponent = (1, exponent + 1) if digit == 10 else (digit, exponent)
    if exponent >= -2:
        return f"{digit * 10.0**exponent:.{max(0, -exponent)}f}"
    return f"{digit}·10{str(exponent).translate(_SUPERSCRIPT)}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
