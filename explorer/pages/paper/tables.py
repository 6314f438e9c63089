"""Tables of the Paper page as HTML: ours, the authors' and the difference, one above the other in each cell.

They scroll sideways on a narrow page, can be reached by Tab there, and are read by a screen reader as tables.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape

from explorer.reproduction.authors import AuthorsFigure
from explorer.reproduction.beyond import TREATMENTS, Head, Tuned
from explorer.reproduction.sides import Sides
from explorer.reproduction.statistics import MEASURES, Summary
from explorer.reproduction.tables import NOT_RUN, Cell, Row, apart
from explorer.reproduction.words import lower_bound, points, upper_bound

_STYLE = """<style>
.paper-table { overflow-x: auto; margin: 0 0 .5rem; }
.paper-table table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92em; }
.paper-table caption { text-align: left; padding: 0 0 .35rem; }
.paper-table th, .paper-table td { padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top;
  white-space: nowrap; border-bottom: 1px solid rgba(128, 140, 160, .35); line-height: 1.5; }
.paper-table tbody th { font-weight: 600; }
.paper-table span { display: block; font-weight: 400; opacity: .8; }
.paper-table span.ours { font-weight: 500; opacity: 1; }
</style>"""


def figures_table(rows: Sequence[Row], caption: str) -> str:
    """A row for each case; fewer seeds than the case that has most are said."""
    seeds = max(row.seeds for row in rows)
    measures = [cell.measure for cell in rows[0].cells]
    head = "".join(f'<th scope="col">{escape(MEASURES[name])}</th>' for name in measures)
    body = "".join(_row(row, seeds) for row in rows)
    return _table(caption, f"<tr><td></td>{head}</tr>", body)


def tunings_table(tuned: Sequence[Tuned]) -> str:
    """For each treatment and number of steps: what changes at unseen turns and upright, in points with intervals."""
    body = []
    for each in tuned:
        title, base = TREATMENTS[each.treatment]
        side = base.rpartition("-")[2]
        steps = f"{each.steps} steps" if each.steps else "at once"
        cells = (steps, points(each.unseen), points(each.upright), str(each.seeds))
        body.append(_plain_row(f"{title}, {side} px", cells))
    titles = ("weights", "fine-tuned", "unseen turns", "upright", "seeds")
    return _table("Difference from the weights as trained, 95 % interval", _head(titles), "".join(body))


def heads_table(heads: Sequence[Head]) -> str:
    """For each head and side: accuracy at the turns, agreement, and errors after training."""
    body = []
    for each in heads:
        accuracies = (*each.turns, each.unseen, each.agreement)
        errors = (_error(each.maps), _error(each.logits))
        body.append(
            _plain_row(
                f"{each.head}, {each.side_px} px", (*(f"{value:.1f}" for value in accuracies), *errors, str(each.seeds))
            )
        )
    titles = ("head", "0°", "90°", "180°", "270°", "unseen", "agreement", "error of maps", "of logits", "seeds")
    caption = "Accuracy and agreement over the four turns (%), errors after training; means over seeds"
    return _table(caption, _head(titles), "".join(body))


def sides_table(sides: Sides) -> str:
    """For each network: the condition, the exact sizes that were measured, and the errors there and elsewhere."""
    body = []
    for network in sides.networks:
        exact = [side for side in network.sides if side.is_exact]
        others = [side for side in network.sides if not side.is_exact]
        cells = (
            network.condition,
            _listed([side.size_px for side in exact]),
            f"{network.sides[0].size_px} to {network.sides[-1].size_px}",
            f"at most {upper_bound(max(side.error for side in exact))}",
            f"at least {lower_bound(min(side.error for side in others))}",
        )
        body.append(_plain_row(network.network, cells))
    titles = ("network", "exact where the side is", "exact sizes (px)", "measured (px)", "error there", "elsewhere")
    return _table("The largest relative error over layers and quarter turns", _head(titles), "".join(body))


def _plain_row(title: str, cells: Iterable[str]) -> str:
    texts = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(title)}</th>{texts}</tr>'


def _head(titles: Iterable[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    return f"<tr>{cells}</tr>"


def _error(value: float) -> str:
    return "no action" if math.isnan(value) else f"{value:.2f}" if value >= 0.005 else upper_bound(value)


def _row(row: Row, seeds: int) -> str:
    if not row.seeds:
        lines = [("ours", NOT_RUN)]
    elif row.seeds < seeds:
        lines = [("ours", f"ours, {row.seeds} of {seeds} seeds")]
    else:
        lines = [("ours", f"ours, {row.seeds} seed{'s' * (row.seeds > 1)}")]
    if row.has_authors and row.case.authors is not None:
        lines += [("", f"authors, {row.case.authors.runs} runs"), *([("", "difference")] if row.seeds else [])]
    title = f"{escape(row.title)}{_lines(lines)}"
    cells = "".join(f"<td>{_cell(cell, row)}</td>" for cell in row.cells)
    return f'<tr><th scope="row">{title}</th>{cells}</tr>'


def _cell(cell: Cell, row: Row) -> str:
    """An empty first line, beside the title of the row, then the figures."""
    lines = [("ours", _figure(cell.ours))]
    if row.has_authors:
        lines += [("", _figure(cell.authors)), ("", apart(cell))]
    return f"&nbsp;{_lines(lines)}"


def _lines(lines: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<span class="{name}">{escape(text) or "&nbsp;"}</span>' for name, text in lines)


def _figure(figure: Summary | AuthorsFigure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:.1f}" if figure.sd is None else f"{figure.mean:.1f} ± {figure.sd:.1f}"


def _listed(numbers: Sequence[int]) -> str:
    return f"{', '.join(map(str, numbers[:4]))}, … {numbers[-1]}" if len(numbers) > 5 else ", ".join(map(str, numbers))


def _table(caption: str, head: str, body: str) -> str:
    text = escape(caption)
    return (
        f'{_STYLE}<div class="paper-table" role="region" tabindex="0" aria-label="{text}"><table><caption>{text}'
        f"</caption><thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )
