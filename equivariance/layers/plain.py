"""Plain torch layers that have no module of their own in torch; served networks are made of these and of torch's."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import FieldType, Harmonics

Pair = tuple[int, int]
Layer = TypeVar("Layer", bound=nn.Module)


class Grey(nn.Module):
    """The mean of the colour channels: (B, C, H, W) → (B, 1, H, W)."""

    def forward(self, picture: Tensor) -> Tensor:
        """(B, C, H, W) → (B, 1, H, W)."""
        return picture.mean(1, keepdim=True)


class GroupMaxPool(nn.Module):
    """The largest value of each field (Cohen and Welling 2016, section 6.3): one scalar per field."""

    def __init__(self, field_size: int) -> None:
        super().__init__()
        self.field_size = field_size

    def forward(self, features: Tensor) -> Tensor:
        """(B, fields · size, H, W) → (B, fields, H, W)."""
        return features.unflatten(1, (-1, self.field_size)).amax(2)


class FieldLength(nn.Module):
    """The Euclidean length of each field: one scalar per field."""

    def __init__(self, field_size: int) -> None:
        super().__init__()
        self.field_size = field_size

    def forward(self, features: Tensor) -> Tensor:
        """(B, fields · size, H, W) → (B, fields, H, W)."""
        return features.unflatten(1, (-1, self.field_size)).square().sum(2).sqrt()


class FieldMaxPool2d(nn.Module):
    """Max-pooling that keeps, in each window, the whole field with the largest Euclidean length."""

    def __init__(self, field_size: int, kernel_size: int | Pair, stride: int | Pair, padding: int | Pair) -> None:
        super().__init__()
        self.field_size = field_size
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, h, w)."""
        fields = features.unflatten(1, (-1, self.field_size))  # (B, fields, size, H, W)
        lengths = fields.square().sum(2)
        pooled, source = functional.max_pool2d(
            lengths, self.kernel_size, self.stride, self.padding, return_indices=True
        )
        source = source.flatten(2).unsqueeze(2).expand(-1, -1, self.field_size, -1)  # (B, fields, size, h·w)
        return fields.flatten(3).gather(3, source).unflatten(3, pooled.shape[-2:]).flatten(1, 2)


class FourierELU(nn.Module):
    """ELU on `samples` equally spaced angles of each field of harmonics, and back to its frequencies.

    Exact under quarter turns iff `samples` is a multiple of 4; approximate under other angles.
    """

    def __init__(self, representation: Harmonics, samples: int) -> None:
        super().__init__()
        angles = 2 * np.pi * np.arange(samples) / samples
        waves = [np.ones(samples)]
        for frequency in range(1, representation.maximum_frequency + 1):
            waves += [np.sqrt(2) * np.cos(frequency * angles), np.sqrt(2) * np.sin(frequency * angles)]
        to_samples = np.stack(waves, axis=1)
        to_samples /= np.linalg.norm(to_samples[0])
        gram = to_samples.T @ to_samples + 1e-8 * np.eye(representation.size)  # the same ridge as escnn's
        self.to_samples: Tensor  # (samples, size)
        self.to_frequencies: Tensor  # (size, samples)
        self.register_buffer("to_samples", torch.from_numpy(to_samples))
        self.register_buffer("to_frequencies", torch.from_numpy(np.linalg.solve(gram, to_samples.T)))

    def forward(self, features: Tensor) -> Tensor:
        """(B, fields · size, H, W) → (B, fields · size, H, W)."""
        size = self.to_samples.shape[1]
        fields = features.reshape(-1, size, *features.shape[-2:])  # (B · fields, size, H, W)
        samples = functional.conv2d(fields, self.to_samples[:, :, None, None])
        return functional.conv2d(functional.elu(samples), self.to_frequencies[:, :, None, None]).reshape_as(features)


class SpatialMean(nn.Module):
    """The mean over all pixels: (B, C, H, W) → (B, C)."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C)."""
        return features.mean((-2, -1))


class Retyped(nn.Module):
    """The same numbers, taken for fields of another type, such as those of a subgroup."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → the same."""
        return features.clone()


