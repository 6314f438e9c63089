"""What our runs show beyond the paper's four claims: mending and its controls, heads, parity, other trainings."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from explorer.reproduction.authors import AuthorsCase
from explorer.reproduction.claims import NOT_RUN
from explorer.reproduction.compared import Of, compared
from explorer.reproduction.results import Results, SeedRun
from explorer.reproduction.statistics import LEAST_VALUES, Difference
from explorer.reproduction.studies import MENDED_PX, SIDES_PX, TUNING_STEPS, Study
from explorer.reproduction.words import alone, listed, more, percent, points, seeds_in
from explorer.training.metrics import TURNS

_NAMED = 3  # exceptions in one sentence
_TURN_TITLES = dict(zip(TURNS, ("0°", "90°", "180°", "270°"), strict=True))
_EXACT, _PUBLISHED, _MENDED = "upright/exact-28", f"upright/approximate-{MENDED_PX}", f"mended/{MENDED_PX}"
_PARITY = {
    "parity/resized-30": "resampled but even (30 px)",
    "parity/padded-29": "not resampled but odd (padded to 29 px)",
    "parity/padded-32": "not resampled and even (padded to 32 px)",
}
HEADS = {"mean first": "upright/{}", "maximum first": "heads/maximum-first-{}", "no pooling": "heads/no-pooling-{}"}
HEAD_CASES = {  # by head and side; the mean first is what the networks of the claims have
    (head, side): key.format(f"{'exact' if side == 28 else 'approximate'}-{side}" if head == "mean first" else side)
    for head, key in HEADS.items()
    for side in (28, 29)
}
LAST_MAPS = "layer7.activation"  # before the head
# Fine-tunings of upright weights: what they are called, and the case that they start from.
TREATMENTS = {
    "mended-29": ("mended", _PUBLISHED),
    "as-it-was-29": ("as it was", _PUBLISHED),
    "blurred-28": ("blurred", _EXACT),
}


# -------------------------------------------------------------------------------------------------------------- mending


@dataclass(frozen=True)
class Tuned:
    """Fine-tuning of one treatment for so many steps, 0 at once: against the weights that it started from."""

    treatment: str
    steps: int
    seeds: int
    unseen: Difference
    upright: Difference


def tunings(results: Results | None) -> tuple[Tuned, ...]:
    """All that were run. "As it was" changes nothing at once, and is left out there."""
    found = []
    for treatment, (_, base) in TREATMENTS.items():
        for steps in (0, *TUNING_STEPS):
            case = tuned_case(treatment, steps)
            both = compared(results, case, base)
            if both is None or (treatment == "as-it-was-29" and not steps):
                continue
            unseen, upright = (both.difference(case, base, name) for name in ("unseen", "identity"))
            found.append(Tuned(treatment, steps, len(both.seeds), unseen, upright))
    return tuple(found)


def tuned_case(treatment: str, steps: int) -> Of:
    """The case of so many steps; of none, the weights before the shortest fine-tuning."""
    return f"tuned/{treatment}-{steps or min(TUNING_STEPS)}", not steps


def what_mending_shows(results: Results | None) -> str:
    """What symmetric subsampling gives at unseen turns when trained with, and what it costs upright."""
    both = compared(results, _PUBLISHED, _MENDED)
    if both is None:
        return NOT_RUN
    unseen, upright = (both.difference(_MENDED, _PUBLISHED, name) for name in ("unseen", "identity"))
    return (
        f"Trained at {MENDED_PX} px with symmetric subsampling from the start: {both.percent(_MENDED, 'unseen')} at "
        f"unseen turns, {more(unseen, ('more', 'fewer'))} than as published, and "
        f"{both.percent(_MENDED, 'identity')} upright, {more(upright, ('more', 'fewer'))}. "
        f"{both.count.capitalize()}.{alone(unseen, upright)}"
    )


def what_tuning_shows(results: Results | None) -> str:
    """Mending after training: at once, after most steps of fine-tuning, and beside the control of as many steps."""
    steps = max(TUNING_STEPS)
    at_once, mended, control = (
        tuned_case(name, after) for name, after in (("mended-29", 0), ("mended-29", steps), ("as-it-was-29", steps))
    )
    first = compared(results, _PUBLISHED, at_once)
    if first is None:
        return NOT_RUN
    unseen, upright = (first.difference(at_once, _PUBLISHED, name) for name in ("unseen", "identity"))
    said = (
        f"Switched on in weights trained without it, it gives {first.percent(at_once, 'unseen')} at unseen turns at "
        f"once ({points(unseen)}) and {first.percent(at_once, 'identity')} upright ({points(upright)}). "
        f"{first.count.capitalize()}.{alone(unseen, upright)}"
    )
    both = compared(results, _PUBLISHED, mended, control)
    if both is None:
        return said
    unseen, upright = (both.difference(mended, control, name) for name in ("unseen", "identity"))
    return (
        f"{said} After {steps} more steps on upright digits: {both.percent(mended, 'unseen')} at unseen turns and "
        f"{both.percent(mended, 'identity')} upright; as it was, fine-tuned for the same steps, "
        f"{both.percent(control, 'unseen')} and {both.percent(control, 'identity')}. So mending itself changes unseen "
        f"turns by {points(unseen)} and upright digits by {points(upright)}. {both.count.capitalize()}."
        f"{alone(unseen, upright)}"
    )


def what_blur_shows(results: Results | None) -> str:
    """Blur alone, where nothing has to be mended: what part of mending's cost is the blur's."""
    at_once, tuned = tuned_case("blurred-28", 0), tuned_case("blurred-28", max(TUNING_STEPS))
    first, both = compared(results, _EXACT, at_once), compared(results, _EXACT, tuned)
    if first is None:
        return ""
    at = first.difference(at_once, _EXACT, "identity")
    said = f"Blur alone, at 28 px, where nothing needs mending, changes upright digits by {points(at)} at once"
    if both is None:
        return f"{said}. {first.count.capitalize()}.{alone(at)}"
    after = both.difference(tuned, _EXACT, "identity")
    count = f"({first.count}), and by {points(after)} after {max(TUNING_STEPS)} steps ({both.count})."
    return f"{said} {count}{alone(at, after)}"


# ---------------------------------------------------------------------------------------------------------------- heads


@dataclass(frozen=True)
class Head:
    """Runs of one head at one side: mean accuracy at the four turns in percent, and what was unlearned.

    agreement: percent of test digits with one answer at all turns. maps, logits: relative errors of the last feature
    maps and of the logits, means over the seeds, NaN where the group does not act on them.
    """

    head: str
    side_px: int
    seeds: int
    turns: tuple[float, ...]
    unseen: float
    agreement: float
    maps: float
    logits: float


def heads(results: Results | None) -> tuple[Head, ...]:
    """All that were run, each over all of its seeds."""
    found = []
    for (head, side), case in HEAD_CASES.items():
        runs = list(results.cases.get(case, {}).values()) if results else []
        if not runs:
            continue
        turns = (_mean([100 * run.final.accuracy[turn] for run in runs]) for turn in TURNS)
        found.append(
            Head(
                head,
                side,
                len(runs),
                tuple(turns),
                _mean([100 * run.final.unseen_accuracy for run in runs]),
                _mean([100 * run.final.agreement for run in runs]),
                _mean([_errors(run, LAST_MAPS)[-1] for run in runs]),
                _mean([_errors(run, "logits")[-1] for run in runs]),
            )
        )
    return tuple(found)


def what_heads_show(results: Results | None) -> str:
    """Which head loses most at unseen turns at 29 px, and which unlearns most of its symmetry; of the same seeds."""
    there = {head: HEAD_CASES[head, 29] for head in HEADS if results and results.cases.get(HEAD_CASES[head, 29])}
    found = compared(results, *there.values())
    if found is None or len(there) < 2 or results is None:
        return NOT_RUN
    (first, base), *others = there.items()
    apart = {head: found.difference(case, base, "unseen") for head, case in others}
    said = [f"{first} {found.percent(base, 'unseen')}"]
    said += [f"{head} {found.percent(case, 'unseen')} ({points(apart[head])})" for head, case in others]
    runs = {head: [results.cases[case][seed] for seed in found.seeds] for head, case in there.items()}
    agreeing = [f"{percent(_mean([100 * run.final.agreement for run in each]))} with {h}" for h, each in runs.items()]
    grown = []
    for head, each in runs.items():
        before, after = (_mean([_errors(run, "logits")[place] for run in each]) for place in (0, -1))
        if not math.isnan(after):  # the group acts on the logits only where it is pooled
            is_known = all(len(_errors(run, "logits")) > 1 for run in each)
            grown.append(f"{after:.2g} with {head}{f' (before: {before:.2g})' if is_known else ''}")
    logits = f" After training the error of the logits is {listed(grown)}." if grown else ""
    return (
        f"At 29 px, right at unseen turns: {listed(said)}. One answer at all four turns: {listed(agreeing)}.{logits} "
        f"{found.count.capitalize()}.{alone(*apart.values())}"
    )


def _errors(run: SeedRun, layer: str) -> tuple[float, ...]:
    """At the points of the curve; of a file that kept those of the logits alone, at the last one; NaN for infinity."""
    known = run.errors.get(layer) or (run.final.errors.get(layer),)
    return tuple(math.nan if error is None else error for error in known)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# ------------------------------------------------------------------------------------------------- parity and trainings


def what_parity_shows(results: Results | None) -> str:
    """Whether resampling or the odd side makes the difference: each against the exact network on unseen turns."""
    there = [case for case in _PARITY if results and results.cases.get(case)]
    found = compared(results, _EXACT, *there)
    if found is None or not there:
        return NOT_RUN
    apart = {case: found.difference(case, _EXACT, "unseen") for case in there}
    said = "; ".join(f"{_PARITY[case]} {points(each)}" for case, each in apart.items())
    count = f"{found.count.capitalize()}.{alone(*apart.values())}"
    return f"Unseen turns, against the exact network at 28 px: {said}. {count}"


def what_upright_shows(results: Results | None) -> str:
    """How far ahead at 40° the approximate networks are without having been shown any turn; empty if not run."""
    said = _against_exact(results, "upright", "angle40")
    return f"Trained upright, without any turn, they differ from it at 40° by {said}" if said else ""


def what_uniform_shows(results: Results | None) -> str:
    """Whether anything is left to gain or to lose where training shows every angle."""
    said = _against_exact(results, "uniform", "angles")
    if not said:
        return NOT_RUN
    return f"Trained at all angles, the approximate networks differ from the exact one over 36 angles by {said}"


def _against_exact(results: Results | None, study: str, measure: str) -> str:
    exact, cases = f"{study}/exact-28", {side: f"{study}/approximate-{side}" for side in SIDES_PX}
    found = compared(results, exact, *cases.values(), measure=measure)
    if found is None:
        return ""
    apart = {side: found.difference(case, exact, measure) for side, case in cases.items()}
    parts = [f"{points(each)} at {side} px" for side, each in apart.items()]
    return f"{listed(parts)}. {found.count.capitalize()}.{alone(*apart.values())}"


def what_photographs_show(results: Results | None, study: Study) -> str:
    """For each group that was run at both sides: the approximate network against the exact one."""
    said = []
    for group, grouped in itertools.groupby(study.cases, lambda case: case.key.rpartition("-")[0]):
        cases = sorted(grouped, key=lambda case: case.is_exact)
        if [case.is_exact for case in cases] != [False, True]:  # plain networks are never exact
            continue
        found = compared(results, *(case.key for case in cases))
        if found is None:
            continue
        upright, unseen = (found.difference(cases[0].key, cases[1].key, name) for name in ("identity", "unseen"))
        sides = " against ".join(f"{case.recipe.size_px} px" for case in cases)
        name = group.rpartition("/")[2]
        said.append(f"{name}, {sides}: {points(upright)} upright, {points(unseen)} at unseen turns ({found.count})")
    return f"Approximate against exact. {'; '.join(said)}." if said else NOT_RUN


def what_order_shows(results: Results | None, study: Study) -> str:
    """Whether the networks come in the authors' order at every turn, where their order is clear."""
    if results is None:
        return NOT_RUN
    authors = {case.key: case.authors for case in study.cases if case.authors is not None}
    count, agreeing, certain, against = 0, 0, 0, list[str]()
    for turn, (first, second) in itertools.product(TURNS, itertools.combinations(authors, 2)):
        expected = _clear_order(authors[first], authors[second], turn)
        both = compared(results, first, second)
        if not expected or both is None or len(both.seeds) < LEAST_VALUES:
            continue
        found = both.difference(first, second, turn)
        count += 1
        agreeing += found.mean * expected > 0
        certain += found.sign == expected
        if found.mean * expected <= 0:
            against.append(f"{_name(study, first)} and {_name(study, second)} at {_TURN_TITLES[turn]}")
    if not count:
        return f"Which network is ahead at which turn is said from {seeds_in(LEAST_VALUES)} on."
    sentence = (
        f"Of the {count} pairs of networks and turns that the authors' runs tell apart by more than a standard "
        f"deviation, {agreeing} come in the same order here, {certain} of them with an interval that leaves out zero"
    )
    if not against:
        return f"{sentence}."
    rest = f" and {len(against) - _NAMED} more" if len(against) > _NAMED else ""
    return f"{sentence}; not {', '.join(against[:_NAMED])}{rest}."


def _clear_order(first: AuthorsCase, second: AuthorsCase, turn: str) -> int:
    """1 or −1 where the authors' means differ by more than both deviations, else 0."""
    one, other = first.figures[turn], second.figures[turn]
    if abs(one.mean - other.mean) <= max(one.sd, other.sd):
        return 0
    return 1 if one.mean > other.mean else -1


def _name(study: Study, key: str) -> str:
    return next(case.title for case in study.cases if case.key == key).lower()
