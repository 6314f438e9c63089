"""Mends: what can be done about a network that is not exact at a size, and what each costs, in one table and plot."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer.pages.mends.controls import controls
from explorer.pages.session.shared import steady
from explorer.pages.widgets.charts import draw_chart
from explorer.pages.widgets.problems import expected_errors

if TYPE_CHECKING:  # it imports torch
    from explorer.pages.mends.live import MendRow

_EXPLANATION = (
    (
        "Resize",
        "The picture gets a side at which every sampling grid is centred. It is resampled, and the feature maps "
        "change their sides.",
    ),
    (
        "Pad, crop",
        "Like resize, but without resampling. An odd number of pixels cannot be split evenly between two sides: the "
        "picture is then half a pixel off centre, and the network is exact on the padded picture but not on yours.",
    ),
    (
        "Other padding",
        "A layer with stride s that gives m pixels covers L = s(m−1) + k of its n. Padded by (L−n)/2 on both sides it "
        "is centred. An odd L−n has no half, and for even strides no number of output pixels changes that.",
    ),
    (
        "Larger kernels",
        "A kernel one pixel larger has the other parity. For a convolution it is made from the layer's own weights, "
        "spread over 2×2 pixels: the mean of neighbours and the kernel in one. A max-pool takes in one more pixel.",
    ),
    (
        "Symmetric subsampling",
        "The same mean of neighbours, but taken first, on the real pixels, with padding afterwards: only values at "
        "the border differ, and the layer itself stays as it is.",
    ),
    (
        "BlurPool (Zhang 2019)",
        "Layers run at stride 1, and a blur samples their output. It is meant for shifts and does not centre the "
        "grids.",
    ),
)


def page() -> None:
    """Title, explanation, table, plot; rows come one after the other."""
    view = controls()
    st.markdown(f"### Mends for `{view.network.name}` at {view.side_px} px")
    st.markdown(
        "How much the logits change when the picture is transformed, as a share of their length. Quarter turns move "
        "pixels; other angles (15° to 75°) resample them, inside a disc; shifts are by one to three pixels. The "
        "picture is transformed first and brought to size afterwards, so what a mend does to the picture counts."
    )
    progress, table = steady("mends-work", height_rem=3).empty(), st.empty()
    progress.progress(0.0, text="Starting …")
    from explorer.pages.mends import live  # late: it imports torch, which takes seconds

    rows: list[MendRow] = []
    with expected_errors():
        for done, rows in live.rows_of(view):
            progress.progress(done / len(rows), text=f"{done} of {len(rows)} mends")
            table.table(live.table_of(rows), hide_index=True, border="horizontal")
        progress.caption("All mends are measured.")
    rows = [row for row in rows if not row.is_open]  # where an error came before the end
    if not rows:
        progress.empty()
        return
    draw_chart(live.chart(rows), key="mends-chart", about=f"{view.network.name} {view.side_px}")
    st.download_button(
        "Download as CSV",
        live.csv_of(rows),
        f"mends-{view.network.name}-{view.side_px}px.csv",
        "text/csv",
        icon=":material/download:",
        help="The table with all digits.",
    )
    with st.expander("What each mend does"):
        st.markdown("\n".join(f"- **{name}.** {text}" for name, text in _EXPLANATION))


page()
