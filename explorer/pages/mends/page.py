"""Mends: what can be done about a network that is not exact at a size, and what each costs, in one table and plot."""

import csv
import io
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import streamlit as st

from explorer.pages.look.sheet import Chart, draw_chart
from explorer.pages.session.shared import steady
from explorer.pages.widgets.controls import fit_control, network_controls, picture_controls, size_control
from explorer.pages.widgets.problems import expected_errors
from explorer.pages.widgets.trained import Trained
from explorer.pages.widgets.weights_controls import more_controls, weights_control
from explorer.pictures.images import Fit, Picture
from models.catalog import NetworkSpec

_FORMATS = {"quarter turns": "{:.1e}", "other angles": "{:.2f}", "shifts": "{:.2f}", "time": "{:.2f} ×"}
_EXPLANATION = (
    (
        "Resize",
        "The picture gets a side at which every sampling grid is centred. It is resampled, and the feature maps "
        "change their sides.",
    ),
    (
        "Pad, crop",
        "As resize, without resampling. An odd number of pixels cannot be shared between two sides: then the picture "
        "is half a pixel off the centre, and the network is exact on the padded picture but not on yours.",
    ),
    (
        "Other padding",
        "A layer with stride s that gives m pixels covers L = s(m−1) + k of its n. Padded by (L−n)/2 on both sides it "
        "is centred. An odd L−n has no half, and for even strides no number of output pixels changes that.",
    ),
    (
        "Larger kernels",
        "A kernel one pixel larger has the other parity. That of a convolution is made from its own weights, spread "
        "over 2×2 pixels: the mean of neighbours and the kernel in one. A max-pool looks at one pixel more.",
    ),
    (
        "Symmetric subsampling",
        "The same mean of neighbours first, on the picture's own pixels, and padding afterwards: another value at the "
        "border alone, and the layer itself stays what it is.",
    ),
    (
        "BlurPool (Zhang 2019)",
        "Layers run at stride 1 and a blur samples them. Made against shifts; it does not centre the grids.",
    ),
)


@dataclass(frozen=True)
class Case:
    """What the controls choose; always a square picture, and the network as published."""

    network: NetworkSpec
    seed: int
    dtype: str
    picture: Picture
    side_px: int
    how: Fit
    trained: Trained | None


def page() -> None:
    """Title, explanation, table, plot; rows come one after the other."""
    case = _controls()
    st.markdown(f"### Mends for `{case.network.name}` at {case.side_px} px")
    st.markdown(
        "How much the logits change when the picture changes, as a share of their length. Quarter turns move pixels; "
        "other angles (15° to 75°) resample them, inside a disc; shifts are by one to three pixels. The picture is "
        "changed first and brought to size afterwards, so what a mend does to the picture counts."
    )
    progress, table = steady("mends-work", height_rem=3).empty(), st.empty()
    progress.progress(0.0, text="Starting …")
    rows: list[dict[str, Any]] = []
    with expected_errors():
        for done, rows in _computing().rows_of(case):
            progress.progress(done / len(rows), text=f"{done} of {len(rows)} mends")
            table.table(_written(rows), hide_index=True, border="horizontal")
        progress.caption("All mends are measured.")
    rows = [row for row in rows if row["time"] != "…"]  # where an error came before the end
    if not rows:
        progress.empty()
        return
    chart = Chart(_computing().figure_of(rows), _words(rows))
    draw_chart(chart, key="mends-chart", about=f"{case.network.name} {case.side_px}")
    st.download_button(
        "Download as CSV",
        _csv(rows),
        f"mends-{case.network.name}-{case.side_px}px.csv",
        "text/csv",
        icon=":material/download:",
        help="The table with all digits.",
    )
    with st.expander("What each of them does"):
        st.markdown("\n".join(f"- **{name}.** {text}" for name, text in _EXPLANATION))


def _computing() -> ModuleType:
    from explorer.pages.mends import live as mends_live

    return mends_live


def _controls() -> Case:
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        _, pictures, number = picture_controls()
        network = network_controls(subsampling=False)
        trained = weights_control()
        side_px = size_control()
        how = fit_control()
        network, trained, seed, dtype = more_controls(network, trained)
    return Case(network, seed, dtype, pictures[number], side_px, how, trained)


def _written(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """As text; a mend that there is not has no figures, and one that is not measured yet has none so far."""
    return [{name: _as_text(name, value) for name, value in row.items()} for row in rows]


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else _FORMATS[name].format(value)


def _words(rows: list[dict[str, Any]]) -> str:
    said = "; ".join(
        f"{row['mend']}: {row['quarter turns']:.1e}, {row['other angles']:.2f}, {row['shifts']:.2f}"
        for row in rows
        if row["sides"]
    )
    return f"Change of the logits under quarter turns, other angles and shifts. {said}."


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


page()
