"""The layer view: every layer's maps and errors, drawn in the browser; it knows no Streamlit.

`packing.pack_view` makes the payload. A host loads `script()` as an ES module, puts `style()` beside an element, and
calls, as browser/view.js describes:

    const view = createView(element, { onLayer: (layer) => …, onPage: …, onEnlarge: … });
    view.show(payload);    // a Uint8Array

Colours and fonts are CSS variables of the element, those of THEME_VARIABLES.
"""

from functools import cache
from pathlib import Path

from explorer.layer_view.modules import one_script

BROWSER_FOLDER = Path(__file__).parent / "browser"
# Named as Streamlit names them. The last four may be missing.
THEME_VARIABLES = (
    "--st-background-color",
    "--st-secondary-background-color",
    "--st-text-color",
    "--st-border-color",
    "--st-primary-color",
    "--st-font",
    "--st-code-font",
    "--st-chart-sequential-colors",
    "--st-chart-diverging-colors",
    "--st-gray-text-color",
    "--st-base-radius",
    "--st-button-radius",
)
_STYLES = ("view.css", "maps.css")


@cache
def script() -> str:
    """An ES module that needs no other; it exports `createView`."""
    return one_script(BROWSER_FOLDER / "view.js")


@cache
def style() -> str:
    """The style sheet, for the document or the shadow root that the element is in."""
    return "\n".join((BROWSER_FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)
