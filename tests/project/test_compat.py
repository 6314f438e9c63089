"""The two stand-ins of compat/ serve planar groups and refuse 3-D ones with a clear sentence."""

from importlib.metadata import version

import pytest
import torch
from escnn import group, gspaces, nn

PLANAR = {
    "C4": gspaces.rot2dOnR2(4),
    "D4": gspaces.flipRot2dOnR2(4),
    "C8": gspaces.rot2dOnR2(8),
    "SO(2)": gspaces.rot2dOnR2(-1, maximum_frequency=2),
}


@pytest.mark.parametrize("distribution", ["py3nj", "lie-learn"])
def test_stand_in_is_what_is_installed(distribution: str) -> None:
    assert version(distribution).endswith("+planar")


@pytest.mark.parametrize("name", PLANAR)
def test_planar_convolution_commutes_with_a_quarter_turn(name: str) -> None:
    space = PLANAR[name]
    torch.manual_seed(0)
    scalar = nn.FieldType(space, [space.trivial_repr])
    conv = nn.R2Conv(scalar, scalar + nn.FieldType(space, [space.irrep(*space.irreps[1].id)]), 3, padding=1)
    picture = torch.randn(1, 1, 9, 9)

    def response(x: torch.Tensor) -> torch.Tensor:
        return conv(nn.GeometricTensor(x, scalar)).tensor[:, :1]  # (1, 1, 9, 9): the scalar field

    upright, turned = response(picture), response(torch.rot90(picture, dims=(2, 3)))
    assert upright.abs().max() > 1e-2
    torch.testing.assert_close(turned, torch.rot90(upright, dims=(2, 3)), atol=1e-5, rtol=0)


def test_convolution_with_a_free_filter_does_not_commute() -> None:
    torch.manual_seed(0)
    conv, picture = torch.nn.Conv2d(1, 1, 3, padding=1), torch.randn(1, 1, 9, 9)
    difference = conv(torch.rot90(picture, dims=(2, 3))) - torch.rot90(conv(picture), dims=(2, 3))
    assert difference.abs().max() > 1e-2


def test_3d_group_is_refused_with_the_way_out() -> None:
    rotations = group.so3_group(maximum_frequency=1)
    with pytest.raises(RuntimeError, match="3-D groups of escnn are not installed") as refusal:
        rotations.irrep(1)(rotations.identity)
    assert "Use a planar group, or install the real lie_learn and py3nj" in str(refusal.value)
