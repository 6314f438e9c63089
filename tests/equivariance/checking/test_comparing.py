"""What outputs are compared as: read from theory, from the shape, or as it was asked."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.checking.comparing import _is_like, _layouts_of, _wished, measured, shows_nothing_broken
from equivariance.checking.subject import Asked, Subject
from equivariance.following.dims import HEIGHT, WIDTH, Atom, type_of
from equivariance.groups.fields import FieldType, Interleaved, Regular, regular, scalars
from equivariance.groups.point_groups import C4, D4, SO2
from equivariance.measurement.any_network import Seen
from equivariance.measurement.rounding import ROUNDING_LEVEL
from tests.equivariance.checking.made import decision_of, proof_of, seen_of
from tests.equivariance.draws.own_group import lifted
from tests.equivariance.draws.tools import Apply

LIFT = lifted(torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), "C4")
PICTURE = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
BY_ELEMENT = FieldType(((Interleaved(Regular(C4), 2), 1),))


def field(maps: Tensor) -> Tensor:
    """Two regular fields of C4."""
    return functional.conv2d(maps, LIFT.flatten(0, 1))


def seen(function: Any, output: Any = None, *, group: str = "C4") -> Seen:
    subject = Subject.of(Asked(Apply(function), group, None, output, 2), "float64", [(8, 8)])
    proof = subject.program.proof(8, 8)
    return measured(subject, proof, [PICTURE], output)


def hidden(maps: Tensor) -> Tensor:
    """The same numbers, by an operation that theory does not know."""
    return torch.linalg.matrix_exp(maps * 0) @ maps


@pytest.mark.parametrize(
    ("function", "output", "kind", "is_rounding"),
    [
        (lambda x: x, None, "maps", True),
        (lambda x: x, "maps", "maps", True),
        (lambda x: x, "invariant", "invariant", False),
        (lambda x: x.mean((2, 3)), None, "invariant", True),
        (lambda x: x.mean((2, 3), keepdim=True), None, "invariant", True),
        (field, None, "maps", True),
        (field, "maps", "maps", False),
        (field, "regular", "maps", True),
        (field, regular(C4, 2), "maps", True),
        (field, scalars(8), "maps", False),
        (lambda x: field(x).mean((2, 3)), None, "invariant", False),
        (lambda x: field(x).mean((2, 3)), "regular", "invariant", True),
        (lambda x: field(x).mean((2, 3)), BY_ELEMENT, "invariant", False),
        (lambda x: field(x).unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2), "regular", "maps", True),
        (lambda x: hidden(field(x)), None, "maps", True),
        (lambda x: hidden(x), None, "maps", True),
        (lambda x: hidden(field(x)), "regular", "maps", True),
        (lambda x: hidden(field(x))[..., :1].mean((2, 3)), "regular", "invariant", False),
    ],
)
def test_outputs_are_compared_as_what_they_are(function: Any, output: Any, kind: str, is_rounding: bool) -> None:
    found = seen(function, output)
    errors = found.outputs["output"].values()
    assert found.kinds == {"output": kind}
    assert all((error is not None and error < 1e-10) == is_rounding for error in errors)


def test_layers_whose_dimensions_are_known_are_measured_too() -> None:
    network = nn.Sequential(Apply(field), nn.ReLU(), Apply(lambda x: x[..., 1:]), nn.ReLU())
    subject = Subject.of(Asked(network, "C4", None, None, 2), "float64", [(8, 8)])
    found = measured(subject, subject.program.proof(8, 8), [PICTURE], None)
    assert set(found.layers) == {"0", "1"}
    assert all(error is not None and error < 1e-10 for each in found.layers.values() for error in each.values())


def test_groups_without_quarter_turns_are_measured_by_resampling() -> None:
    assert set(seen(lambda x: x.mean((2, 3)), group="C3").outputs["output"]) == {"rot120", "rot240"}
    assert seen(lambda x: x.mean((2, 3)), group="Z2").kinds == {"output": "invariant"}


def test_regular_outputs_whose_fields_are_not_known_are_taken_field_after_field() -> None:
    subject: Any = decision_of(proof_of(), seen_of(0.0)).subject
    assert _wished("regular", None, (1, 8, 5, 5), subject, True) == regular(C4, 2)
    assert _wished("regular", None, (1, 2, 4, 5, 5), subject, True) == regular(C4, 2)
    assert _wished("regular", None, (1, 8), subject, False) == regular(C4, 2)
    assert _wished("regular", None, (1, 6), subject, False) is None
    assert _wished(scalars(3), None, (1, 3), subject, False) == scalars(3)
    continuous: Any = SimpleNamespace(group=SO2)
    assert _wished("regular", None, (1, 8), continuous, False) is None


@pytest.mark.parametrize(
    ("shape", "is_like"),
    [((1, 2, 9, 9), True), ((1, 2, 4, 4), True), ((1, 2, 4, 5), True), ((1, 2, 4, 6), False), ((1, 2, 9, 3), False)],
)
def test_maps_have_sides_in_the_ratio_of_the_picture_s(shape: tuple[int, ...], is_like: bool) -> None:
    assert _is_like(shape, proof_of()) == is_like
    tall = proof_of(height_px=12, width_px=6)
    assert _is_like((1, 2, 6, 3), tall) and not _is_like((1, 2, 3, 6), tall)


def test_maps_of_unknown_fields_may_be_regular_ones_in_each_layout_along_each_dimension() -> None:
    found = _layouts_of(C4, (1, 8, 3, 4))
    assert [type_of(dims[1]) for dims in found] == [regular(C4, 2), BY_ELEMENT]
    assert all(dims[2:] == ((Atom(HEIGHT, 3),), (Atom(WIDTH, 4),)) for dims in found)
    five = _layouts_of(D4, (1, 2, 8, 3, 4))
    assert [[type_of(dim) for dim in dims[1:3]] for dims in five] == [[scalars(2), regular(D4, 1)]]
    assert _layouts_of(C4, (1, 3, 3, 4)) == []


@pytest.mark.parametrize(
    ("errors", "nothing"),
    [
        ({"rot90": 0.5, "rot180": 0.0, "rot270": 0.5}, True),
        ({"rot90": 0.5, "rot180": ROUNDING_LEVEL["float64"], "rot270": None}, True),
        ({"rot90": 0.5, "rot180": 0.5, "rot270": 0.5}, False),
        ({"rot90": None, "rot180": None, "rot270": None}, False),
    ],
)
def test_more_pictures_are_tried_where_any_element_may_still_break(errors: Any, nothing: bool) -> None:
    subject: Any = decision_of(proof_of()).subject
    assert shows_nothing_broken(seen_of(errors), subject) == nothing