class Picked(nn.Module):
    """Channels in another order."""

    def __init__(self, channels: Tensor) -> None:
        super().__init__()
        self.channels: Tensor  # (C,) int64
        self.register_buffer("channels", channels.clone())

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H, W)."""
        return features[:, self.channels]


class Masked(nn.Module):
    """Maps multiplied by a mask of their own size."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask: Tensor  # (1, 1, H, W)
        self.register_buffer("mask", mask.detach().clone())

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W), of the mask's height and width."""
        if features.shape[-2:] != self.mask.shape[-2:]:
            mask, maps = (f"{height}×{width}" for height, width in (self.mask.shape[-2:], features.shape[-2:]))
            raise ValueError(f"a mask of {mask} px is given maps of {maps} px")
        return features * self.mask


class FieldAffine(nn.Module):
    """Each channel times a number plus a number: what a normalisation with fixed statistics is."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(scale), nn.Parameter(shift)  # (C,) each

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → the same."""
        return features * self.weight[:, None, None] + self.bias[:, None, None]


class FieldsMaxPool2d(nn.Module):
    """`FieldMaxPool2d` of fields of several sizes."""

    def __init__(self, runs: Sequence[tuple[int, int]], kernel_size: Pair, stride: Pair, padding: Pair) -> None:
        super().__init__()
        self.channels = [size * count for size, count in runs]  # of runs of fields of one size, one after the other
        self.pools = nn.ModuleList(FieldMaxPool2d(size, kernel_size, stride, padding) for size, _ in runs)
        self.is_layer = True

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, h, w)."""
        parts = zip(self.pools, features.split(self.channels, 1), strict=True)
        return torch.cat([pool.forward(part) for pool, part in parts], 1)


class Branched(nn.Module):
    """Parts of the channels, each through a module of its own, one after the other.

    merging: the modules, by name. picks: what takes the channels of each. theirs: escnn's types of what each takes and
    of all they give, for GeometricTensors.
    """

    picks: nn.ModuleList
    merging: nn.ModuleDict
    theirs: tuple[tuple[Any, ...], Any]

    def forward(self, features: Any) -> Any:
        """(B, C, H, W), typed or not → (B, C', h, w), of the same kind."""
        branches = zip(self.picks, self.merging.values(), strict=True)
        if isinstance(features, Tensor):
            return torch.cat([module(pick(features)) for pick, module in branches], 1)
        kind, (taken, given) = type(features), self.theirs
        outputs = [
            module(kind(pick(features.tensor), their_type)).tensor
            for (pick, module), their_type in zip(branches, taken, strict=True)
        ]
        return kind(torch.cat(outputs, 1), given)


class FieldsPool(nn.Module):
    """One number for each field, of fields of several sizes: the largest of each field, or its Euclidean length."""

    def __init__(self, runs: Sequence[tuple[int, int]], *, largest: bool) -> None:
        super().__init__()
        self.runs, self.largest = tuple(runs), largest  # (size of a field, fields), one after the other

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, fields, H, W)."""
        parts = features.split([size * count for size, count in self.runs], 1)
        fields = [part.unflatten(1, (-1, size)) for part, (size, _) in zip(parts, self.runs, strict=True)]
        pooled = [each.amax(2) if self.largest else each.square().sum(2).sqrt() for each in fields]
        return torch.cat(pooled, 1)


class BlurredMaxPool2d(nn.Module):
    """Max-pooling at every pixel, then a blur with a stride (Zhang 2019, arXiv 1904.11486)."""

    def __init__(
        self, kernel_size: Pair, stride: Pair, padding: Pair, blur: Tensor, blur_padding: Pair, *, ceil_mode: bool
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.blur_padding, self.ceil_mode = blur_padding, ceil_mode
        self.blur: Tensor  # (C, 1, k, k)
        self.register_buffer("blur", blur.detach().clone())

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, h, w)."""
        largest = functional.max_pool2d(features, self.kernel_size, 1, self.padding, ceil_mode=self.ceil_mode)
        return functional.conv2d(
            largest, self.blur, stride=self.stride, padding=self.blur_padding, groups=features.shape[1]
        )


class Resized(nn.Module):
    """Maps resized to a size or by a factor."""

    def __init__(self, size: Pair | None, scale_factor: float | None, mode: str, *, align_corners: bool | None) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, h, w)."""
        return functional.interpolate(
            features, self.size, self.scale_factor, self.mode, align_corners=self.align_corners
        )


def typed(layer: Layer, in_type: FieldType, out_type: FieldType | None) -> Layer:
    """`layer`, carrying the types of its input and output; `out_type` None says that no element acts on the output."""
    layer.in_type, layer.out_type = in_type, out_type  # type: ignore[assignment]  # nn.Module stores any attribute
    return layer
