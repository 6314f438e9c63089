"""Our figures beside the authors': rows, and the table that the command line prints."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.reproduction.authors import AuthorsFigure
from explorer.reproduction.results import Results
from explorer.reproduction.statistics import MEASURES, Summary, summarise, welch
from explorer.reproduction.studies import Case, Study
from explorer.reproduction.words import signed

NOT_RUN = "not run"


def measures_of(study: Study) -> tuple[str, ...]:
    """The figures of a study. No turn is unseen where training turned the digits; not all test at 36 angles."""
    recipes = [case.recipe for case in study.cases]
    left_out = set() if all(recipe.rotation == "none" for recipe in recipes) else {"unseen"}
    if not any(recipe.angles_every for recipe in recipes):
        left_out |= {"angle40", "angles"}
    return tuple(name for name in MEASURES if name not in left_out)


@dataclass(frozen=True)
class Cell:
    """One figure in percent: ours over the seeds that were run, None of none; the authors', None where they have none.

    authors_runs: how many theirs is the mean of.
    """

    measure: str
    ours: Summary | None
    authors: AuthorsFigure | None
    authors_runs: int = 0

    @property
    def difference(self) -> float | None:
        """Ours less the authors', in percentage points."""
        return None if self.ours is None or self.authors is None else self.ours.mean - self.authors.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """Welch's, of the difference: their runs are not ours. None with too few seeds for one."""
        if self.ours is None or self.authors is None:
            return None
        return welch(self.ours, self.authors.mean, self.authors.sd, self.authors_runs)

    @property
    def is_apart(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Row:
    """A case, the seeds that were run, and its figures by MEASURES."""

    study: Study
    case: Case
    seeds: int
    cells: tuple[Cell, ...]
    is_first: bool = False  # before fine-tuning

    @property
    def title(self) -> str:
        """Short; of weights before fine-tuning without the number of steps."""
        return f"{self.case.title.rpartition(',')[0]}, at once" if self.is_first else self.case.title

    @property
    def has_authors(self) -> bool:
        """Whether the authors measured the case."""
        return any(cell.authors is not None for cell in self.cells)


def rows_of(results: Results, studies: Iterable[Study]) -> Iterator[Row]:
    """A row for each case, and one for weights as they were before the first fine-tuning that starts from them."""
    for study in studies:
        begun = set[tuple[str, str]]()
        for case in study.cases:
            start = (case.base, case.recipe.subsampling)
            if case.base and start not in begun:
                begun.add(start)
                yield _row(results, study, case, is_first=True)
            yield _row(results, study, case, is_first=False)


def _row(results: Results, study: Study, case: Case, *, is_first: bool) -> Row:
    authors = case.authors
    cells = []
    for measure in measures_of(study):
        values = results.percents(case.key, measure, first=is_first)
        figure = None if authors is None else authors.figures[measure]
        cells.append(Cell(measure, summarise(values) if values else None, figure, authors.runs if authors else 0))
    return Row(study, case, len(results.cases.get(case.key, {})), tuple(cells), is_first)


def document(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as JSON takes them."""
    return [
        {
            "study": row.study.name,
            "case": row.case.key,
            "title": row.title,
            "seeds": row.seeds,
            "before_training": row.is_first,
            "figures": {cell.measure: _cell_document(cell) for cell in row.cells},
        }
        for row in rows
    ]


def text(rows: Sequence[Row], *, seeds: int) -> str:
    """A table for each study: three lines for each case, ours, the authors' and the difference."""
    lines: list[list[str]] = []
    for number, row in enumerate(rows):
        if number == 0 or rows[number - 1].study != row.study:
            lines += [[], [row.study.title, "", *(MEASURES[name] for name in measures_of(row.study))]]
        shown = f"ours ({row.seeds} of {seeds})" if row.seeds < seeds else f"ours ({row.seeds})"
        if not row.seeds:
            lines.append([row.title, NOT_RUN])
        else:
            lines.append([row.title, shown, *(_ours(cell.ours) for cell in row.cells)])
        if row.has_authors:
            lines.append(["", "authors", *(_authors(cell.authors) for cell in row.cells)])
        if row.has_authors and row.seeds:
            lines.append(["", "difference", *(apart(cell) for cell in row.cells)])
    return _aligned(lines[1:])


def _cell_document(cell: Cell) -> dict[str, Any]:
    ours, authors = cell.ours, cell.authors
    return {
        "ours": ours and {"mean": ours.mean, "sd": ours.sd, "low": ours.low, "high": ours.high, "values": ours.values},
        "authors": authors and {"mean": authors.mean, "sd": authors.sd},
        "difference": cell.difference,
        "interval": cell.interval,
    }


def _ours(figure: Summary | None) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:.1f}" if figure.sd is None else f"{figure.mean:.1f} ± {figure.sd:.1f}"


def _authors(figure: AuthorsFigure | None) -> str:
    return "" if figure is None else f"{figure.mean:.1f} ± {figure.sd:.1f}"


def apart(cell: Cell) -> str:
    """The difference; with a star where its interval leaves out zero."""
    return "" if cell.difference is None else f"{signed(cell.difference)}{'*' * cell.is_apart}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    columns = max((len(line) for line in lines), default=0)
    widths = [max((len(line[column]) for line in lines if column < len(line)), default=0) for column in range(columns)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines
    )
