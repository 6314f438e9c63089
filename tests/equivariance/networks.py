"""Networks as people write them, small, and the plain truth about them: what the library is held against."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Move = Callable[[Tensor], Tensor]
MOVES: dict[str, Move] = {
    "rot90": lambda maps: torch.rot90(maps, 1, (-2, -1)),
    "rot180": lambda maps: torch.rot90(maps, 2, (-2, -1)),
    "rot270": lambda maps: torch.rot90(maps, 3, (-2, -1)),
    "mirror": lambda maps: maps.flip(-1),
    "mirror_rot90": lambda maps: torch.rot90(maps.flip(-1), 1, (-2, -1)),
    "mirror_rot180": lambda maps: torch.rot90(maps.flip(-1), 2, (-2, -1)),
    "mirror_rot270": lambda maps: torch.rot90(maps.flip(-1), 3, (-2, -1)),
}
TURNS = ("rot90", "rot180", "rot270")
ROUNDING = 1e-9


@torch.no_grad()
def truth(network: nn.Module, height_px: int, width_px: int, channels: int = 3, moves: Sequence[str] = TURNS) -> str:
    """ "exact" or "broken": the outputs for moved pictures against the moved ones, five random pictures, float64."""
    worst = 0.0
    for seed in range(5):
        generator = torch.Generator().manual_seed(500 + seed)
        picture = torch.randn(1, channels, height_px, width_px, dtype=torch.float64, generator=generator)
        upright = tensors_of(network(picture))
        for name in moves:
            move = MOVES[name]
            for one, there in zip(upright, tensors_of(network(move(picture))), strict=True):
                expected = move(one) if one.dim() == 4 and min(one.shape[-2:]) > 1 else one
                if expected.shape != there.shape:
                    return "broken"
                worst = max(worst, float((there - expected).abs().max() / one.abs().max()))
    return "exact" if worst < ROUNDING else "broken"


def tensors_of(output: Any) -> list[Tensor]:
    """All tensors of an output of tuples, lists and dictionaries."""
    if isinstance(output, Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output
    return [tensor for value in values for tensor in tensors_of(value)]


def ready(network: nn.Module, *, symmetric: bool, seed: int = 0) -> nn.Module:
    """In eval mode and float64, all numbers drawn; `symmetric`: each kernel the mean over all its turns and mirrors."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(1, parameter[0].numel()) if parameter.dim() > 1 else 4
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * fan**-0.5
            parameter.copy_(drawn if parameter.dim() > 1 else drawn + 0.7)
            if symmetric and parameter.dim() == 4 and parameter.shape[-1] == parameter.shape[-2]:
                parameter.copy_(sum((move(parameter) for move in MOVES.values()), start=parameter.clone()) / 8)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator, dtype=torch.float64) * 0.1)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator, dtype=torch.float64) + 0.5)
    return network


def conv_bn(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, **more: Any) -> nn.Sequential:
    """Convolution that keeps the side at stride 1, batch norm, ReLU."""
    padding = more.pop("padding", kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False, **more)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn(in_channels, out_channels, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(out_channels, out_channels, 3, 1, 1), nn.BatchNorm2d(out_channels))
        self.short = nn.Identity() if stride == 1 else nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.second(self.first(x))
        out += self.short(x)
        return functional.relu(out, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        middle = out_channels // 2
        self.body = nn.Sequential(
            conv_bn(in_channels, middle, 1), conv_bn(middle, middle, 3, stride), nn.Conv2d(middle, out_channels, 1)
        )
        self.short = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


class ResNet(nn.Module):
    """Stem with a pool, four stages, global mean, linear layer."""

    def __init__(self, block: Any, depths: Sequence[int], width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, width, 7, 2), nn.MaxPool2d(3, 2, 1))
        stages, channels = [], width
        for stage, depth in enumerate(depths):
            for at in range(depth):
                stages.append(block(channels, width * 2**stage, 2 if stage and at == 0 else 1))
                channels = width * 2**stage
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.pool(self.stages(self.stem(x))), 1))


