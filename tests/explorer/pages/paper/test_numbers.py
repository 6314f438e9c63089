"""The numbers of the Paper page and of the README, computed again from the files by code that shares nothing with it.

It holds for files that grow: what has no runs yet is left out, here and there.
"""

import base64
import json
import re
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.explorer.pages.paper.test_paper_page import open_page, words
from tests.support import ROOT

FOLDER = ROOT / "assets" / "results"
TURNED = ("rot90", "rot180", "rot270")
NUMBER = re.compile(r"[−+]?\d+\.\d+")
EXACT, NARROW, WIDE, PLAIN = ("exact-28", "approximate-27", "approximate-29", "plain-28")


@cache
def runs(case: str) -> dict[int, dict[str, Any]]:
    """The runs of a case by seed, as they stand in the file that the page shows first."""
    path = next(path for path in (FOLDER / "mnist.json", FOLDER / "mnist-quick.json") if path.exists())
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return {run["seed"]: run for run in cases.get(case, [])}


def shared(*cases: str) -> list[int]:
    return sorted(set.intersection(*(set(runs(case)) for case in cases)))


def percent(epoch: dict[str, Any], measure: str) -> float:
    if measure == "unseen":
        return sum(100 * epoch["accuracy"][turn] for turn in TURNED) / 3
    if measure == "upright":
        return 100 * epoch["accuracy"]["identity"]
    return 100 * (epoch["angles"][4] if measure == "40" else sum(epoch["angles"]) / 36)


def answers(epoch: dict[str, Any], measure: str) -> np.ndarray | None:
    """(P,): percent of the transforms at which a digit was read right."""
    if not epoch.get("right"):
        return None
    count, names, coded = epoch["right"].split(" ")
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(coded)), np.uint8))
    rows = dict(zip(names.split(","), bits.reshape(len(names.split(",")), -1)[:, : int(count)], strict=True))
    angles = ["identity", *(f"rot{degrees}" for degrees in range(10, 360, 10))]
    taken = {"unseen": TURNED, "upright": ["identity"], "40": ["rot40"], "all": angles}[measure]
    return 100 * sum(rows[name].astype(float) for name in taken) / len(taken)


class Pair:
    """One case less another, over some seeds: the difference and its interval as the page prints them."""

    def __init__(self, case: str, other: str, measure: str, seeds: Sequence[int], part: str = "final") -> None:
        one = [percent(runs(case)[seed][part], measure) for seed in seeds]
        two = [percent(runs(other)[seed]["final"], measure) for seed in seeds]
        self.mean = float(np.mean(one) - np.mean(two))
        self.ends: tuple[float, float] | None = None
        if len(seeds) < 3:
            return
        first = [answers(runs(case)[seed][part], measure) for seed in seeds]
        second = [answers(runs(other)[seed]["final"], measure) for seed in seeds]
        if any(each is None for each in (*first, *second)):
            spread = stats.ttest_rel(one, two).confidence_interval(0.95)
            self.ends = (float(spread.low), float(spread.high))
            return
        table = np.array(first, dtype=float) - np.array(second, dtype=float)
        s, p = table.shape
        sums = {
            "seeds": p * sum((row.mean() - table.mean()) ** 2 for row in table),
            "digits": s * sum((column.mean() - table.mean()) ** 2 for column in table.T),
        }
        sums["rest"] = float(((table - table.mean()) ** 2).sum()) - sums["seeds"] - sums["digits"]
        square = sums["seeds"] / (s - 1)
        whole = square + max(sums["digits"] / (p - 1) - sums["rest"] / ((s - 1) * (p - 1)), 0.0)
        df = min((s - 1) * (whole / square) ** 2, p - 1) if square else p - 1
        half = float(stats.t.ppf(0.975, df)) * (whole / (s * p)) ** 0.5
        self.ends = (self.mean - half, self.mean + half)

    def numbers(self, *, turned: bool = False) -> list[float]:
        """The difference, then the ends of its interval; turned: where the words say fewer."""
        ends = [] if self.ends is None else [*self.ends]
        return [-self.mean, *(-end for end in reversed(ends))] if turned else [self.mean, *ends]


def mean(case: str, measure: str, seeds: Sequence[int], part: str = "final") -> float:
    return float(np.mean([percent(runs(case)[seed][part], measure) for seed in seeds]))


def said(start: str, **parameters: str) -> str:
    """The sentence that begins so, without what the authors have."""
    (found,) = [
        each.value
        for each in open_page(**parameters).markdown
        if start in each.value and ":gray[Here]" not in each.value
    ]
    return str(found[found.index(start) :].partition(" The authors:")[0].partition(" p = ")[0])


def printed(sentence: str) -> list[float]:
    return [float(each.replace("−", "-")) for each in NUMBER.findall(sentence)]


