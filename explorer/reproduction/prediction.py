"""Does a measured error, or theory's displacement, predict what a network loses at turns that training did not show?

Each network of the `sample` is one point: what is known of it before training, what is measured after it, and how many
percentage points lower its accuracy is at the unseen quarter turns than upright. Predictors are compared by Spearman's
rank correlation ρ (Spearman 1904; ties share their mean rank), with percentile bootstrap intervals at 95 % over
networks.

The best of several predictors looks better than it is on the networks that it was chosen by. So it is also chosen on
some of them and reported on the others: on random halves, and with all networks of one kind left out.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.reproduction.results import Results, SeedRun
from explorer.reproduction.sample import BUDGETS, Member, members

DISPLACEMENT, RELATIVE = "displacement", "relative"
PREDICTORS = {
    DISPLACEMENT: "displacement of the last map (px)",
    RELATIVE: "displacement as a share of the side",
    "start-last": "error of the last map, before training",
    "start-largest": "largest error of any layer, before training",
    "start-logits": "error of the logits, before training",
    "last": "error of the last map, trained",
    "largest": "largest error of any layer, trained",
    "logits": "error of the logits, trained",
}  # and their titles; the last map is the one before the head pools
BEFORE_TRAINING = tuple(name for name in PREDICTORS if name not in ("last", "largest", "logits"))
YARDSTICK = "answers"  # no error: it needs the test pictures, but not their labels
TITLES = {**PREDICTORS, YARDSTICK: "share of answers that change with a turn, trained"}
FAMILIES: dict[str, Callable[[Member], object]] = {
    "side": lambda member: f"{member.recipe.size_px} px",
    "way": lambda member: "resized" if member.recipe.how == "resize" else "cut or padded",
    "head": lambda member: member.pooling.replace("-", " "),
    "width": lambda member: "narrow" if member.recipe.minimum_width else "wide",
    "group": lambda member: member.group,
    "network": lambda member: member.family,
}  # what members are left out by
LEAST_UPRIGHT = 50.0  # percent: a network that reads fewer digits than half has learned too little to lose any
LEAST = 8  # approximate networks; of fewer nothing is said
LEAST_LEFT_OUT = 4  # networks that a correlation is reported on
RESAMPLES = 1000
HALVINGS = 1000
_MIDDLE_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class LossPoint:
    """One network: what might predict, and what is lost, in percentage points. `upright` is its accuracy in percent."""

    member: Member
    values: Mapping[str, float]
    lost: float
    upright: float


@dataclass(frozen=True)
class Correlation:
    """ρ over `count` networks with its interval; None where a value never changes or there are too few."""

    count: int
    rho: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """ρ on networks that had no part in choosing the predictor.

    halves: median over random halves and the middle 95 %; chosen: how often each was the best on the other half, 0..1.
    left_out: by kind of network, the predictor that was the best on all others, and its ρ there.
    """

    halves: Correlation
    chosen: Mapping[str, float]
    left_out: Mapping[str, tuple[str, Correlation]]


@dataclass(frozen=True)
class LossPrediction:
    """What is found. points: approximate networks; exact: the exact ones; poor: those left out, see LEAST_UPRIGHT.

    approximate, together, apart: ρ by predictor, of `points`, with the exact ones, and of the points of each family.
    """

    points: tuple[LossPoint, ...]
    exact: tuple[LossPoint, ...]
    poor: tuple[LossPoint, ...]
    approximate: Mapping[str, Correlation]
    together: Mapping[str, Correlation]
    apart: Mapping[str, Mapping[str, Correlation]]
    held_out: HeldOut | None

    @property
    def exact_lost(self) -> float | None:
        """The most that an exact network loses, in percentage points; None of none."""
        return max((point.lost for point in self.exact), default=None)

    @property
    def best(self) -> str | None:
        """The predictor whose ρ is largest on the approximate networks, whatever its sign."""
        known = {name: abs(each.rho) for name, each in self.approximate.items() if each.rho is not None}
        candidates = [name for name in PREDICTORS if name in known]
        return max(candidates, key=known.__getitem__, default=None)


def points_of(results: Results, sample: Iterable[Member]) -> tuple[LossPoint, ...]:
    """Those that were run; over several seeds, means."""
    return tuple(
        _point(member, tuple(results.cases[member.key].values())) for member in sample if results.cases.get(member.key)
    )


def analysed(points: Sequence[LossPoint]) -> LossPrediction:
    """The correlations of these networks."""
    poor = tuple(point for point in points if point.upright < LEAST_UPRIGHT)
    points = [point for point in points if point not in poor]
    approximate = [point for point in points if not point.member.is_exact]
    families = dict.fromkeys(point.member.family for point in approximate)
    return LossPrediction(
        tuple(approximate),
        tuple(point for point in points if point.member.is_exact),
        poor,
        {name: correlation(approximate, name) for name in TITLES},
        {name: correlation(points, name) for name in TITLES},
        {family: {name: correlation(of(approximate, family), name) for name in TITLES} for family in families},
        held_out(approximate) if len(approximate) >= LEAST else None,
    )


def prediction_of(results: Results) -> LossPrediction:
    """The analysis of what was run of its budget."""
    return analysed(points_of(results, members(BUDGETS[results.budget])))


def correlation(points: Sequence[LossPoint], name: str, *, seed: int = 0) -> Correlation:
    """ρ of one predictor with what is lost; `seed` is of the resampling."""
    count = len(points)
    if count < LEAST_LEFT_OUT:
        return Correlation(count, None)
    values, lost = _columns(points, name)
    rho = spearman(values, lost)
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    resampled = spearman(values[drawn], lost[drawn])
    if not np.isfinite(rho):
        return Correlation(count, None)
    low, high = np.nanpercentile(resampled, _MIDDLE_PERCENT)
    return Correlation(count, float(rho), float(low), float(high))


def held_out(points: Sequence[LossPoint], *, seed: int = 0) -> HeldOut:
    """What the best predictor is worth on networks that it was not chosen by."""
    generator = np.random.default_rng(seed)
    found, chosen = [], Counter[str]()
    for _ in range(HALVINGS):
        order = generator.permutation(len(points))
        half = len(points) // 2
        name, rho = _chosen_and_tried([points[at] for at in order[:half]], [points[at] for at in order[half:]])
        chosen[name] += bool(name)
        found += [rho] if np.isfinite(rho) else []
    halves = Correlation(len(points) - len(points) // 2, None)
    if found:
        low, high = np.percentile(found, _MIDDLE_PERCENT)
        halves = Correlation(halves.count, float(np.median(found)), float(low), float(high))
    shares = {name: chosen[name] / HALVINGS for name in PREDICTORS if chosen[name]}
    return HeldOut(halves, shares, _left_out(points))


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> Any:
    """(…,): rank correlation along the last axis; NaN where one of the two never changes."""
    x, y = _centred_ranks(first), _centred_ranks(second)
    with np.errstate(invalid="ignore"):
        return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks about their mean; equal values share their mean rank."""
    rows, columns = values[..., :, None], values[..., None, :]
    return ((rows > columns).sum(-1) - (rows < columns).sum(-1)) / 2.0


