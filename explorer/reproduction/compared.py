"""Cases that one sentence compares: all of its figures come from the same seeds."""

from dataclasses import dataclass

from explorer.reproduction.results import Results
from explorer.reproduction.statistics import Difference, Sample, difference
from explorer.reproduction.words import percent, seeds_in

Of = tuple[str, bool]  # the key of a case, and whether its runs are taken as they were before training


@dataclass(frozen=True)
class Comparison:
    """Results of some cases, of the seeds that all of them have."""

    results: Results
    seeds: tuple[int, ...]

    def sample(self, case: str | Of, measure: str) -> Sample:
        """The figures of a case."""
        return _sample(self.results, case, measure).of(self.seeds)

    def mean(self, case: str | Of, measure: str) -> float:
        """Their mean, in percent."""
        values = self.sample(case, measure).values
        return sum(values) / len(values)

    def percent(self, case: str | Of, measure: str) -> str:
        """The same in words."""
        return percent(self.mean(case, measure))

    def difference(self, case: str | Of, other: str | Of, measure: str) -> Difference:
        """How much more of the test digits `case` reads than `other`."""
        return difference(self.sample(case, measure), self.sample(other, measure))

    @property
    def count(self) -> str:
        """How many seeds, in words."""
        return seeds_in(len(self.seeds))


def compared(results: Results | None, *cases: str | Of, measure: str = "identity") -> Comparison | None:
    """The cases over the seeds for which all of them have the measure; None without such a seed."""
    if results is None or not cases:
        return None
    seeds = set.intersection(*(set(_sample(results, case, measure).percents) for case in cases))
    return Comparison(results, tuple(sorted(seeds))) if seeds else None


def _sample(results: Results, case: str | Of, measure: str) -> Sample:
    key, is_first = (case, False) if isinstance(case, str) else case
    return results.sample(key, measure, first=is_first)
