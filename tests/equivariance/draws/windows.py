"""Resizes, convolutions, pools and padding."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from tests.equivariance.draws.tools import ALL, PLAIN, Apply, Tools, draws


@draws("resize", PLAIN)
def _resize(t: Tools) -> nn.Module:
    mode = t.pick("nearest", "nearest-exact", "bilinear", "bicubic", "area")
    options = {"mode": mode}
    if mode in ("bilinear", "bicubic"):
        options["align_corners"] = t.pick(True, False)
        options["antialias"] = t.chance(0.2)
    if t.chance(0.5):
        size = [max(1, side + t.pick(-4, -2, 0, 1, 3)) for side in t.sides]
        if t.tame and t.chance(0.5):
            size = [2 * side for side in t.sides] if t.maps.shape[-1] < 12 else list(t.sides)
        return Apply(lambda x: functional.interpolate(x, size=size, **options))
    factor = t.pick(2, 2.0, 0.5, 1.5, 0.7, (2.0, 0.5), 1.25)
    if isinstance(factor, float) and t.chance(0.2):
        options["recompute_scale_factor"] = True
    if max(t.sides) > 14 and not isinstance(factor, tuple):
        factor = 0.5
    return Apply(lambda x: functional.interpolate(x, scale_factor=factor, **options))


@draws("convolution", share=2)
def _convolution(t: Tools) -> nn.Module:
    ins = t.channels
    groups = t.pick(1, 1, 1, ins, *[g for g in (2, 3) if ins % g == 0])
    outs = groups * t.pick(1, 2) if groups > 1 else t.pick(1, 2, 3, 4)
    kernel = t.pick(1, 3, 3, 5) if t.tame else t.pick(2, 3, 4, (1, 3), (3, 1), (2, 3))
    stride = 1 if t.tame and t.chance(0.6) else t.pick(1, 2, 3, (2, 1))
    dilation = t.pick(1, 1, 1, 2)
    k = (kernel, kernel) if isinstance(kernel, int) else kernel
    if stride == 1 and t.chance(0.3):
        padding: object = t.pick("same", "valid")
    else:
        padding = dilation * (k[0] // 2) if t.chance(0.6) else t.pick(0, 1, (1, 0), (0, 2))
    mode = t.pick("zeros", "zeros", "zeros", "reflect", "replicate", "circular")
    layer = nn.Conv2d(
        ins, outs, kernel, stride, padding, dilation, groups, bias=t.chance(0.7), padding_mode=mode, dtype=torch.float64
    )
    layer.weight = nn.Parameter(t.kernel(*layer.weight.shape))
    if layer.bias is not None:
        layer.bias = nn.Parameter(t.numbers(outs))
    return layer


@draws("transposed convolution")
def _transposed(t: Tools) -> nn.Module | None:
    if max(t.sides) > 12:
        return None
    groups = t.pick(1, 1, t.channels)
    outs = groups if groups > 1 else t.pick(1, 2, 3)
    kernel, stride = t.pick((3, 1), (4, 2), (2, 2), (3, 2), (3, 3), (2, 3))
    more = t.pick(0, stride - 1) if not t.tame else 0
    layer = nn.ConvTranspose2d(
        t.channels, outs, kernel, stride, t.pick(0, 1), more, groups, dilation=1, dtype=torch.float64
    )
    layer.weight = nn.Parameter(t.kernel(*layer.weight.shape))
    return layer


@draws("functional convolution, fixed kernel", PLAIN)
def _fixed(t: Tools) -> nn.Module:
    kernel = t.pick(
        torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
        torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        *([] if t.tame else [torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]), torch.tensor([[1.0, 1], [1, 1]])]),
    ).double()
    stride = t.pick(1, 1, 2)
    if t.chance(0.5):
        return Apply(
            lambda x, k: functional.conv2d(
                x, k.expand(x.shape[1], 1, *k.shape), None, stride, k.shape[-1] // 2, groups=x.shape[1]
            ),
            kernel=kernel,
        )
    return Apply(
        lambda x: functional.conv2d(
            x.flatten(0, 1).unsqueeze(1), x.new_tensor(kernel.tolist())[None, None], None, stride, 1
        ).unflatten(0, x.shape[:2])[:, :, 0]
    )


@draws("parametrized convolution")
def _parametrized(t: Tools) -> nn.Module:
    layer = nn.Conv2d(t.channels, 3, t.pick(1, 3), padding=1, dtype=torch.float64)
    layer.weight = nn.Parameter(t.kernel(*layer.weight.shape))
    kind = t.pick("weight", "spectral", "old", "own")
    if kind == "weight":
        parametrizations.weight_norm(layer)
    elif kind == "spectral":
        state = torch.random.get_rng_state()
        torch.manual_seed(3)
        parametrizations.spectral_norm(layer)
        torch.random.set_rng_state(state)
    elif kind == "old":
        mask = torch.ones_like(layer.weight)
        mask[..., 0, 0] = 1.0 if t.tame else 0.0
        layer.register_buffer("mask", mask)
        layer.register_forward_pre_hook(_masked)
        if t.chance(0.5):
            layer.register_forward_hook(_shifted)
    return layer


def _masked(layer: nn.Module, inputs: object) -> None:
    layer.weight.data.mul_(layer.mask)


def _shifted(layer: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
    return output + 0.1


@draws("max pool", ALL)
def _max_pool(t: Tools) -> nn.Module | None:
    kernel, stride, padding, dilation = t.pick(2, 3), t.pick(1, 2, 3, None), t.pick(0, 0, 1), t.pick(1, 1, 1, 2)
    if t.tame:
        kernel, stride, padding, dilation = t.pick((2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (3, 1, 2, 2))
    if padding > kernel // 2:
        padding = 1
    if min(t.sides) < 3:
        return None
    ceil_mode = t.chance(0.3)
    if t.layout == "5d":
        return Apply(
            lambda x: functional.max_pool2d(
                x.flatten(1, 2), kernel, stride, padding, dilation, ceil_mode=ceil_mode
            ).unflatten(1, x.shape[1:3])
        )
    if t.chance(0.1):
        return Apply(
            lambda x: (
                functional.max_unpool2d(*functional.max_pool2d(x, 2, return_indices=True), 2, output_size=x.shape[-2:])
                if min(x.shape[-2:]) > 1
                else x
            )
        )
    return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)


@draws("average pool", PLAIN)
def _avg_pool(t: Tools) -> nn.Module | None:
    if min(t.sides) < 3:
        return None
    kernel, stride, padding = t.pick((2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 1, 0), (3, 2, 0), ((2, 1), 2, 0))
    return nn.AvgPool2d(
        kernel,
        stride,
        padding,
        ceil_mode=t.chance(0.3),
        count_include_pad=t.chance(0.5),
        divisor_override=t.pick(None, None, 3),
    )


@draws("adaptive pool", PLAIN)
def _adaptive(t: Tools) -> nn.Module:
    size = t.pick(1, 2, 3, 4, 5, (2, 3), (None, 2))
    return t.pick(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)(size)


@draws("power pool")
def _lp_pool(t: Tools) -> nn.Module | None:
    return None if min(t.sides) < 3 else nn.LPPool2d(2, t.pick(2, 3), t.pick(1, 2))


@draws("padding", PLAIN)
def _pad(t: Tools) -> nn.Module:
    a, b = t.pick((1, 1), (2, 2), (2, 1)) if t.tame else t.pick((1, 1), (0, 1), (2, 0), (1, 2))
    pads = [a, a, a, a] if t.tame else t.pick([0, a, 0, b], [a, a, b, b], [a, b, 0, 0], [b, b, a, 0], [-1, 1, 0, 0])
    mode = t.pick("constant", "constant", "reflect", "replicate", "circular")
    value = t.pick(0.0, 0.0, 1.5, -float("inf") if t.chance(0.1) else -1.0)
    if mode == "constant":
        return Apply(lambda x: functional.pad(x, pads, value=value))
    return Apply(lambda x: functional.pad(x, pads, mode=mode))


@draws("unfold and fold", share=0.4)
def _unfold(t: Tools) -> nn.Module | None:
    if min(t.sides) < 3 or max(t.sides) > 12:
        return None
    hw = t.sides
    if t.chance(0.5):
        return Apply(lambda x: functional.fold(functional.unfold(x, 3, padding=1) * 0.5, hw, 3, padding=1))
    return Apply(lambda x: x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))


@draws("grid sample", share=0.4)
def _grid_sample(t: Tools) -> nn.Module:
    scale = t.pick(1.0, 0.9) if t.tame else 0.8
    shift = 0.0 if t.tame else 0.1
    theta = torch.tensor([[[scale, 0, shift], [0, scale, 0]]], dtype=torch.float64)
    corners = t.pick(True, False)
    return Apply(
        lambda x, m: functional.grid_sample(
            x,
            functional.affine_grid(m.expand(len(x), 2, 3), list(x.shape), align_corners=corners),
            align_corners=corners,
        ),
        theta=theta,
    )


@draws("shared convolution", share=0.5)
def _shared(t: Tools) -> nn.Module:
    layer = nn.Conv2d(t.channels, t.channels, 3, padding=1, dtype=torch.float64)
    layer.weight = nn.Parameter(t.kernel(*layer.weight.shape))
    return nn.Sequential(layer, nn.ReLU(), layer)
