"""The error of a network's output, which a constant in all its numbers cannot make small."""

import torch
from torch import Tensor

from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.relative import relative_error


def output_error(value: Tensor, reference: Tensor) -> Tensor:
    """‖value − reference‖₂ / ‖reference − mean(reference)‖₂ of one picture's output: (), float64, on their device.

    A constant added to all logits changes no answer of softmax and neither length, so it cannot make an error small.
    The difference keeps its own mean: nothing in it is hidden, and the error is never less than `relative_error`. That
    one is taken of a single number, which has no offset, and of a difference that is rounding beside the offset: at
    most a tenth of the rounding level of ‖reference‖₂.

    >>> upright, turned = torch.tensor([[1001.0, 999.0]]), torch.tensor([[1001.0, 1000.0]])
    >>> round(output_error(turned, upright).item(), 3), round(relative_error(turned, upright).item(), 6)
    (0.707, 0.000707)
    """
    plain = relative_error(value, reference)
    if value.shape != reference.shape or reference.numel() < 2 or not reference.is_floating_point():
        return plain
    exact = reference.double()
    rounding = 0.1 * ROUNDING_LEVEL.get(str(reference.dtype).removeprefix("torch."), ROUNDING_LEVEL["float32"])
    error = torch.linalg.vector_norm(value.double() - exact) / torch.linalg.vector_norm(exact - exact.mean())
    return torch.where(plain <= rounding, plain, error)