def _left_out(points: Sequence[LossPoint]) -> dict[str, tuple[str, Correlation]]:
    found = {}
    for kind in FAMILIES.values():
        for value in dict.fromkeys(kind(point.member) for point in points):
            inside = [point for point in points if kind(point.member) == value]
            others = [point for point in points if kind(point.member) != value]
            if min(len(inside), len(others)) < LEAST_LEFT_OUT:
                continue
            name, rho = _chosen_and_tried(others, inside)
            if name:
                found[str(value)] = name, Correlation(len(inside), float(rho) if np.isfinite(rho) else None)
    return found


def _chosen_and_tried(chosen_by: Sequence[LossPoint], tried_on: Sequence[LossPoint]) -> tuple[str, float]:
    """The best predictor of the first networks, and its ρ on the second: positive where its sign is the same there."""
    rhos = {name: float(spearman(*_columns(chosen_by, name))) for name in PREDICTORS}
    known = {name: rho for name, rho in rhos.items() if np.isfinite(rho)}
    if not known:
        return "", float("nan")
    name = max(known, key=lambda each: abs(known[each]))
    return name, float(np.sign(known[name]) * spearman(*_columns(tried_on, name)))


def _columns(points: Sequence[LossPoint], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([point.values[name] for point in points]), np.array([point.lost for point in points])


def of(points: Iterable[LossPoint], family: str) -> list[LossPoint]:
    """Those of one family of the catalog."""
    return [point for point in points if point.member.family == family]


def _point(member: Member, runs: Sequence[SeedRun]) -> LossPoint:
    upright = fmean(100 * run.final.accuracy["identity"] for run in runs)
    unseen = fmean(100 * run.final.unseen_accuracy for run in runs)
    by_run = [_errors(run) for run in runs]
    values = {name: fmean(each[name] for each in by_run) for name in by_run[0]}
    values |= {DISPLACEMENT: member.displacement_px, RELATIVE: member.displacement_px / member.recipe.size_px}
    return LossPoint(member, values, round(upright - unseen, 6), upright)


def _errors(run: SeedRun) -> dict[str, float]:
    """By predictor, but for theory's; those of rounding are 0, so that no rank is made of them."""
    found = {YARDSTICK: 1.0 - run.final.agreement}
    last = [name for name in run.errors if name != "logits" and not name.startswith("head.")][-1]
    for prefix, at in (("start-", 0), ("", -1)):
        errors = {name: _beyond_rounding(points[at]) for name, points in run.errors.items()}
        layers = [error for name, error in errors.items() if name != "logits"]
        found |= {f"{prefix}last": errors[last], f"{prefix}largest": max(layers), f"{prefix}logits": errors["logits"]}
    return found


def _beyond_rounding(error: float | None) -> float:
    """An error that could not be kept is larger than all others."""
    if error is None:
        return math.inf
    return error if error > ROUNDING_LEVEL["float32"] else 0.0
