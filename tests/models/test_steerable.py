"""Our initialization and our types of escnn's layers, against escnn's own."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from equivariance.groups.acting import transform_fields
from equivariance.groups.fields import FieldType, Harmonics, Regular, Scalar, regular, scalars
from equivariance.groups.point_groups import C4, C8, D4, D8, SO2, Element, PointGroup
from equivariance.layers.escnn import escnn_nn, field_type_of, gspaces
from equivariance.layers.reading import acting_of, group_of
from models.steerable import (
    MAXIMUM_FREQUENCY,
    SteerableKit,
    he_initialize,
)

GROUPS = (C4, D4, C8, D8, SO2)
KITS = {group.name: SteerableKit(group) for group in GROUPS}


def field(group: PointGroup) -> Regular | Harmonics:
    return Harmonics(MAXIMUM_FREQUENCY) if group == SO2 else Regular(group)


def ids(value: object) -> str:
    return str(getattr(value, "name", value))


def conv_of(group: PointGroup, in_fields: int, out_fields: int, *, lifting: bool, kernel_size: int = 3) -> nn.Module:
    (hidden,) = set(KITS[group.name].hidden(1).representations)
    space = KITS[group.name].space
    in_type = escnn_nn.FieldType(space, [space.trivial_repr if lifting else hidden] * in_fields)
    out_type = escnn_nn.FieldType(space, [hidden] * out_fields)
    return escnn_nn.R2Conv(in_type, out_type, kernel_size, initialize=False, bias=False)


def drawn_weights(conv: nn.Module, *, draws: int) -> torch.Tensor:
    """(draws, weights): many initializations of one layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.stack([he_initialize(conv) or conv.weights.detach().clone() for _ in range(draws)])


