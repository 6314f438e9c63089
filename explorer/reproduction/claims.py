"""What our runs say of each claim of the paper, in sentences with numbers, and whether the claim is seen in them.

A claim counts as seen where its interval, or each of several, lies on the claimed side of zero, and where its exact
p-value, corrected by Holm for the number of claims that were run, is below CHANCE. Its p-value is the largest of those
of its parts, all of which it needs; it is one-sided, because the paper says in advance which side is claimed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from explorer.reproduction.authors import authors_case, authors_knight
from explorer.reproduction.compared import compared
from explorer.reproduction.knight import SIZES_PX, KnightRuns
from explorer.reproduction.results import Results
from explorer.reproduction.sides import Sides
from explorer.reproduction.statistics import CHANCE, LEAST_VALUES, Difference, Sample, difference, holm, summarise
from explorer.reproduction.studies import ROTATIONS, SIDES_PX
from explorer.reproduction.words import alone, listed, lower_bound, more, number, percent, points, signed, upper_bound

SEEN, OPEN, NOT_SEEN = "seen", "open", "not seen"
NOT_RUN = "Not run yet."
_FAR = 100.0  # errors that theory tells apart are further apart than this factor


@dataclass(frozen=True)
class Finding:
    """What is found of a claim.

    state: SEEN, OPEN or NOT_SEEN; OPEN until `judged`. sentence: the whole of it; short: direction and size in a few
    words; authors: the same as the authors measured it, if they did.
    p: the claim's own p-value; None where it was not run. side: 1 where all intervals lie on the claimed side, −1 where
    one lies on the other, else 0. seeds: of the part with fewest; 0 where chance has no part in it.
    """

    state: str
    sentence: str
    short: str = NOT_RUN
    authors: str = ""
    p: float | None = None
    side: int = 0
    seeds: int = 0


def judged(findings: Mapping[str, Finding]) -> dict[str, Finding]:
    """The findings of all claims with their states, and with how sure they are in their sentences."""
    corrected = holm({name: found.p for name, found in findings.items() if found.p is not None})
    return {
        name: _judged(found, corrected[name], len(corrected)) if name in corrected else found
        for name, found in findings.items()
    }


def _judged(found: Finding, p: float, claims: int) -> Finding:
    if found.side < 0:
        return replace(found, state=NOT_SEEN)
    if found.side > 0 and p < CHANCE:
        said = f"{_shown(p)}, corrected for {claims} claims." if found.seeds else ""
        return replace(found, state=SEEN, sentence=f"{found.sentence} {said}".strip())
    ways = math.comb(2 * found.seeds, found.seeds)
    if found.seeds == 1:
        said = "One run against one decides nothing."
    elif found.seeds and 1 / ways >= CHANCE:
        against = f"{number(found.seeds).capitalize()} against {number(found.seeds)}"
        said = f"{against} decide nothing by themselves: chance alone orders them so once in {ways} times."
    else:
        said = f"{_shown(p)}, corrected for {claims} claims: not enough."
    return replace(found, state=OPEN, sentence=f"{found.sentence} {said}")


def _shown(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


# --------------------------------------------------------------------------------------------------------- the claims


def learns_to_break(knight: KnightRuns | None) -> Finding:
    """Claim 1: at 32 px every seed learns to tell the knight from its turn, at 33 px none."""
    step, last = authors_knight()[-1]
    authors = f"loss {last:.3f} at 32 px after {step} steps"
    runs = () if knight is None else knight.runs
    lowest = {size: Sample({run.seed: run.lowest for run in runs if run.size_px == size}) for size in SIZES_PX}
    seeds = sorted(set.intersection(*(set(sample.percents) for sample in lowest.values())))
    if not seeds:
        return Finding(OPEN, NOT_RUN, authors=authors)
    kept = [run for run in runs if run.seed in seeds]
    approximate_px, exact_px = SIZES_PX
    broken = {size: sum(run.verdict == "broken" for run in kept if run.size_px == size) for size in SIZES_PX}
    mean = {size: summarise(lowest[size].of(seeds).values).mean for size in SIZES_PX}
    apart = difference(lowest[exact_px].of(seeds), lowest[approximate_px].of(seeds))
    parts = []
    for size in SIZES_PX:
        loss = f"the loss falls to {mean[size]:.3f} on average"
        if not broken[size]:
            loss = f"the loss stays at {mean[size]:.4f}; a guess has ln 2 = {math.log(2):.4f}"
        parts.append(f"At {size} px {broken[size]} of {len(seeds)} trainings tell the knight from its turn: {loss}")
    is_so = broken[approximate_px] == len(seeds) and not broken[exact_px]
    return Finding(
        OPEN,
        f"{'. '.join(parts)}.",
        f"loss {mean[approximate_px]:.3f} at {approximate_px} px, {mean[exact_px]:.3f} at {exact_px} px; a guess has "
        f"{math.log(2):.3f}",
        authors,
        apart.above,
        (apart.sign if is_so else -1) if len(seeds) >= LEAST_VALUES else 0,
        len(seeds),
    )


def one_pixel_decides(sides: Sides | None) -> Finding:
    """Claim 2: errors are rounding at the sizes that theory calls exact, and large at all others.

    Its p-value is the chance to name the exact sizes of all networks by guessing (Fisher 1935).
    """
    authors = "they go from 32 to 33 px and from 224 to 225 px to be exact"
    if sides is None:
        return Finding(OPEN, NOT_RUN, authors=authors)
    exact = [side.error for network in sides.networks for side in network.sides if side.is_exact]
    others = [side.error for network in sides.networks for side in network.sides if not side.is_exact]
    largest, smallest = upper_bound(max(exact)), lower_bound(min(others))
    is_so = _FAR * max(exact) < min(others)
    ways = math.prod(
        math.comb(len(network.sides), sum(side.is_exact for side in network.sides)) for network in sides.networks
    )
    return Finding(
        OPEN,
        f"Measured for {len(sides.networks)} networks at {len(exact) + len(others)} sizes: the error is at most "
        f"{largest} at the {len(exact)} sizes that theory calls exact, and at least {smallest} at the {len(others)} "
        "others.",
        f"error at most {largest} at exact sizes, at least {smallest} at all others",
        authors,
        1 / ways if is_so else 1.0,
        1 if is_so else -1,
    )


def fails_unseen_turns(results: Results | None) -> Finding:
    """Claim 3: on turns that training did not show, the approximate networks fall behind the exact one."""
    authors = _authors_unseen()
    exact, plain = "upright/exact-28", "upright/plain-28"
    found = compared(results, exact, *_approximate("upright"))
    if found is None:
        return _unfinished(results, "upright", authors)
    with_plain = compared(results, exact, *_approximate("upright"), plain)
    found = with_plain or found
    behind = {side: found.difference(exact, case, "unseen") for side, case in _by_side("upright").items()}
    parts = listed(
        [
            f"{found.percent(case, 'unseen')} at {side} px ({more(behind[side], ('fewer', 'more'))})"
            for side, case in _by_side("upright").items()
        ]
    )
    plainly = "" if with_plain is None else f" The plain network reads {found.percent(plain, 'unseen')}."
    means = listed([percent(found.mean(case, "unseen")) for case in _approximate("upright")])
    return Finding(
        OPEN,
        f"On turns that training did not show, the exact network reads {found.percent(exact, 'unseen')} of the digits, "
        f"the approximate one {parts}.{plainly} {found.count.capitalize()}.{alone(*behind.values())}",
        f"exact {found.percent(exact, 'unseen')}, approximate {means}"
        + ("" if with_plain is None else f", plain {found.percent(plain, 'unseen')}"),
        authors,
        *_weighed(behind.values()),
        len(found.seeds),
    )


def relaxes_its_constraint(results: Results | None, study: str = "turned-20") -> Finding:
    """Claim 4: near the training's angles both approximate networks beat the exact one, and pay for it elsewhere.

    study: one whose training turns digits by 45° and so much more or less.
    """
    authors = _authors_turned(study)
    exact, plain = f"{study}/exact-28", f"{study}/plain-28"
    found = compared(results, exact, *_approximate(study), measure="angles")
    if found is None:
        return _unfinished(results, study, authors)
    with_plain = compared(results, exact, *_approximate(study), plain, measure="angles")
    found = with_plain or found
    near = {side: found.difference(case, exact, "angle40") for side, case in _by_side(study).items()}
    around = {side: found.difference(case, exact, "angles") for side, case in _by_side(study).items()}
    plainly = ""
    if with_plain is not None:
        plainly = (
            f" The plain network reads {found.percent(plain, 'angle40')} at 40° and {found.percent(plain, 'angles')} "
            "over all angles."
        )
    p, side = _weighed([*near.values(), *map(_turned, around.values())])
    return Finding(
        OPEN,
        f"Trained on digits turned by 45° ± {study.removeprefix('turned-')}°, the approximate networks differ from the "
        f"exact one at 40°, among the angles of training, by {_each(near)}, and over all 36 angles by {_each(around)}."
        f"{plainly} {found.count.capitalize()}.{alone(*near.values(), *around.values())}",
        f"against exact: {_means(near)} points at 40°, {_means(around)} over all angles",
        authors,
        p,
        side,
        len(found.seeds),
    )


# ------------------------------------------------------------------------------------------ what the authors measured


def _authors_unseen() -> str:
    means = {
        name: case.figures["unseen"].mean
        for name, network, size in (("exact", "p4-cnn", 28), (27, "p4-cnn", 27), (29, "p4-cnn", 29), ("", "z2-cnn", 28))
        if (case := authors_case(network, size, "none")) is not None
    }
    return f"exact {means['exact']:.1f} %, approximate {means[27]:.1f} % and {means[29]:.1f} %, plain {means['']:.1f} %"


def _authors_turned(study: str) -> str:
    rotation = ROTATIONS[study][0]
    exact, *others = (authors_case("p4-cnn", side, rotation) for side in (28, *SIDES_PX))
    if exact is None:
        return ""
    near, around = (
        listed([signed(each.figures[name].mean - exact.figures[name].mean) for each in others if each is not None])
        for name in ("angle40", "angles")
    )
    return f"{near} points at 40°, {around} over all angles"


# ------------------------------------------------------------------------------------------------------------ helpers


def _by_side(study: str) -> dict[int, str]:
    """The approximate networks of a study by their side."""
    return {side: f"{study}/approximate-{side}" for side in SIDES_PX}


def _approximate(study: str) -> tuple[str, ...]:
    return tuple(_by_side(study).values())


def _turned(found: Difference) -> Difference:
    """The other way around: what is claimed to be smaller is claimed to be larger."""
    low, high = (None, None) if found.low is None or found.high is None else (-found.high, -found.low)
    return replace(found, mean=-found.mean, low=low, high=high, above=found.below, below=found.above)


def _weighed(parts: Iterable[Difference]) -> tuple[float, int]:
    """(p-value, side) of a claim that needs all its parts to be larger than zero."""
    found = list(parts)
    signs = [each.sign for each in found]
    side = 1 if all(sign > 0 for sign in signs) else -1 if any(sign < 0 for sign in signs) else 0
    return max(each.above for each in found), side


def _unfinished(results: Results | None, study: str, authors: str) -> Finding:
    """Which of the three networks of a comparison are missing, where others were run."""
    keys = ("exact-28", *(f"approximate-{side}" for side in SIDES_PX))
    left = [key for key in keys if results is None or not results.cases.get(f"{study}/{key}")]
    if len(left) == len(keys):
        return Finding(OPEN, NOT_RUN, authors=authors)
    said = f"Not complete: {listed(left)} not run yet." if left else "Not complete: no seed was run with all networks."
    return Finding(OPEN, said, said, authors)


def _each(found: Mapping[int, Difference]) -> str:
    return listed([f"{points(each)} at {side} px" for side, each in found.items()])


def _means(found: Mapping[int, Difference]) -> str:
    return listed([signed(each.mean) for each in found.values()])
