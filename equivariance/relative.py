"""The relative error: how far a tensor is from another, measured by the length of that other."""

from collections.abc import Iterable

import torch
from torch import Tensor


def relative_error(value: Tensor, reference: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """‖value − reference‖₂ / ‖reference‖₂ inside `mask`, which spreads over both: (), float64, on their device.

    0 where value and reference are equal, also if both are zero; infinite where only the reference is zero, or where
    the shapes differ; NaN where one of them holds NaN.

    >>> relative_error(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])).item()
    0.2
    """
    if value.shape != reference.shape:
        return torch.full((), torch.inf, dtype=torch.float64, device=reference.device)
    difference = value - reference
    if mask is not None:
        difference, reference = difference * mask, reference * mask
    return _ratio(_length(difference), _length(reference))


def relative_error_in_parts(parts: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The same of (value, reference) in parts of one shape each, which never have to be held together."""
    lengths = [torch.stack([_length(value - reference), _length(reference)]) for value, reference in parts]
    difference, reference = torch.linalg.vector_norm(torch.stack(lengths), dim=0)
    return _ratio(difference, reference)


def _length(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(values, dtype=torch.float64)


def _ratio(difference: Tensor, reference: Tensor) -> Tensor:
    return torch.where(difference == 0, 0.0, difference / reference)
