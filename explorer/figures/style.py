"""The look of all figures: the palette, the floors of logarithmic axes, and what their layouts share. No Plotly.

Colours are readable on white and on near-black, and apart for colour-blind readers. Fonts and the colours of axes are
the page's. What is told apart by colour is told apart by a symbol, a dash or a pattern, too.
"""

BLUE, ORANGE, TEAL, PURPLE, GREY = "#3b72d5", "#d9782b", "#2a9d8f", "#b0448f", "#8b929c"
OCHRE, VIOLET, GREEN, BROWN = "#c09910", "#6f5bd6", "#5c8a2a", "#a0522d"
RED = "#e5263c"  # where theory and measurement disagree, and for nothing else
INK, PAPER = "#14181d", "#f5f7fa"
WHITE, CLEAR = "#ffffff", "rgba(0,0,0,0)"

# Values about zero: orange is negative, blue positive.
DIVERGING = ("#8a3b00", ORANGE, "#f1e9e2", "#4a80da", "#16408c")
# Errors, each from its smallest to its largest: within rounding and beyond it, on marks and where the page shines
# through. The step between the two is where rounding ends.
WITHIN_ROUNDING, BEYOND_ROUNDING = ("#c6d1e1", "#93a5c1"), ("#f6d3b0", "#b8530f")
DARKENING = ("#f6d9bd", "#8a3b00")
# Areas under signs.
PALE_AREAS, NO_AREA = ("#8fb0e0", "#e0ae86", "#a9cdc6", "#cfa6c4"), "#e2e5ea"

# What an error of zero is drawn as on a logarithmic axis, by the precision that it was measured in.
FLOORS = {"float64": 1e-17, "float32": 1e-9}
# The same where the floor is the middle of a circle or the end of a colour scale: rounding stays a visible part of it.
INNERMOST = {"float64": 1e-17, "float32": 1e-8}

MARGIN = {"l": 56, "r": 12, "t": 8, "b": 44}
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
HOVER = {"bgcolor": INK, "font": {"color": PAPER}}


def shade(opacity: float) -> str:
    """A grey for bands, lines and grids that is seen on white and on near-black; opacity 0..1."""
    return f"rgba(128,140,160,{opacity:g})"


def faint(colour: str, opacity: float) -> str:
    """A colour of the palette, `#rrggbb`, through which what lies below is seen; opacity 0..1."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
