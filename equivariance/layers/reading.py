"""Field types of escnn and e2cnn in our words, read from their objects by their names; neither is imported here."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, Regular, Representation, Scalar, tabulated
from equivariance.groups.point_groups import O2, SO2, Z2, Element, PointGroup

_PACKAGES = ("escnn", "e2cnn")
_SAME = 1e-9
_QUARTER_TURNS = tuple(range(4))


class _Itself:
    """A key of a cache that is this object and no equal one: e2cnn takes spaces with different mirrors for equal."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass(frozen=True)
class Acting:
    """A group as it acts on the plane, and each element in the words of the package that it was read from.

    Of continuous groups the elements that move pixels are listed.
    """

    group: PointGroup
    elements: tuple[tuple[Element, Any], ...]


def package_of(value: Any) -> str:
    """ "escnn" or "e2cnn" for what one of them made or whose class one of them defines, else ""."""
    root = type(value).__module__.partition(".")[0]
    return root if root in _PACKAGES else ""


def is_their_type(value: Any) -> bool:
    """Whether `value` is a field type of escnn or e2cnn."""
    return bool(package_of(value)) and type(value).__name__ == "FieldType"


def is_typed_layer(module: nn.Module) -> bool:
    """Whether `module` declares their types and has no part that declares any: a layer and no container."""
    if not is_their_type(getattr(module, "in_type", None)):
        return False
    parts = (part for part in module.modules() if part is not module)
    return all(getattr(part, "in_type", None) is None for part in parts)


def geometric(tensor: Tensor, their_type: Any) -> Any:
    """`tensor` as their GeometricTensor of `their_type`."""
    return sys.modules[f"{package_of(their_type)}.nn"].GeometricTensor(tensor, their_type)


def read_or_none(declared: Any) -> FieldType | None:
    """Our type for a declared one, ours or theirs; None for anything else, and where it cannot be read."""
    if isinstance(declared, FieldType):
        return declared
    try:
        return field_type_of(declared) if is_their_type(declared) else None
    except ValueError:
        return None


def field_type_of(their_type: Any) -> FieldType:
    """Our type for one of theirs.

    Raises ValueError, in one sentence, for groups that do not act on the plane as ours do, and for fields whose
    matrices are not orthogonal.
    """
    return _field_type_of(_Itself(their_type))


@lru_cache(maxsize=512)
def _field_type_of(key: _Itself) -> FieldType:
    their_type = key.value
    _check_plane(their_type.gspace)
    runs: list[tuple[Representation, int]] = []
    for theirs in their_type.representations:
        representation = _representation_of(_Itself(theirs), _Itself(their_type.gspace))
        if runs and runs[-1][0] == representation:
            runs[-1] = (representation, runs[-1][1] + 1)
        else:
            runs.append((representation, 1))
    return FieldType(tuple(runs))


def group_of(their_type: Any) -> PointGroup:
    """The group of their type, by what its elements do to the plane; raises ValueError as `field_type_of`."""
    _check_plane(their_type.gspace)
    return acting_of(their_type.gspace).group


def _check_plane(space: Any) -> None:
    if space.dimensionality != 2:
        raise ValueError(f"the symmetries {space.name} are not supported: they do not act on the plane")


def acting_of(space: Any) -> Acting:
    """The group of one of their spaces, with each element in their words; raises ValueError as `field_type_of`."""
    return _acting(_Itself(space))


@lru_cache(maxsize=64)
def _acting(key: _Itself) -> Acting:
    space = key.value
    fiber_group = space.fibergroup
    if _is_continuous(fiber_group):
        return _continuous(space)
    pairs = [(_element(_plane_action(space, theirs)), theirs) for theirs in fiber_group.elements]
    turns = [element for element, _ in pairs if not element.mirrored]
    mirrors = [element for element, _ in pairs if element.mirrored]
    step_deg = 360.0 / len(turns)
    mirror_deg = min((_modulo(element.angle_deg, step_deg) for element in mirrors), default=0.0)
    name = f"{'d' if mirrors else 'c'}{len(turns)}"
    group = Z2 if name == "c1" else PointGroup(name, len(turns), bool(mirrors), mirror_deg)
    named = tuple((_nearest(element, group), theirs) for element, theirs in pairs)
    if len({element for element, _ in named}) < len(pairs) or len(pairs) != group.order:
        raise ValueError(
            f"the symmetries {space.name} are not supported: several of their elements do the same to the plane"
        )
    return Acting(group, named)