def test_the_numbers_of_unseen_turns() -> None:
    cases = [f"upright/{name}" for name in (EXACT, NARROW, WIDE, PLAIN)]
    if not (seeds := shared(*cases)):
        pytest.skip("not all four networks were run yet")
    exact, narrow, wide, plain = cases
    expected = [mean(exact, "unseen", seeds)]
    for case in (narrow, wide):
        difference = Pair(exact, case, "unseen", seeds)
        expected += [mean(case, "unseen", seeds), *difference.numbers(turned=difference.mean < 0)]
    expected.append(mean(plain, "unseen", seeds))

    found = printed(said("On turns that training did not show", claim="Unseen turns"))

    assert found == pytest.approx(expected, abs=0.051)


def test_the_numbers_of_turned_digits() -> None:
    cases = [f"turned-20/{name}" for name in (EXACT, NARROW, WIDE, PLAIN)]
    if not (seeds := shared(*cases)):
        pytest.skip("not all four networks were run yet")
    exact, narrow, wide, plain = cases
    expected = [
        number
        for measure in ("40", "all")
        for case in (narrow, wide)
        for number in Pair(case, exact, measure, seeds).numbers()
    ]
    expected += [mean(plain, measure, seeds) for measure in ("40", "all")]

    found = printed(said("Trained on digits turned by 45° ± 20°", claim="Mismatched data"))

    assert found == pytest.approx(expected, abs=0.051)


def test_the_numbers_of_mending_after_training() -> None:
    base, at_once = "upright/approximate-29", "tuned/mended-29-50"
    mended, control = "tuned/mended-29-500", "tuned/as-it-was-29-500"
    if not (seeds := shared(base, at_once)):
        pytest.skip("nothing was fine-tuned yet")
    expected = []
    for measure in ("unseen", "upright"):
        expected.append(mean(at_once, measure, seeds, "first"))
        expected += Pair(at_once, base, measure, seeds, "first").numbers()
    if later := shared(base, mended, control):
        expected += [mean(case, measure, later) for case in (mended, control) for measure in ("unseen", "upright")]
        expected += [n for measure in ("unseen", "upright") for n in Pair(mended, control, measure, later).numbers()]

    found = said("Switched on in weights trained without it", finding="Mending").partition("\n")[0]

    assert printed(found) == pytest.approx(expected, abs=0.051)


def test_the_numbers_of_heads() -> None:
    heads = {
        "mean first": "upright/approximate-29",
        "maximum first": "heads/maximum-first-29",
        "no pooling": "heads/no-pooling-29",
    }
    there = [case for case in heads.values() if runs(case)]
    if len(there) < 2 or not (seeds := shared(*there)) or not runs("upright/approximate-29"):
        pytest.skip("the heads were not run yet")
    expected = [mean(there[0], "unseen", seeds)]
    for case in there[1:]:
        expected += [mean(case, "unseen", seeds), *Pair(case, there[0], "unseen", seeds).numbers()]

    found = said("At 29 px, right at unseen turns", finding="Order of pooling").partition(" One answer at all")
    agreements = [np.mean([100 * runs(case)[seed]["final"]["agreement"] for seed in seeds]) for case in there]

    assert printed(found[0]) == pytest.approx(expected, abs=0.051)
    assert printed(found[2].partition(" After training")[0]) == pytest.approx(agreements, abs=0.051)
    for case in there:
        logits = [runs(case)[seed]["errors"].get("logits") for seed in seeds]
        for place in (0, -1) if all(logits) else ():
            assert f"{np.mean([errors[place] for errors in logits]):.2g}" in found[2]


def test_the_numbers_of_parity() -> None:
    exact, others = "upright/exact-28", [f"parity/{name}" for name in ("resized-30", "padded-29", "padded-32")]
    there = [case for case in others if runs(case)]
    if not there or not (seeds := shared(exact, *there)):
        pytest.skip("not run yet")

    found = printed(said("Unseen turns, against the exact network", finding="Resampling or parity"))

    assert found == pytest.approx(
        [n for case in there for n in Pair(case, exact, "unseen", seeds).numbers()], abs=0.051
    )


def test_the_readme_has_the_committed_figures() -> None:
    line = " ".join((ROOT / "README.md").read_text(encoding="utf-8").partition("Seen with `reproduce mnist")[2].split())
    exact, published, mended = "upright/exact-28", "upright/approximate-29", "tuned/mended-29-500"
    if not (seeds := shared(exact, published, mended)):
        pytest.skip("nothing was fine-tuned yet")
    expected = [
        mean(exact, "unseen", seeds),
        mean(published, "unseen", seeds),
        mean(mended, "unseen", seeds, "first"),
        mean(mended, "unseen", seeds),
    ]

    assert re.findall(r"([\d.]+) %", line.partition("more steps")[0]) == [f"{each:.1f}" for each in expected]


def test_the_summary_has_the_figures_of_the_sentences() -> None:
    shown = words(open_page(claim="Unseen turns"))
    seeds = shared(*(f"upright/{name}" for name in (EXACT, NARROW, WIDE, PLAIN)))
    if not seeds:
        pytest.skip("not all four networks were run yet")
    means = [f"{mean(f'upright/{name}', 'unseen', seeds):.1f}\xa0%" for name in (EXACT, NARROW, WIDE, PLAIN)]

    assert ":gray[Here]  Exact {}, approximate {} and {}, plain {}.".format(*means) in shown
