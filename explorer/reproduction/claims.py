"""What our runs say of each claim, in sentences with numbers, and whether the claim is seen in them.

A claim is seen where the bootstrap interval of the difference lies on its side of zero; nothing is claimed from fewer
than three seeds.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.reproduction.authors import AuthorsCase
from explorer.reproduction.knight import SIZES_PX, Knight
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


@dataclass(frozen=True)
class Finding:
    """What is found of a claim: SEEN, OPEN or NOT_SEEN, the sentence that says why, and the same in a few words."""

    state: str
    sentence: str
    short: str = NOT_RUN


# --------------------------------------------------------------------------------------------------------- the claims


def learns_to_break(knight: Knight | None) -> Finding:
    """Claim 1: at 32 px every seed learns to tell the knight from its turn, at 33 px none."""
    if knight is None:
        return Finding(OPEN, NOT_RUN)
    by_size = {size_px: [run for run in knight.runs if run.size_px == size_px] for size_px in SIZES_PX}
    broken = {size_px: sum(run.verdict == "broken" for run in runs) for size_px, runs in by_size.items()}
    lowest = {size_px: summarise([run.lowest for run in runs]).mean for size_px, runs in by_size.items()}
    approximate_px, exact_px = SIZES_PX
    count = len(by_size[approximate_px])
    is_seen = broken[approximate_px] == count and broken[exact_px] == 0
    is_enough = min(map(len, by_size.values())) >= LEAST_VALUES
    return Finding(
        (SEEN if is_seen else NOT_SEEN) if is_enough else OPEN,
        f"At {approximate_px} px {broken[approximate_px]} of {count} trainings tell the knight from its quarter turn: "
        f"the loss falls to {lowest[approximate_px]:.3f} on average. At {exact_px} px {broken[exact_px]} of "
        f"{len(by_size[exact_px])} do: the loss stays at {lowest[exact_px]:.4f}, which is ln 2, a guess.",
        f"Loss {lowest[approximate_px]:.3f} at {approximate_px} px, ln 2 (a guess) at {exact_px} px.",
    )


def one_pixel_decides(sides: Sides | None) -> Finding:
    """Claim 2: errors are rounding at the sizes that theory calls exact, and large at all others."""
    if sides is None:
        return Finding(OPEN, NOT_RUN)
    exact = [side.error for network in sides.networks for side in network.sides if side.is_exact]
    others = [side.error for network in sides.networks for side in network.sides if not side.is_exact]
    is_seen = _FAR * max(exact) < min(others)
    return Finding(
        SEEN if is_seen else NOT_SEEN,
        f"Measured for {len(sides.networks)} networks at {len(exact) + len(others)} sizes: the error is at most "
        f"{power(max(exact))} at the {len(exact)} sizes that theory calls exact, and at least "
        f"{min(others):.1f} at the {len(others)} others.",
        f"Error at most {power(max(exact))} at exact sizes, at least {min(others):.1f} at all others.",
    )


def fails_unseen_turns(results: Results | None) -> Finding:
    """Claim 3: on turns that training did not show, the approximate networks fall behind the exact one."""
    exact = _values(results, "upright/exact-28", "unseen")
    others = {side: _values(results, f"upright/approximate-{side}", "unseen") for side in SIDES_PX}
    if not exact or not all(others.values()):
        return Finding(OPEN, NOT_RUN)
    behind = {side: difference(exact, values) for side, values in others.items()}
    parts = " and ".join(
        f"{_mean(values)} at {side} px ({_more(behind[side], ('fewer', 'more'))})" for side, values in others.items()
    )
    return Finding(
        _state([each.sign for each in behind.values()]),
        f"On turns that it has not seen, the exact network is right for {_mean(exact)} of the digits, the approximate "
        f"one for {parts}.",
        f"Right on unseen turns: {_mean(exact)} where exact, "
        f"{' and '.join(_mean(values) for values in others.values())} where approximate.",
    )


def relaxes_its_constraint(results: Results | None, study: str = "turned-20") -> Finding:
    """Claim 4: near the training's angles the approximate networks match or beat the exact one, and pay elsewhere.

    study: one whose training turns digits by 45° and so much more or less.
    """
    near = _differences(results, study, "angle40")
    around = _differences(results, study, "angles")
    if not near or not around:
        return Finding(OPEN, NOT_RUN)
    smallest, largest = (min(found.values(), key=lambda each: each.mean) for found in (near, around))
    words = ("more", "fewer")
    several = len(near) > 1
    which = "networks get at least" if several else f"network at {next(iter(near))} px gets"
    return Finding(
        _state([each.sign for each in near.values()]),
        f"Trained on digits turned by 45° ± {study.removeprefix('turned-')}°, the approximate {which} "
        f"{_more(smallest, words)} right than the exact one at 40°, among the angles of training, and "
        f"{'up to ' if several else ''}{_more(largest, words)} over all 36 angles.",
        f"Against the exact network {signed(smallest.mean)} points near the angles of training, {signed(largest.mean)} "
        "over all angles.",
    )


# ------------------------------------------------------------------------------------------------- beyond the claims


def what_uniform_shows(results: Results | None) -> str:
    """Whether anything is left to gain or to lose where training shows every angle."""
    found = _differences(results, "uniform", "angles")
    if not found:
        return "Training at all angles: not run yet."
    said = " and ".join(f"{_signed(each)} at {side} px" for side, each in found.items())
    return f"Trained at all angles, the approximate networks differ from the exact one over 36 angles by {said}."


def what_parity_shows(results: Results | None) -> str:
    """Whether resampling or the odd side makes the difference: each against the exact network on unseen turns."""
    base = _values(results, "upright/exact-28", "unseen")
    cases = {
        "resampled but even (30 px)": _values(results, "parity/resized-30", "unseen"),
        "not resampled but odd (padded to 29 px)": _values(results, "parity/padded-29", "unseen"),
        "neither (padded to 30 px)": _values(results, "parity/padded-30", "unseen"),
    }
    if not base or not all(cases.values()):
        return NOT_RUN
    said = "; ".join(f"{name}: {_signed(difference(values, base))}" for name, values in cases.items())
    return f"Unseen turns, against the exact network at 28 px: {said}."


def what_mending_shows(results: Results | None) -> str:
    """What symmetric subsampling gives at an odd side, from the start and after training, before and after tuning."""
    broken = _values(results, "upright/approximate-29", "unseen")
    mended = _values(results, "mended/29", "unseen")
    at_once = () if results is None else results.percents("tuned/29", "unseen", first=True)
    tuned = _values(results, "tuned/29", "unseen")
    if not broken or not mended:
        return NOT_RUN
    sentence = (
        f"At 29 px, unseen turns: {_mean(broken)} as published, {_mean(mended)} trained with symmetric subsampling "
        f"({_more(difference(mended, broken), ('more', 'fewer'))})."
    )
    if not tuned or not at_once:
        return f"{sentence} Mending after training: not run yet."
    return (
        f"{sentence} Mended after training, the same weights give {_mean(at_once)} at once and {_mean(tuned)} after "
        "fine-tuning on upright digits alone."
    )


def what_photographs_show(results: Results | None, study: Study) -> str:
    """For each group that was run at both sides: exact (33 px) against approximate (32 px) at unseen turns."""
    said = []
    for group in dict.fromkeys(case.key.rpartition("-")[0] for case in study.cases):
        exact, approximate = (_values(results, f"{group}-{side}", "unseen") for side in (33, 32))
        if exact and approximate:
            more = _more(difference(exact, approximate), ("more", "fewer"))
            said.append(f"{group.rpartition('/')[2]}: {_mean(exact)} at 33 px, {_mean(approximate)} at 32 px ({more})")
    return f"Right at unseen turns, exact against approximate: {'; '.join(said)}." if said else NOT_RUN


def what_order_shows(results: Results | None, study: Study) -> str:
    """Whether the networks come in the authors' order at every turn, where their order is clear."""
    if results is None:
        return NOT_RUN
    authors = {case.key: case.authors for case in study.cases if case.authors is not None}
    clear, agreeing, against = 0, 0, list[str]()
    for turn, (first, second) in itertools.product(TURNS, itertools.combinations(authors, 2)):
        expected = _clear_order(authors[first], authors[second], turn)
        ours = results.percents(first, turn), results.percents(second, turn)
        if not expected or min(map(len, ours)) < LEAST_VALUES:
            continue
        clear += 1
        mean = difference(*ours).mean
        agreeing += mean * expected > 0
        if mean * expected <= 0:
            against.append(f"{_name(study, first)} and {_name(study, second)} at {_TURN_TITLES[turn]}")
    if not clear:
        return "Which network is ahead at which turn is said from three seeds on."
    sentence = (
        f"Of the {clear} pairs of networks and turns that the authors' runs tell apart by more than a standard "
        f"deviation, {agreeing} come in the same order here"
    )
    if not against:
        return f"{sentence}."
    rest = f" and {len(against) - _NAMED} more" if len(against) > _NAMED else ""
    return f"{sentence}; not {', '.join(against[:_NAMED])}{rest}."


# ------------------------------------------------------------------------------------------------------------ helpers


def _values(results: Results | None, case: str, measure: str) -> tuple[float, ...]:
    return () if results is None else results.percents(case, measure)


def _differences(results: Results | None, study: str, measure: str) -> dict[int, Difference]:
    """Approximate less exact, by the side of the approximate network: 27 and 29 px, as far as they were run."""
    exact = _values(results, f"{study}/exact-28", measure)
    others = {side: _values(results, f"{study}/approximate-{side}", measure) for side in SIDES_PX}
    return {side: difference(values, exact) for side, values in others.items() if exact and values}


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


def power(value: float) -> str:
    """A small number in plain text, as 3·10⁻⁶."""
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