class Vgg(nn.Module):
    """Pairs of convolutions and pools; the last maps are flattened, so that each pixel has weights of its own."""

    def __init__(self, side_px: int, width: int = 4) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_bn(3, width), nn.MaxPool2d(2), conv_bn(width, width), nn.MaxPool2d(2), conv_bn(width, width)
        )
        self.classifier = nn.Sequential(nn.Linear(width * (side_px // 4) ** 2, 8), nn.ReLU(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class Inverted(nn.Module):
    """Widened, depthwise, squeezed and excited, narrowed; a shortcut where shapes allow it."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        wide = 3 * channels
        self.widen = nn.Sequential(nn.Conv2d(channels, wide, 1), nn.BatchNorm2d(wide), nn.ReLU6())
        self.deep = nn.Sequential(
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide), nn.BatchNorm2d(wide), nn.Hardswish()
        )
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 4, 1), nn.SiLU(), nn.Conv2d(4, wide, 1), nn.Hardsigmoid()
        )
        self.narrow = nn.Conv2d(wide, out_channels, 1)
        self.keeps = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        wide = self.deep(self.widen(x))
        out = self.narrow(wide * self.squeeze(wide))
        return x + out if self.keeps else out


def mobile_net() -> nn.Module:
    """Inverted bottlenecks."""
    body = [Inverted(4, 4, 1), Inverted(4, 6, 2), Inverted(6, 6, 1), Inverted(6, 8, 2)]
    return nn.Sequential(
        conv_bn(3, 4, 3, 2), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 5)
    )


class Dense(nn.Module):
    """Each layer reads the maps of all before it; a transition that halves the side."""

    def __init__(self, growth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(4 + at * growth), nn.ReLU(), nn.Conv2d(4 + at * growth, growth, 3, padding=1))
            for at in range(3)
        )
        self.transition = nn.Sequential(nn.Conv2d(4 + 3 * growth, 6, 1), nn.AvgPool2d(2, 2))
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for layer in self.layers:
            maps.append(layer(torch.cat(maps, 1)))
        return self.head(self.transition(torch.cat(maps, 1)).mean((2, 3)))


class Inception(nn.Module):
    """Four branches side by side, a pair of one-dimensional kernels among them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 4, 3, 2, padding=0)
        self.one = nn.Conv2d(4, 3, 1)
        self.three = nn.Sequential(nn.Conv2d(4, 3, 1), nn.Conv2d(3, 3, 3, padding=1))
        self.strips = nn.Sequential(nn.Conv2d(4, 3, (1, 3), padding=(0, 1)), nn.Conv2d(3, 3, (3, 1), padding=(1, 0)))
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.Conv2d(4, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return torch.cat([self.one(x), self.three(x), self.strips(x), self.pooled(x)], dim=1).amax((2, 3))


class UNet(nn.Module):
    """Down, up, and shortcuts, cropped or padded to fit as the well-known ones do; maps come out."""

    def __init__(self, *, up: str = "bilinear") -> None:
        super().__init__()
        self.first, self.second, self.third = conv_bn(3, 4), conv_bn(4, 6), conv_bn(6, 8)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2) if up == "transposed" else nn.Conv2d(8, 6, 1)
        self.mode = up
        self.last = conv_bn(12, 4)
        self.top = nn.Conv2d(8, 4, 1)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        up = self.up(self.third(functional.max_pool2d(second, 2)))
        if self.mode != "transposed":
            up = functional.interpolate(up, scale_factor=2, mode=self.mode)
        rows, columns = second.shape[2] - up.shape[2], second.shape[3] - up.shape[3]
        up = functional.pad(up, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        merged = self.last(torch.cat([second, up], 1))
        wide = functional.interpolate(merged, size=first.shape[2:], mode="nearest")
        return self.out(self.top(torch.cat([first, wide], 1)))


class ChannelsLast(nn.Module):
    """Layer norm over channels, put last and back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, then linear layers on each pixel, a scale for each channel, a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deep = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.deep(x).permute(0, 2, 3, 1))
        out = self.gamma * self.narrow(functional.gelu(self.wide(out)))
        return x + out.permute(0, 3, 1, 2)


def conv_next() -> nn.Module:
    """Patches of 4 px, blocks, a halving."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 4, 4),
        ChannelsLast(4),
        ConvNextBlock(4),
        nn.Sequential(ChannelsLast(4), nn.Conv2d(4, 6, 2, 2)),
        ConvNextBlock(6),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(6),
        nn.Linear(6, 5),
    )


class Attention(nn.Module):
    """Tokens look at each other, by heads."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        shares = (query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        return self.out((shares @ value).transpose(1, 2).reshape(batch, tokens, width))


class Vit(nn.Module):
    """Patches, attention, mean over tokens; with a position embedding or without."""

    def __init__(self, tokens: int | None, width: int = 8, patch_px: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch_px, patch_px)
        self.position = nn.Parameter(torch.zeros(1, tokens, width)) if tokens else None
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.position is not None:
            x = x + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(x.mean(1))


class HrNet(nn.Module):
    """Two resolutions side by side that exchange their maps; maps come out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 4, 3, 2), conv_bn(4, 4, 3, 2))
        self.high, self.low = conv_bn(4, 4), conv_bn(4, 6, 3, 2)
        self.up = nn.Sequential(nn.Conv2d(6, 4, 1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.down = nn.Conv2d(4, 6, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        high, low = self.high(x), self.low(x)
        up = self.up(low)[..., : high.shape[2], : high.shape[3]]
        return [torch.relu(high + up), torch.relu(low + self.down(high))]


class Detr(nn.Module):
    """A few learnt questions put to all places: classes and boxes, in a dictionary."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.backbone = nn.Sequential(conv_bn(3, width, 3, 2), conv_bn(width, width, 3, 2))
        self.questions = nn.Parameter(torch.zeros(3, width))
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.classes, self.boxes = nn.Linear(width, 4), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        places = self.backbone(x).flatten(2).permute(0, 2, 1)
        questions = self.questions.unsqueeze(0).expand(len(x), -1, -1)
        shares = torch.softmax(torch.bmm(questions, self.key(places).transpose(1, 2)), -1)
        answers = torch.bmm(shares, self.value(places))
        return {"logits": self.classes(answers), "boxes": self.boxes(answers).sigmoid()}


class Fpn(nn.Module):
    """A pyramid from the top down: a tuple of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = conv_bn(3, 4, 3, 2), conv_bn(4, 6, 3, 2), conv_bn(6, 8, 3, 2)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, 4, 1) for channels in (4, 6, 8))
        self.smooth = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        one = self.one(x)
        two = self.two(one)
        tops = [lateral(maps) for lateral, maps in zip(self.lateral, (one, two, self.three(two)), strict=True)]
        for at in (1, 0):
            tops[at] = tops[at] + functional.interpolate(tops[at + 1], size=tops[at].shape[-2:], mode="bilinear")
        return tuple(self.smooth(top) for top in tops)


class CoordConv(nn.Module):
    """Two channels say where each pixel is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(5, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, x.shape[2], dtype=x.dtype, device=x.device)
        columns = torch.linspace(-1, 1, x.shape[3], dtype=x.dtype, device=x.device)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(len(x), -1, -1, -1)
        return self.conv(torch.cat([x, places], 1)).relu().mean((2, 3))


class BlurPool(nn.Module):
    """Padded by reflection, blurred with a fixed kernel, every second pixel kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("blur", (taps[:, None] * taps / 16).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        blur: Any = self.blur
        return functional.conv2d(functional.pad(x, [1, 1, 1, 1], mode="reflect"), blur, stride=2, groups=x.shape[1])


def blur_net() -> nn.Module:
    """Convolutions and blurred pools."""
    return nn.Sequential(
        conv_bn(3, 4),
        nn.MaxPool2d(2, 1),
        BlurPool(4),
        conv_bn(4, 4),
        BlurPool(4),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
    )


class GroupConv(nn.Module):
    """A convolution on the group of quarter turns, with mirrors or without: (B, C, |G|, H, W) in and out.

    A picture (B, C, H, W) is lifted. One kernel is learnt; those of the other elements are its turns and mirrors.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, mirrors: bool = False, lifting: bool = False
    ) -> None:
        super().__init__()
        self.order, self.lifting, self.stride = 8 if mirrors else 4, lifting, stride
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 1 if lifting else self.order, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        outs, ins = self.weight.shape[:2]
        kernels = torch.stack([self._turned(at) for at in range(self.order)], 1)  # (O, |G|, C, |G| or 1, 3, 3)
        kernel = kernels.reshape(outs * self.order, ins * self.weight.shape[2], 3, 3)
        flat = x if self.lifting else x.reshape(len(x), -1, *x.shape[-2:])
        y = functional.conv2d(flat, kernel, None, self.stride, 1)
        y = y.reshape(len(x), outs, self.order, *y.shape[-2:])
        return y + self.bias.reshape(1, -1, 1, 1, 1)

    def _turned(self, at: int) -> Tensor:
        turns, mirrored = at % 4, at >= 4
        kernel = self.weight.flip(-1) if mirrored else self.weight
        kernel = torch.rot90(kernel, turns, (-2, -1))
        if self.lifting:
            return kernel
        return kernel[:, :, [self._place(other, turns, mirrored) for other in range(self.order)]]

    def _place(self, other: int, turns: int, mirrored: bool) -> int:
        """g⁻¹h for g = turn · mirror: where the channel of h is read from."""
        turn = other % 4 - turns
        return (-turn if mirrored else turn) % 4 + 4 * ((other >= 4) != mirrored)


class GroupCnn(nn.Module):
    """Lifted, group convolutions with a stride, the largest over the group, mean over places."""

    def __init__(self, *, mirrors: bool = False, pooled: bool = True) -> None:
        super().__init__()
        self.lift = GroupConv(3, 3, mirrors=mirrors, lifting=True)
        self.down = GroupConv(3, 3, stride=2, mirrors=mirrors)
        self.last = GroupConv(3, 4, mirrors=mirrors)
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(torch.relu(self.down(torch.relu(self.lift(x)))))
        return y.max(2)[0].mean((-2, -1)) if self.pooled else y.mean((-2, -1)).flatten(1)


class TurnedMaps(nn.Module):
    """The picture in four turns through one network, each turned back, all added up: exact whatever its weights."""

    def __init__(self, *, maps: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        total = sum(torch.rot90(self.body(torch.rot90(x, k, (2, 3))), -k, (2, 3)) for k in range(4))
        assert isinstance(total, Tensor)
        return total if self.maps else total.mean((2, 3))


class GroupUNet(nn.Module):
    """A U-Net of group convolutions: masks come out, turned with the picture; `crooked` shifts its shortcut."""

    def __init__(self, *, mirrors: bool = False, crooked: bool = False) -> None:
        super().__init__()
        self.lift = GroupConv(3, 2, mirrors=mirrors, lifting=True)
        self.down = GroupConv(2, 3, mirrors=mirrors)
        self.up = GroupConv(5, 2, mirrors=mirrors)
        self.crooked = crooked

    def forward(self, x: Tensor) -> Tensor:
        first = torch.relu(self.lift(x))
        small = functional.max_pool2d(first.flatten(1, 2), 2).unflatten(1, (2, -1))
        low = torch.relu(self.down(small)).flatten(1, 2)
        wide = functional.interpolate(low, size=first.shape[-2:], mode="bilinear").unflatten(1, (3, -1))
        if self.crooked:
            wide = wide.roll(1, -1)
        return torch.sigmoid(self.up(torch.cat([first, wide], 1)).mean(2))