@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "hidden"])
@pytest.mark.parametrize("group", [C4, D4, SO2], ids=ids)
def test_every_weight_has_the_deviation_that_escnn_gives_it(
    group: PointGroup, lifting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv = conv_of(group, 3, 2, lifting=lifting)
    monkeypatch.setattr(torch, "randn", torch.ones)  # every draw is one deviation: the weights are the deviations

    he_initialize(conv)

    # despite its name, escnn's function gives what it multiplies standard normal draws by: deviations
    expected = escnn_nn.init._generalized_he_init_variances(conv.basisexpansion)
    torch.testing.assert_close(conv.weights.detach(), expected, atol=0, rtol=4 * torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("group", [C4, D4, SO2], ids=ids)
def test_drawn_weights_scatter_as_escnn_s_do(group: PointGroup) -> None:
    conv, draws = conv_of(group, 2, 2, lifting=False), 1000
    weights = drawn_weights(conv, draws=draws)
    expected = escnn_nn.init._generalized_he_init_variances(conv.basisexpansion)
    ratio = weights.std(0) / expected
    # the deviation of a deviation from n draws is 1/√(2n); five of them leave a chance of 6e-7 a weight
    assert (ratio - 1).abs().max() < 5 / math.sqrt(2 * draws)
    assert (weights.mean(0) / expected).abs().max() < 5 / math.sqrt(draws)


@pytest.mark.parametrize("group", [C4, SO2], ids=ids)
def test_escnn_s_own_initialization_scatters_by_the_same_deviations(group: PointGroup) -> None:
    """The oracle's own meaning: what `_generalized_he_init_variances` gives are deviations."""
    conv, draws = conv_of(group, 2, 1, lifting=False), 300
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = []
        for _ in range(draws):
            escnn_nn.init.generalized_he_init(conv.weights.data, conv.basisexpansion)
            weights.append(conv.weights.detach().clone())
    ratio = torch.stack(weights).std(0) / escnn_nn.init._generalized_he_init_variances(conv.basisexpansion)
    assert (ratio - 1).abs().max() < 5 / math.sqrt(2 * draws)


def test_weights_of_different_pairs_of_fields_differ() -> None:
    (weights,) = drawn_weights(conv_of(C4, 2, 2, lifting=False), draws=1)
    assert weights.unique().numel() == weights.numel()


@pytest.mark.parametrize("mixed_side", ["in", "out"])
def test_fields_of_two_kinds_cannot_be_initialized(mixed_side: str) -> None:
    space = KITS["c4"].space
    mixed = escnn_nn.FieldType(space, [space.trivial_repr, space.regular_repr])
    pure = escnn_nn.FieldType(space, [space.regular_repr])
    in_type, out_type = (mixed, pure) if mixed_side == "in" else (pure, mixed)
    conv = escnn_nn.R2Conv(in_type, out_type, 3, initialize=False)
    with pytest.raises(ValueError, match="fields of one kind"):
        he_initialize(conv)


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_our_type_of_a_hidden_layer_has_its_group_fields_and_channels(group: PointGroup) -> None:
    theirs = KITS[group.name].hidden(10)
    ours = field_type_of(theirs)
    assert ours == FieldType(((field(group), len(theirs)),))
    assert ours.channels == theirs.size


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_our_type_of_a_picture_is_scalars(group: PointGroup) -> None:
    assert field_type_of(KITS[group.name].picture(3)) == scalars(3)


@pytest.mark.parametrize("group", [C4, D8], ids=ids)
def test_runs_of_equal_fields_are_joined_in_order(group: PointGroup) -> None:
    space = KITS[group.name].space
    one, many = space.trivial_repr, space.regular_repr
    theirs = escnn_nn.FieldType(space, [one, one, many, many, many, one])
    assert field_type_of(theirs) == FieldType(((Scalar(), 2), (Regular(group), 3), (Scalar(), 1)))


def test_regular_fields_of_two_groups_of_eight_are_told_apart() -> None:
    assert field_type_of(KITS["c8"].hidden(1)) == regular(C8, 1) != field_type_of(KITS["d4"].hidden(1))


@pytest.mark.parametrize(
    ("space", "fields"),
    [
        (KITS["c4"].space, lambda space: space.irrep(1)),
        (KITS["c4"].space, lambda space: space.quotient_repr(2)),
        (KITS["d4"].space, lambda space: space.irrep(1, 0)),  # one channel that mirrors negate
        (KITS["so2"].space, lambda space: space.irrep(1)),
        (
            KITS["so2"].space,
            lambda space: space.fibergroup.spectral_regular_representation(*[(0,), (2,)], name=None),
        ),
        (gspaces.flipRot2dOnR2(-1, maximum_frequency=2), lambda space: space.irrep(1, 1)),
        (gspaces.flipRot2dOnR2(4, axis=0.3), lambda space: space.regular_repr),
        (gspaces.flip2dOnR2(axis=0.0), lambda space: space.regular_repr),
        (KITS["d8"].space.restrict((0, 2))[0], lambda space: KITS["d8"].space.regular_repr.restrict((0, 2))),
    ],
    ids=[
        "C4 irrep",
        "C4 quotient",
        "D4 sign",
        "SO2 irrep",
        "SO2 with a gap",
        "O2 irrep",
        "D4 about another axis",
        "top-bottom",
        "D8 regular as D2",
    ],
)
def test_other_fields_are_read_with_the_action_that_escnn_has(space: Any, fields: Any) -> None:
    theirs = escnn_nn.FieldType(space, 2 * [fields(space)])
    ours, again = (field_type_of(escnn_nn.FieldType(space, 2 * [fields(space)])) for _ in range(2))
    maps = torch.randn(1, ours.channels, 4, 4, generator=torch.Generator().manual_seed(0))
    moving = [pair for pair in acting_of(space).elements if pair[0].moves_pixels]
    for element, element_there in moving:
        moved = escnn_nn.GeometricTensor(maps, theirs).transform(element_there).tensor
        torch.testing.assert_close(transform_fields(maps, ours, element), moved, atol=1e-5, rtol=0)
    assert len(moving) > 1
    assert ours == again and hash(ours) == hash(again)


@pytest.mark.parametrize(
    ("space", "group"),
    [
        (gspaces.trivialOnR2(), PointGroup("c1", 1)),
        (gspaces.rot2dOnR2(3), PointGroup("c3", 3)),
        (gspaces.flip2dOnR2(), PointGroup("d1", 1, mirrors=True)),  # its group is called C2, like half turns
        (gspaces.flipRot2dOnR2(2), PointGroup("d2", 2, mirrors=True)),
        (gspaces.flipRot2dOnR2(6), PointGroup("d6", 6, mirrors=True)),
    ],
    ids=str,
)
def test_group_is_that_of_what_its_elements_do_to_the_plane(space: Any, group: PointGroup) -> None:
    if group.order == 1:  # its regular field is a scalar
        assert field_type_of(escnn_nn.FieldType(space, [space.regular_repr])) == scalars(1)
        return
    ours = field_type_of(escnn_nn.FieldType(space, [space.regular_repr]))
    assert ours == regular(group, 1)
    fields = torch.randn(1, group.order, 4, 4, generator=torch.Generator().manual_seed(0))
    theirs = escnn_nn.GeometricTensor(fields, escnn_nn.FieldType(space, [space.regular_repr]))
    for number, element in enumerate(group.elements):
        if element.moves_pixels:
            moved = theirs.transform(list(space.fibergroup.elements)[number]).tensor
            torch.testing.assert_close(transform_fields(fields, ours, element), moved, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("space", "mirror_deg"),
    [(gspaces.flip2dOnR2(axis=0.0), 180.0), (gspaces.flipRot2dOnR2(4, axis=0.3), 34.3774677)],
    ids=["top-bottom", "between the pixels"],
)
def test_mirrors_about_another_axis_are_read(space: Any, mirror_deg: float) -> None:
    group = group_of(escnn_nn.FieldType(space, [space.trivial_repr]))
    assert group.mirror_deg == pytest.approx(mirror_deg, abs=1e-6)
    assert group.mirrors and Element(mirror_deg, mirrored=True) in group and Element(mirrored=True) not in group


def test_types_without_a_plane_are_refused() -> None:
    space = gspaces.no_base_space(gspaces.rot2dOnR2(4).fibergroup)
    with pytest.raises(ValueError, match="the symmetries C4 are not supported: they do not act on the plane"):
        field_type_of(escnn_nn.FieldType(space, [space.trivial_repr]))


def test_o2_is_not_taken_for_so2() -> None:
    space = gspaces.flipRot2dOnR2(-1, maximum_frequency=2)
    assert field_type_of(escnn_nn.FieldType(space, [space.trivial_repr] * 3)) == scalars(3)
    frequencies = space.fibergroup.bl_irreps(1)
    for fields in (space.irrep(1, 1), space.fibergroup.spectral_regular_representation(*frequencies, name=None)):
        ours = field_type_of(escnn_nn.FieldType(space, [fields]))
        assert ours.has_action(Element(mirrored=True)) and ours.has_action(Element(90.0))


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_every_group_has_at_least_one_field_and_more_with_more_planes(group: PointGroup) -> None:
    counts = [len(KITS[group.name].hidden(planes)) for planes in (1, 4, 16, 64)]
    assert counts[0] == 1
    assert counts == sorted(counts) and counts[-1] > 2 * counts[1]
