"""Slices, writes in place, branches, and what depends on the place or on the size."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.equivariance.draws.tools import ALL, PLAIN, Apply, Tools, draws


@draws("slice", ALL)
def _slice(t: Tools) -> nn.Module | None:
    if min(t.sides) < 5:
        return None
    if t.tame:
        return t.pick(
            Apply(lambda x: x[..., 1:-1, 1:-1]),
            Apply(lambda x: x[..., ::2, ::2]),
            Apply(lambda x: x[..., 1::2, 1::2]),
            Apply(lambda x: x.narrow(-1, 1, x.shape[-1] - 2).narrow(-2, 1, x.shape[-2] - 2)),
        )
    return t.pick(
        Apply(lambda x: x[..., 1:, :]),
        Apply(lambda x: x[..., :-1]),
        Apply(lambda x: x[..., ::2, :]),
        Apply(lambda x: x[..., :4, :4]),
        Apply(lambda x: x[..., -3:, :]),
        Apply(lambda x: torch.index_select(x, -1, torch.arange(1, x.shape[-1]))),
        Apply(lambda x: x[..., torch.arange(x.shape[-2]) % 2 == 0, :]),
    )


@draws("roll, flip", ALL)
def _roll(t: Tools) -> nn.Module:
    if t.tame:
        return t.pick(
            Apply(lambda x: x + x.flip(-1) + x.flip(-2) + x.flip(-1, -2)),
            Apply(lambda x: torch.roll(x, (1, -1), (-1, -2)).roll((-1, 1), (-1, -2))),
            Apply(lambda x: x.flip(-1).flip(-1)),
            Apply(lambda x: x.roll(1, -1) + x.roll(-1, -1) + x.roll(1, -2) + x.roll(-1, -2)),
        )
    return t.pick(
        Apply(lambda x: torch.roll(x, 1, -1)),
        Apply(lambda x: x.flip(-1)),
        Apply(lambda x: x.flip(-2)),
        Apply(lambda x: torch.rot90(x, 1, (-2, -1))),
        Apply(lambda x: x.transpose(-1, -2)),
        Apply(lambda x: x + x.roll(2, -2)),
        Apply(lambda x: x.flip(-1) + x),
    )


@draws("channels cut", PLAIN[:1])
def _chunk(t: Tools) -> nn.Module | None:
    if t.channels < 2:
        return None
    return t.pick(
        Apply(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)),
        Apply(lambda x: x.split([1, x.shape[1] - 1], 1)[1]),
        Apply(lambda x: x[:, ::2]),
        Apply(lambda x: x.flip(1)),
        Apply(lambda x: x[:, -1:] * x),
        Apply(lambda x: torch.cat([x[:, :1], x[:, 1:].flip(-1 if not t.tame else 1)], 1)),
        Apply(lambda x: torch.stack(x.unbind(1)[::-1], 1)),
        Apply(lambda x: x.roll(1, 1)),
        Apply(lambda x: torch.cat([x[:, :1], x[:, 1:].roll(1 if not t.tame else 0, -1)], 1)),
        Apply(lambda x: functional.channel_shuffle(torch.cat([x, x], 1), 2)),
    )


@draws("fields cut", ("field", "element"))
def _cut_fields(t: Tools) -> nn.Module:
    """Some channels of regular fields, whole or not: scalar from then on by name alone."""
    return Apply(
        t.pick(lambda x: x[:, :1], lambda x: x[:, ::2], lambda x: x.flip(1), lambda x: x.chunk(2, 1)[0]), layout="lost"
    )


@draws("pixel shuffle")
def _shuffle(t: Tools) -> nn.Module | None:
    if t.tame or t.chance(0.4):
        if t.sides[0] % 2 or t.sides[1] % 2:
            return None
        return t.pick(
            Apply(lambda x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 2), 2)),
            Apply(lambda x: functional.pixel_unshuffle(x, 2).unflatten(1, (-1, 4)).amax(2)),
            Apply(lambda x: functional.pixel_unshuffle(x, 2).unflatten(1, (-1, 4)).mean(2)),
            Apply(lambda x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 2).relu() + 0.1, 2)),
        )
    if t.chance(0.5) and t.sides[0] % 2 == t.sides[1] % 2 == 0:
        return nn.PixelUnshuffle(2)
    if max(t.sides) > 10:
        return None
    return t.pick(
        nn.Sequential(Apply(lambda x: x[:, :1].repeat(1, 4, 1, 1)), nn.PixelShuffle(2)),
        nn.Sequential(
            Apply(lambda x, w: functional.conv2d(x, w), w=t.numbers(4, t.channels, 1, 1)), nn.PixelShuffle(2)
        ),
    )


@draws("written in place", ALL)
def _written(t: Tools) -> nn.Module | None:
    if min(t.sides) < 4:
        return None
    writes = [_border_zero, _added_twice, _through_view, _zeros_filled, _relu_there, _masked_fill, _row_swap]
    wild = [_one_side, _view_of_view, _index_put, _expanded, _out, _half_scaled, _flat_view, _alias_read, _copy_back]
    return Apply(t.pick(*writes) if t.tame else t.pick(*wild))


def _border_zero(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., 0, :] = 0
    y[..., -1, :] = 0
    y[..., :, 0] = 0
    y[..., :, -1] = 0
    return y


def _added_twice(x: Tensor) -> Tensor:
    y = x * 1.0
    z = y
    z.add_(x)
    y.mul_(0.5)
    return z + y


def _through_view(x: Tensor) -> Tensor:
    y = x.clone()
    y.transpose(-1, -2)[..., 1:-1, 1:-1].mul_(2.0)
    return y


def _zeros_filled(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[..., 1:-1, 1:-1] = x[..., 1:-1, 1:-1]
    return y


def _relu_there(x: Tensor) -> Tensor:
    return functional.relu(x - 0.2, inplace=True).clamp_(max=2.0).neg_()


def _masked_fill(x: Tensor) -> Tensor:
    return x.masked_fill(x > 0.5, 0.25)


def _row_swap(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., 0, :], y[..., -1, :] = x[..., -1, :], x[..., 0, :]
    y[..., 0], y[..., -1] = y[..., -1].clone(), y[..., 0].clone()
    return y


def _one_side(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., :2] = 0
    return y


def _view_of_view(x: Tensor) -> Tensor:
    y = x * 1.0
    y[..., 1:, :][..., 0, 1:].add_(1.0)
    return y


def _index_put(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., torch.tensor([0, 1]), torch.tensor([1, 0])] = 3.0
    return y


def _expanded(x: Tensor) -> Tensor:
    y = x[..., :1].expand(x.shape).contiguous()
    y[..., 1:] += x[..., :-1]
    return y


def _out(x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    torch.mul(x, x, out=y)
    y[..., :1] = 1.0
    return y


def _half_scaled(x: Tensor) -> Tensor:
    y = x.clone()
    y[..., : x.shape[-2] // 2, :] *= 2
    return y


def _flat_view(x: Tensor) -> Tensor:
    y = x.contiguous().clone()
    y.view(y.shape[0], -1)[:, :3] = 0
    return y


def _alias_read(x: Tensor) -> Tensor:
    y = x.clone()
    part = y[..., 0, :]
    y.add_(1.0)
    y[..., 1, :] = part
    return y


def _copy_back(x: Tensor) -> Tensor:
    y = torch.zeros(x.shape, dtype=x.dtype)
    y[..., 1:, :].copy_(x[..., :-1, :])
    y.mul_(2)
    return y


@draws("branches", ALL)
def _branches(t: Tools) -> nn.Module | None:
    if min(t.sides) < 5:
        return None
    if t.layout == "5d" or t.tame:
        return t.pick(
            Apply(
                lambda x: (
                    x[..., 1:-1, 1:-1]
                    + functional.avg_pool2d(x.flatten(1, -3), 3, 1).reshape(
                        *x.shape[:-2], x.shape[-2] - 2, x.shape[-1] - 2
                    )
                )
            ),
            Apply(lambda x: x + x.mean((-1, -2), keepdim=True)),
            Apply(lambda x: x * x.amax((-1, -2), keepdim=True).sigmoid()),
        )
    pooled = t.pick(
        lambda x: functional.max_pool2d(x, 2),
        lambda x: functional.avg_pool2d(x, 2, ceil_mode=True),
        lambda x: x[..., ::2, ::2],
        lambda x: functional.max_pool2d(x, 3, 2, 1),
    )
    joins = [
        lambda x: x + functional.interpolate(pooled(x), size=x.shape[-2:]),
        lambda x: functional.avg_pool2d(x, 2) + pooled(x)[..., : x.shape[-2] // 2, : x.shape[-1] // 2],
    ]
    if t.layout == "":
        joins.append(
            lambda x: torch.cat(
                [functional.max_pool2d(x, 2), pooled(x)[..., : x.shape[-2] // 2, : x.shape[-1] // 2]], 1
            )
        )
        joins.append(lambda x: torch.cat([x, functional.interpolate(pooled(x), size=x.shape[-2:], mode="bilinear")], 1))
    return Apply(t.pick(*joins))


@draws("numbers that depend on the place", ALL)
def _places(t: Tools) -> nn.Module:
    height, width = t.sides
    kind = t.pick("add", "multiply", "mask", "mean picture", "made", "each channel", "where")
    if kind == "made" and t.layout in ("", "field", "element"):
        return Apply(t.pick(_radius, _border) if t.tame else t.pick(_coordinates, _ramp, _checker))
    if kind == "mask":
        mask = t.places(height, width) > 0
        return Apply(lambda x, m: x * m if m.shape == x.shape[-2:] else x, mask=mask)
    if kind == "where":
        mask = t.places(height, width) > 0
        return Apply(lambda x, m: torch.where(m, x, x * 0.5) if m.shape == x.shape[-2:] else x, mask=mask)
    if kind == "each channel" and t.layout == "":
        table = t.places(1, t.channels, height, width)
        return Apply(lambda x, p: x + p, table=table)
    table = t.places(1, 1, height, width)
    if kind == "multiply":
        return Apply(lambda x, p: x * (p if x.dim() == 4 else p[0]), table=table)
    if t.chance(0.3):  # resized to the maps, as position embeddings are
        small = t.places(1, 1, 4, 4)
        return Apply(
            lambda x, p: (
                x
                + functional.interpolate(p, size=x.shape[-2:], mode="bicubic", align_corners=False).reshape(
                    x.shape[-2:]
                )
            ),
            small=small,
        )
    return Apply(lambda x, p: x + (p if x.dim() == 4 else p[0]), table=table)


def _radius(x: Tensor) -> Tensor:
    rows = torch.linspace(-1, 1, x.shape[-2], dtype=x.dtype)
    columns = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype)
    return x + rows[:, None] ** 2 + columns[None] ** 2


def _border(x: Tensor) -> Tensor:
    return x * functional.pad(x.new_ones(x.shape[-2] - 2, x.shape[-1] - 2), (1, 1, 1, 1), value=0.5)


def _coordinates(x: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(
        torch.arange(x.shape[-2], dtype=x.dtype), torch.arange(x.shape[-1], dtype=x.dtype), indexing="ij"
    )
    return x + 0.1 * rows + 0.05 * columns


def _ramp(x: Tensor) -> Tensor:
    return x * torch.linspace(0.5, 1, x.shape[-1], dtype=x.dtype)


def _checker(x: Tensor) -> Tensor:
    parity = (torch.arange(x.shape[-2])[:, None] + torch.arange(x.shape[-1])) % 2
    return x + parity.to(x.dtype)


@draws("coordinates beside the maps")
def _coord_conv(t: Tools) -> nn.Module:
    weights = t.numbers(2, t.channels + 2, 1, 1)
    if t.tame:
        weights[:, -2:] = weights[:, -2:].mean() if t.chance(0.5) else 0
    square = t.tame

    def with_coordinates(x: Tensor, w: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, x.shape[-2], dtype=x.dtype).reshape(1, 1, -1, 1).expand(len(x), 1, *x.shape[-2:])
        columns = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype).expand(len(x), 1, *x.shape[-2:])
        both = torch.cat([rows, columns], 1)
        return functional.conv2d(torch.cat([x, both.abs() if square else both], 1), w)

    return Apply(with_coordinates, weights=weights)


@draws("depends on the size", PLAIN)
def _by_size(t: Tools) -> nn.Module:
    return t.pick(
        Apply(lambda x: functional.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))),
        Apply(lambda x: functional.max_pool2d(x, 2) if x.shape[-1] % 2 == 0 == x.shape[-2] % 2 else x),
        Apply(lambda x: x[..., 1:, :] if x.shape[-2] % 4 == 1 else x),
        Apply(lambda x: functional.avg_pool2d(x, max(1, x.shape[-1] // 4))),
        Apply(lambda x: x.roll(1, -1) if x.shape[-1] > 10 else x),
        Apply(lambda x: functional.interpolate(x, size=(8, 8)) if x.shape[-1] != 8 else x),
    )
