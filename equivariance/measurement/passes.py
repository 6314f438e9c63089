"""The passes of a network that a measurement needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from equivariance.groups.acting import disc_mask
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Transform


@dataclass(frozen=True)
class Pass:
    """One run of the network: on `reference` (None: the maps kept from the first pass serve) and on its transforms.

    `own` are the elements whose own errors are measured on the way, from the reference alone.
    """

    reference: Tensor | None
    transforms: list[Transform]
    own: list[Element]


def passes_of(picture: Tensor, transforms: Sequence[Transform], per_pass: int) -> Iterator[Pass]:
    """The passes that `transforms` need, at most `per_pass` transforms each.

    Transforms that swap the axes of a non-square picture cannot share a batch with it; resampled ones are compared
    with a picture of their own, masked to the disc.
    """
    square = picture.shape[-1] == picture.shape[-2]
    exact = [t for t in transforms if t.moves_pixels and (square or not t.swaps_axes)]
    swapped = [t for t in transforms if t.moves_pixels and not square and t.swaps_axes]
    resampled = [t for t in transforms if not t.moves_pixels]
    masked = picture * disc_mask(*picture.shape[-2:], device=picture.device)
    for start in range(0, max(len(exact), 1), per_pass):
        batch = exact[start : start + per_pass]
        yield Pass(picture, batch, elements_of([*batch, *swapped] if start == 0 else batch))
    for start in range(0, len(swapped), per_pass):
        yield Pass(None, swapped[start : start + per_pass], [])
    for start in range(0, len(resampled), per_pass):
        batch = resampled[start : start + per_pass]
        yield Pass(masked, batch, elements_of(batch))


def elements_of(transforms: Sequence[Transform]) -> list[Element]:
    """Those that are elements of a group, and no shifts."""
    return [transform for transform in transforms if isinstance(transform, Element)]
