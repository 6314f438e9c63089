"""Windows of convolutions and pools along one axis: sides, padding, and how to centre them. Arithmetic, no tensors."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Centring:
    """What brings a side to the span that a layer covers, centre on centre: first the mean of neighbours, then pixels.

    averages: whether neighbouring pixels are averaged, which gives one pixel less, each between two of the old ones.
    pad: pixels to add on each side; negative to cut off.
    """

    averages: bool
    pad: int


@dataclass(frozen=True)
class AxisWindow:
    """The parameters of a convolution or pool along one axis; pad is what the operation adds on each side.

    `kind`: "conv" (each tap has its own weight), "max", "mean", or "padded mean" (padding counts in the divisor).
    `extra_pad` is added at the end alone, as `padding="same"` does. `centred`: the layer samples about the centre of
    its input (see `equivariance.layers.subsampling`), with the same sides.
    """

    kind: str
    kernel: int
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    ceil_mode: bool = False
    extra_pad: int = 0
    centred: bool = False

    @property
    def reach(self) -> int:
        """Pixels from the first to the last that a window reads, less one: d(k − 1)."""
        return self.dilation * (self.kernel - 1)

    def out_side(self, side: int) -> int:
        """The side that torch gives: ceil mode adds a window, unless it would start in the padding at the end."""
        room = side + 2 * self.pad + self.extra_pad - self.reach - 1
        if not self.ceil_mode:
            return room // self.stride + 1
        windows = -(-room // self.stride) + 1
        return windows - 1 if (windows - 1) * self.stride >= side + self.pad else windows

    def span(self, side: int) -> int:
        """Pixels that all windows cover together: L = s(m − 1) + d(k − 1) + 1 for m windows."""
        return self.stride * (self.out_side(side) - 1) + self.reach + 1

    def centring(self, side: int) -> Centring:
        """How to bring `side` to the span about its centre: q = L − side pixels are missing, half on each side.

        An odd q has no half: the mean of neighbours makes the side one less, and q even. One pixel has no neighbour:
        it is first given one on each side.
        """
        missing = self.span(side) - side
        if missing % 2 == 0:
            return Centring(averages=False, pad=missing // 2)
        return Centring(averages=True, pad=(missing + 1) // 2 if side > 1 else (missing - 1) // 2)


def pair(value: Any) -> tuple[int, int]:
    """(height, width) of an argument that torch takes as one number for both, or as one each."""
    values = [int(each) for each in value] if isinstance(value, list | tuple) else [int(value)]
    return values[0], values[-1]
