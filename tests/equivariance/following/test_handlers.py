"""One exact and one broken case of each class of operations, along both axes, each held against plain torch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance import following
from equivariance.following.handling import HANDLING
from equivariance.groups.point_groups import D4, group_called
from equivariance.theory.program import Program
from tests.equivariance.draws.own_group import symmetric
from tests.equivariance.draws.tools import Apply

Function = Callable[[Tensor], Tensor]
SIDES = (8, 8)
MIRRORS = {"width": "mirror", "height": "mirror_rot180"}


def upon(maps: Tensor, axis: str, function: Function) -> Tensor:
    """`function`, which works along the last axis, along height or width."""
    return function(maps) if axis == "width" else function(maps.transpose(-1, -2)).transpose(-1, -2)


NUMBERS = torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
EVEN, UNEVEN = symmetric(NUMBERS[:3, :3], "D4"), NUMBERS[:3, :3]


def convolved(maps: Tensor, kernel: Tensor, **options: object) -> Tensor:
    return functional.conv2d(maps, kernel.expand(2, 1, *kernel.shape), groups=2, **options)


def put_back(maps: Tensor, size: int) -> Tensor:
    columns = functional.unfold(maps, size, padding=size // 2, stride=1)
    return functional.fold(columns.sin(), maps.shape[-2:], size, padding=size // 2)


def shifted(maps: Tensor) -> Tensor:
    copy = maps.clone()
    copy[..., 1:] = maps[..., :-1]
    return copy


def framed(maps: Tensor) -> Tensor:
    copy = maps.clone()
    copy[..., 0], copy[..., -1] = 0, 0
    return copy


EXACT: dict[str, Function] = {
    "nearest by a whole factor": lambda x: functional.interpolate(x, scale_factor=2),
    "bilinear with corners": lambda x: functional.interpolate(x, size=(5, 5), mode="bilinear", align_corners=True),
    "bicubic": lambda x: functional.interpolate(x, size=(11, 11), mode="bicubic", align_corners=False),
    "area": lambda x: functional.interpolate(x, size=(3, 3), mode="area"),
    "convolution": lambda x: convolved(x, EVEN, padding=1),
    "transposed convolution": lambda x: functional.conv_transpose2d(x, EVEN.expand(2, 1, 3, 3), stride=2, groups=2),
    "largest of windows": lambda x: functional.max_pool2d(x, 2),
    "mean of windows": lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "adaptive pool": lambda x: functional.adaptive_avg_pool2d(x, 3),
    "reflected border": lambda x: functional.pad(x, (2, 2, 2, 2), mode="reflect"),
    "circular border": lambda x: functional.pad(x, (1, 1, 1, 1), mode="circular"),
    "constant border": lambda x: functional.pad(x, (1, 1, 1, 1), value=2.0),
    "centred slice": lambda x: x[..., 1:-1, 1:-1],
    "all flips together": lambda x: x + x.flip(-1) + x.flip(-2) + x.flip(-1, -2),
    "rolled there and back": lambda x: x.roll(1, -1).roll(-1, -1),
    "pixel unshuffle, pooled": lambda x: functional.pixel_unshuffle(x, 2).unflatten(1, (2, 4)).amax(2),
    "frame written": lambda x: framed(framed(x).transpose(-1, -2)).transpose(-1, -2),
    "branches with one grid": lambda x: x + functional.interpolate(functional.avg_pool2d(x, 2), size=x.shape[-2:]),
    "symmetric numbers added": lambda x: x + symmetric(NUMBERS, "D4"),
    "softmax over all places": lambda x: x.flatten(2).softmax(-1).unflatten(2, x.shape[-2:]),
    "softmax over channels": lambda x: x.softmax(1),
    "largest two of all places": lambda x: x + x.flatten(2).topk(2).values.mean(-1)[..., None, None],
    "windows laid out and put back": lambda x: put_back(x, 3),
    "resampled about the centre": lambda x: functional.grid_sample(
        x,
        functional.affine_grid(0.9 * torch.eye(2, 3, dtype=x.dtype)[None], list(x.shape), align_corners=False),
        align_corners=False,
    ),
    "attention": lambda x: (
        functional.scaled_dot_product_attention(*[x.flatten(2).transpose(1, 2)] * 3)
        .transpose(1, 2)
        .unflatten(2, x.shape[-2:])
    ),
    "largest of largest": lambda x: x.amax(-1).amax(-1),
    "instance norm": lambda x: functional.instance_norm(x),
    "layer norm of channels": lambda x: functional.layer_norm(x.movedim(1, -1), (2,)).movedim(-1, 1),
    "which channel is largest": lambda x: x.argmax(1, keepdim=True).double(),
}
BROKEN: dict[str, Function] = {  # along the last axis
    "nearest by a fraction": lambda x: functional.interpolate(x, size=(x.shape[-2], 5)),
    "bilinear by a fraction": lambda x: functional.interpolate(x, scale_factor=(1.0, 0.7), mode="bilinear"),
    "convolution": lambda x: convolved(x, UNEVEN, padding=1),
    "convolution with a stride": lambda x: convolved(x, torch.ones(1, 3, dtype=x.dtype), stride=(1, 2)),
    "largest of windows": lambda x: functional.max_pool2d(x, (1, 3), (1, 2)),
    "mean of windows": lambda x: functional.avg_pool2d(x, (1, 3), (1, 2)),
    "one-sided border": lambda x: functional.pad(x, (1, 0)),
    "one-sided slice": lambda x: x[..., 1:],
    "strided slice": lambda x: x[..., ::2],
    "roll": lambda x: x.roll(1, -1),
    "pixel unshuffle": lambda x: functional.pixel_unshuffle(x, 2)[:, ::2],
    "write into a part": shifted,
    "ramp added": lambda x: x + torch.arange(x.shape[-1], dtype=x.dtype),
    "mask": lambda x: x * (torch.arange(x.shape[-1]) > 2),
    "running sum": lambda x: x.cumsum(-1),
    "running maximum": lambda x: x.cummax(-1).values,
    "branches with unlike grids": lambda x: functional.avg_pool2d(x, (1, 2)) + x[..., ::2],
    "linear on pixels": lambda x: x.flatten(1) @ torch.arange(128, dtype=x.dtype)[:, None],
    "log softmax, then a mean of other columns": lambda x: (x.cumsum(-1).log_softmax(-2)).mean((-1, -2)),
    "selected row": lambda x: x[..., 2],
    "places by a list": lambda x: x[..., torch.tensor([0, 1, 2])],
    "resampled off the centre": lambda x: functional.grid_sample(
        x,
        functional.affine_grid(
            torch.tensor([[[1.0, 0, 0.1], [0, 1, 0]]], dtype=x.dtype), list(x.shape), align_corners=False
        ),
        align_corners=False,
    ),
}


def theory_of(function: Function, *, channels: int = 2) -> dict[str, str]:
    return Program(Apply(function), D4, channels=channels).proof(*SIDES).elements


@pytest.mark.parametrize("name", EXACT)
def test_what_commutes_is_proven(name: str) -> None:
    statuses = theory_of(EXACT[name])
    assert set(statuses.values()) == {"exact"}
    picture = torch.rand(1, 2, *SIDES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = EXACT[name](picture.flip(-1))
    upright = EXACT[name](picture)
    torch.testing.assert_close(moved, upright.flip(-1) if upright.dim() == 4 else upright)


@pytest.mark.parametrize("axis", MIRRORS)
@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_commute_is_broken_along_its_axis(name: str, axis: str) -> None:
    def function(maps: Tensor) -> Tensor:
        there = maps if axis == "width" else maps.transpose(-1, -2)
        result = BROKEN[name](there)
        return result.transpose(-1, -2) if axis == "height" and result.dim() == 4 else result

    picture = torch.rand(1, 2, *SIDES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dim = -1 if axis == "width" else -2
    moved, upright = function(picture.flip(dim)), function(picture)
    expected = upright.flip(dim) if upright.dim() == 4 else upright
    assert not torch.allclose(moved, expected)
    assert theory_of(function)[MIRRORS[axis]] != "exact"


def test_one_channel_of_a_field_is_no_scalar_channel() -> None:
    """Each alone looks like a scalar one, and the mirror exchanges the two."""
    kernel = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pair = torch.cat([kernel, kernel.flip(-1)])
    for cut in (lambda x: x[:, :1], lambda x: x[:, 0], lambda x: x.unbind(1)[1], lambda x: x.split(1, 1)[0]):
        network = Apply(lambda x, w, cut=cut: cut(functional.conv2d(x, w)), w=pair)
        assert Program(network, group_called("D1"), channels=2).proof(*SIDES).elements == {"mirror": "undecided"}


def test_log_softmax_does_not_add_up_to_one() -> None:
    """A mean of it tells columns apart, which a mean of softmax does not."""
    network = Apply(lambda x: functional.interpolate(x, size=(5, 5)).log_softmax(-2).mean((-1, -2)))
    assert "exact" not in Program(network, D4, channels=1).proof(*SIDES).elements.values()


def test_the_largest_of_log_softmax_is_not_taken_for_the_log_of_its_sum() -> None:
    """log Σ exp of a log softmax is 0 whatever the picture is; its largest number is not."""
    network = Apply(lambda x: x.log_softmax(-2).amax(-2).amax(-1))
    assert Program(network, D4, channels=1).proof(*SIDES).elements["rot90"] == "broken"


@pytest.mark.parametrize(
    "over_channels",
    [
        lambda x: x.amax(1),
        lambda x: x.max(1).values,
        lambda x: x.logsumexp(1),
        lambda x: x.norm(dim=1),
        lambda x: x.square().sum(1).sqrt(),
        lambda x: functional.normalize(x, dim=1).sum(1),
        lambda x: x.softmax(1).square().sum(1),
        lambda x: x.var(1),
    ],
)
def test_what_mixes_channels_is_not_taken_for_a_linear_map_of_one(over_channels: Function) -> None:
    """A picture added to its mirror image keeps its mean under quarter turns, and nothing else of it."""
    found = theory_of(lambda x: over_channels(x + x.flip(-1)).mean((1, 2)))
    linear = theory_of(lambda x: (x + x.flip(-1)).sum(1).mean((1, 2)))

    assert (found["rot90"], linear["rot90"]) == ("broken", "exact")


def test_the_largest_of_small_numbers_is_not_taken_for_their_mean() -> None:
    """A softmax over many places adds up to 1, so that the mean of all is the same for every picture."""
    network = Apply(lambda x: x.flatten(2).softmax(-1).unflatten(2, x.shape[-2:]).amax(-1).mean(-1))
    assert Program(network, D4, channels=1).proof(17, 17).elements["rot90"] == "broken"


def test_a_few_large_numbers_hide_no_small_differences() -> None:
    def masked(maps: Tensor) -> Tensor:
        return functional.pad(maps.roll(1, -1), (1, 1, 1, 1), value=1e12)

    assert theory_of(masked)["mirror"] == "broken"


def test_a_mask_of_all_places_picks_all_of_them() -> None:
    every = torch.ones(8, dtype=torch.bool)
    assert set(theory_of(lambda x: x[:, :, every]).values()) == {"exact"}
    assert theory_of(lambda x: x[:, :, torch.arange(8) > 0])["mirror_rot180"] == "broken"


def test_every_module_of_handlers_is_loaded() -> None:
    folder = Path(following.__path__[0])
    with_handlers = {path.stem for path in folder.glob("*.py") if "\n@handles(" in path.read_text(encoding="utf-8")}
    assert {module.__name__.rsplit(".", 1)[1] for module in HANDLING} == with_handlers


def test_layers_in_a_row_are_followed_together() -> None:
    """A border that the next layer drops breaks nothing."""
    network = nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), Apply(lambda x: x[..., 1:, 1:]))
    assert set(Program(network, D4, channels=2).proof(*SIDES).elements.values()) == {"exact"}
