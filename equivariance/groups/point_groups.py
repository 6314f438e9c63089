"""Point groups of the plane and their elements.

An element mirrors left-right first (if it mirrors at all) and then turns counterclockwise. This is the order of
`escnn.group.dihedral_group`, whose element (m, k) is the mirror applied m times, then k turns.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from equivariance.errors import GroupError

_NAME = re.compile(r"(?:mirror|(?:mirror_)?rot(?P<angle_deg>\d+(?:\.\d+)?))")


@dataclass(frozen=True)
class Element:
    """One element of O(2): a mirror left-right (if `mirrored`), then a counterclockwise turn by `angle_deg`."""

    angle_deg: float = 0.0
    mirrored: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "angle_deg", float(self.angle_deg) % 360.0 % 360.0)  # twice: -1e-20 % 360 is 360

    @classmethod
    def parse(cls, name: str) -> "Element":
        """The element called `name`: identity, rot90, mirror, mirror_rot90, rot22.5; raises ValueError otherwise."""
        if name == "identity":
            return cls()
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(name)
        return cls(float(match["angle_deg"] or 0), mirrored=name.startswith("mirror"))

    @property
    def name(self) -> str:
        """Unique readable name, in the order of application: `mirror_rot90` mirrors first, then turns."""
        turn = f"rot{Decimal(repr(self.angle_deg)).normalize():f}" if self.angle_deg else ""  # every digit, no exponent
        return "_".join(part for part in ("mirror" if self.mirrored else "", turn) if part) or "identity"

    def after(self, first: "Element") -> "Element":
        """The composition that applies `first`, then this element."""
        turned_deg = -first.angle_deg if self.mirrored else first.angle_deg
        return Element(self.angle_deg + turned_deg, self.mirrored != first.mirrored)

    @property
    def inverse(self) -> "Element":
        """The element that undoes this one; every mirrored element undoes itself."""
        return self if self.mirrored else Element(-self.angle_deg)

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves."""
        return not self.mirrored and self.angle_deg == 0.0

    @property
    def moves_pixels(self) -> bool:
        """Whether pixels land on pixels (quarter turns and mirrors), so that nothing is resampled."""
        return self.angle_deg % 90.0 == 0.0

    @property
    def swaps_axes(self) -> bool:
        """Whether height and width change places (quarter turns and transpositions)."""
        return self.angle_deg % 180.0 == 90.0

    @property
    def reversed_axes(self) -> tuple[bool, bool]:
        """Whether (height, width) of the upright picture are reversed before the axes are swapped.

        Only defined for elements that move pixels. A quarter turn is the width reversed, then a transposition.
        """
        quarter_turns = round(self.angle_deg / 90.0) % 4
        return quarter_turns in (2, 3), (quarter_turns in (1, 2)) != self.mirrored


IDENTITY = Element()
_ROUNDING_DEG = 1e-6


def _is_nothing(angle_deg: float) -> bool:
    """Whether a turn by an angle is none, but for rounding."""
    return abs((angle_deg + 180.0) % 360.0 - 180.0) < _ROUNDING_DEG


@dataclass(frozen=True)
class PointGroup:
    """C_n, D_n, SO(2) or O(2): `rotations` turns (None: all angles), with mirrors or without.

    mirror_deg: the turn after the mirror left-right that gives the first mirror of this group; 0: the mirror left-right
    itself, 180: the mirror top-bottom.
    """

    name: str
    rotations: int | None
    mirrors: bool = False
    mirror_deg: float = 0.0

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """All elements, in the order of regular fields: turns, then mirrored turns; ValueError for SO(2) and O(2)."""
        if self.rotations is None:
            raise ValueError(f"{'O' if self.mirrors else 'SO'}(2) has no list of elements")
        step_deg = 360.0 / self.rotations
        turns = [k * step_deg for k in range(self.rotations)]
        mirrored = [Element(turn + self.mirror_deg, mirrored=True) for turn in turns if self.mirrors]
        return (*map(Element, turns), *mirrored)

    @cached_property
    def pixel_exact_elements(self) -> tuple[Element, ...]:
        """The elements, identity first, that move pixels to pixels: the largest subgroup of D4 in this group."""
        turns = (0.0, 90.0, 180.0, 270.0)
        candidates = [Element(turn, mirrored) for mirrored in (False, True) for turn in turns]
        return tuple(element for element in candidates if element in self)

    @property
    def is_trivial(self) -> bool:
        """Whether it holds the identity alone: the point group of a network that knows of translations only."""
        return self.rotations == 1 and not self.mirrors

    def __contains__(self, element: Element) -> bool:
        if element.mirrored and not self.mirrors:
            return False
        angle_deg = element.angle_deg - self.mirror_deg if element.mirrored else element.angle_deg
        return self.rotations is None or _is_nothing(angle_deg * self.rotations)

    def index(self, element: Element) -> int:
        """Position of `element` in `elements`; angles may be off by rounding. Raises ValueError for no element."""
        for position, other in enumerate(self.elements):
            if other.mirrored == element.mirrored and _is_nothing(other.angle_deg - element.angle_deg):
                return position
        raise ValueError(f"{element.name} is no element of {self.name}")

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)


Z2 = PointGroup("z2", 1)
C4 = PointGroup("c4", 4)
D4 = PointGroup("d4", 4, mirrors=True)
C8 = PointGroup("c8", 8)
D8 = PointGroup("d8", 8, mirrors=True)
SO2 = PointGroup("so2", None)
O2 = PointGroup("o2", None, mirrors=True)
_GROUP = re.compile(r"(?P<kind>[CD])(?P<turns>[1-9]\d{0,2})", re.IGNORECASE)
_NAMED = {"Z2": Z2, "SO2": SO2, "SO(2)": SO2, "O2": O2, "O(2)": O2, "C1": Z2}


def group_called(name: str) -> PointGroup:
    """The group called `name`: Z2, Cn, Dn (D1 is the mirror alone), SO2 or O2; raises GroupError otherwise.

    >>> group_called("D4").order
    8
    """
    if name.upper() in _NAMED:
        return _NAMED[name.upper()]
    match = _GROUP.fullmatch(name)
    if match is None:
        raise GroupError(f"There is no group {name!r}: use Z2, C2, C4, C8, D1 (the mirror), D2, D4, D8, SO2 or O2.")
    return PointGroup(name.lower(), int(match["turns"]), match["kind"].upper() == "D")
