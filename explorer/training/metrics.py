"""What is known of a run while it trains: how far it is, and the figures of each epoch. Plain values, JSON and back."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

TURNS = ("identity", "rot90", "rot180", "rot270")
UNSEEN = TURNS[1:]  # of a network trained upright: the upright accuracy is not part of what it generalises to
TESTED = (*TURNS, "mirror")
ANGLES_DEG = tuple(range(0, 360, 10))


@dataclass(frozen=True)
class Progress:
    """How far a run is: updates of the weights done and planned, the current loss, and pictures per second."""

    step: int
    steps: int
    epoch: int
    loss: float
    pictures_per_s: float


@dataclass(frozen=True)
class Epoch:
    """A network after `epoch` epochs; 0: before any.

    train_loss, train_accuracy: means over the epoch's batches, as they were trained; None before the first.
    test_loss: of the upright test pictures.
    accuracy: 0..1, by transform of the test pictures, those of TESTED.
    angles: accuracy at each of ANGLES_DEG, resampled where it is no quarter turn; None in epochs that leave it out.
    agreement: share of test pictures that get the same answer at all four TURNS.
    errors: by layer, "logits" last, the largest equivariance error under the group's pixel-exact elements, mean over a
        few test pictures.
    filters: by convolution, its mean filters (elements, k, k) as of `equivariance.measurement.mean_filters`.
    right: which test pictures were read right at each of the tested transforms, packed by `packed`; of the last epoch.
    pictures_per_s: while training; elapsed_s: training and testing of this epoch.
    """

    epoch: int
    step: int
    train_loss: float | None
    train_accuracy: float | None
    test_loss: float
    accuracy: dict[str, float]
    angles: tuple[float, ...] | None
    agreement: float
    errors: dict[str, float]
    pictures_per_s: float
    elapsed_s: float
    filters: dict[str, list[list[list[float]]]] = field(default_factory=dict)
    right: str = ""

    @property
    def unseen_accuracy(self) -> float:
        """Mean over the turns that an upright training has not shown."""
        return sum(self.accuracy[name] for name in UNSEEN) / len(UNSEEN)

    @property
    def angles_accuracy(self) -> float | None:
        """Mean over the 36 angles."""
        return None if self.angles is None else sum(self.angles) / len(self.angles)

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def packed(right: Mapping[str, NDArray[np.bool_]]) -> str:
    """Which of N pictures were read right, by transform, as short text."""
    bits = np.packbits(np.stack(list(right.values())), axis=1)  # (transforms, N / 8), the last byte filled with zeros
    return f"{len(next(iter(right.values())))} {','.join(right)} {b64encode(zlib.compress(bits.tobytes(), 9)).decode()}"


def unpacked(text: str) -> dict[str, NDArray[np.bool_]]:
    """What `packed` has packed: by transform, (N,)."""
    count, names, coded = text.split(" ")
    rows = np.frombuffer(zlib.decompress(b64decode(coded)), np.uint8).reshape(len(names.split(",")), -1)
    bits = np.unpackbits(rows, axis=1, count=int(count)).astype(bool)
    return dict(zip(names.split(","), bits, strict=True))


def epoch_of(document: Mapping[str, Any]) -> Epoch:
    """The epoch written as `document`."""
    angles = document["angles"]
    return Epoch(**{**document, "angles": None if angles is None else tuple(angles)})
