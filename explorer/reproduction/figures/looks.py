"""One colour, one symbol and one dash for each network, the same in every figure of the Paper page."""

from dataclasses import dataclass

from explorer.figures.style import BLUE, GREEN, GREY, OCHRE, ORANGE, PURPLE, TEAL, VIOLET
from explorer.reproduction.studies import Case
from models import catalog


@dataclass(frozen=True)
class Look:
    """How a network is drawn."""

    colour: str
    symbol: str
    dash: str


EXACT = Look(BLUE, "circle", "solid")
APPROXIMATE = Look(ORANGE, "square", "dashdot")  # 29 px, and every other odd side but 27
APPROXIMATE_27 = Look(PURPLE, "triangle-up", "dash")
PLAIN = Look(GREY, "x", "dot")
MENDED = Look(TEAL, "star", "solid")
BLURRED = Look(OCHRE, "pentagon", "longdash")
# The other two heads, where all are of one size; the mean first is the approximate network of the claims.
MAXIMUM_FIRST, NO_POOLING = Look(GREEN, "triangle-down", "dash"), Look(VIOLET, "hourglass", "dot")
_OTHER_HEADS = {catalog.MAXIMUM_FIRST: MAXIMUM_FIRST, catalog.NO_POOLING: NO_POOLING}
AUTHORS = "diamond-open"


def look_of(case: Case) -> Look:
    """By what the network is, whatever the study."""
    recipe = case.recipe
    if recipe.network.startswith("z2"):
        return PLAIN
    if recipe.subsampling == "symmetric":
        return MENDED
    if recipe.subsampling == "antialiased":
        return BLURRED
    if case.is_exact:
        return EXACT
    if recipe.head in _OTHER_HEADS:
        return _OTHER_HEADS[recipe.head]
    return APPROXIMATE_27 if recipe.size_px == 27 else APPROXIMATE