def _continuous(space: Any) -> Acting:
    fiber_group = space.fibergroup
    with_mirrors = _has_mirrors(fiber_group)
    angles = [quarter * np.pi / 2 for quarter in _QUARTER_TURNS]
    if not with_mirrors:
        theirs = [_made(fiber_group, angle) for angle in angles]
    else:
        first = _element(_plane_action(space, _made(fiber_group, (1, 0.0))))
        offset = np.deg2rad(first.angle_deg)
        theirs = [_made(fiber_group, (0, angle)) for angle in angles]
        theirs += [_made(fiber_group, (1, (angle - offset) % (2 * np.pi))) for angle in angles]
    group = O2 if with_mirrors else SO2
    quarter_turns = PointGroup("", 4, with_mirrors)
    pairs = [(_nearest(_element(_plane_action(space, each)), quarter_turns), each) for each in theirs]
    return Acting(group, tuple(pairs))


def _is_continuous(fiber_group: Any) -> bool:
    if hasattr(fiber_group, "continuous"):
        return bool(fiber_group.continuous)
    return fiber_group.order() < 1  # as e2cnn says it


def _has_mirrors(fiber_group: Any) -> bool:
    return "O(2)" in fiber_group.name and "SO(2)" not in fiber_group.name


def _made(fiber_group: Any, value: Any) -> Any:
    """Their element with this value; e2cnn's are the values themselves."""
    return fiber_group.element(value) if package_of(fiber_group) == "escnn" else value


def _plane_action(space: Any, theirs: Any) -> np.ndarray:
    """What an element does to (x to the right, y up): (2, 2), float64."""
    if callable(getattr(space, "basespace_action", None)):
        return np.asarray(space.basespace_action(theirs), dtype=np.float64)
    mirrored, turn = theirs if isinstance(theirs, tuple) else (0, theirs)
    if type(space).__name__.startswith("Flip2d"):
        mirrored, turn = theirs, 0
    order = space.fibergroup.order()
    if order >= 1:
        turns = getattr(space.fibergroup, "rotation_order", order)
        turn = turn * 2 * np.pi / turns
    angle = turn + 2 * getattr(space, "axis", 0.0) * mirrored
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([1.0, -1.0 if mirrored else 1.0])


def _element(action: np.ndarray) -> Element:
    """The element with this action; its angle may be off by rounding."""
    mirrored = bool(np.linalg.det(action) < 0)
    turn = action @ np.diag([-1.0, 1.0]) if mirrored else action
    return Element(float(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))), mirrored)


def _modulo(angle_deg: float, step_deg: float) -> float:
    """The rest of an angle, free of its rounding."""
    return max(0.0, round((angle_deg + 1e-7) % step_deg - 1e-7, 7))


def _nearest(element: Element, group: PointGroup) -> Element:
    def distance(other: Element) -> float:
        turned = abs(other.angle_deg - element.angle_deg) % 360.0
        return min(turned, 360.0 - turned) + 360.0 * (other.mirrored != element.mirrored)

    return min(group.elements, key=distance)


@lru_cache(maxsize=512)
def _representation_of(representation: _Itself, of_space: _Itself) -> Representation:
    theirs, space = representation.value, of_space.value
    acting = acting_of(space)
    if theirs.size == 1 and theirs.is_trivial():
        return Scalar()
    table = {element: np.asarray(theirs(element_there)) for element, element_there in acting.elements}
    group = acting.group
    if group.rotations is not None and theirs.size == group.order and _agree(Regular(group), table):
        return Regular(group)
    if group == SO2 and theirs.size % 2 == 1:
        harmonics = Harmonics(theirs.size // 2)
        odd = {Element(36.0): np.asarray(theirs(_made(space.fibergroup, np.pi / 5)))}
        if _agree(harmonics, {**table, **odd}):
            return harmonics
    return tabulated(theirs.name, table)


def _agree(ours: Representation, table: Mapping[Element, np.ndarray]) -> bool:
    for element, matrix in table.items():
        here = ours.matrix(element)
        if here is None or not np.allclose(here, matrix, atol=_SAME):
            return False
    return True
