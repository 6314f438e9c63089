"""Plain torch layers that have no module of their own in torch; served networks are made of these and of torch's."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import FieldType, Harmonics

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

    def __init__(self, field_size: int, kernel_size: int, stride: int, padding: int) -> None:
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


def typed(layer: Layer, in_type: FieldType, out_type: FieldType | None) -> Layer:
    """`layer`, carrying the types of its input and output; `out_type` None says that no element acts on the output."""
    layer.in_type, layer.out_type = in_type, out_type  # type: ignore[assignment]  # nn.Module stores any attribute
    return layer
