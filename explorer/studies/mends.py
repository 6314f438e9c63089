"""Mends compared: what can be done about a network that is not exact at a size, and what each costs.

Every mend is a way from the picture as given, n×n pixels, to logits. The picture is transformed first and then goes
that way, so what a mend does to the picture counts:

    change(T) = ‖f(T·x) − f(x)‖₂ / ‖f(x) − mean f(x)‖₂          f: bring to size, then the network
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from equivariance.groups.acting import disc_mask, transform_picture
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform
from equivariance.largest import largest_of
from equivariance.measurement.outputs import output_error
from equivariance.theory.exactness import Prediction, predict
from explorer.serving.engine import Engine
from explorer.serving.weights import Weights
from models.catalog import LARGER_KERNELS, NetworkSpec

QUARTER_TURNS = tuple(Element(angle) for angle in (90.0, 180.0, 270.0))
ANGLES = tuple(Element(angle) for angle in (15.0, 30.0, 45.0, 60.0, 75.0))
SHIFTS = (Shift(0, 1), Shift(1, 0), Shift(1, 1), Shift(2, 0), Shift(0, 3))


@dataclass(frozen=True)
class Mend:
    """A way to a network that is exact, or said to be.

    `resize_px`: the side that the picture is resampled to. `pad_px`: pixels of black added right and below, negative
    to cut off there, half of them (rounded down) left and above. `obstacle`: why there is no such mend; else empty.
    """

    name: str
    keeps: str
    network: NetworkSpec
    resize_px: int | None = None
    pad_px: int = 0
    obstacle: str = ""

    def bring(self, pictures: Tensor) -> Tensor:
        """(B, 3, n, n) → (B, 3, m, m): bicubic about the centre, or padded or cut without resampling."""
        if self.resize_px is not None:
            side = (self.resize_px, self.resize_px)
            return functional.interpolate(pictures, side, mode="bicubic", antialias=True).clamp(0, 1)
        before = int(self.pad_px / 2)  # towards zero
        after = self.pad_px - before
        return functional.pad(pictures, (before, after, before, after))


@dataclass(frozen=True)
class Compared:
    """One mend with its figures: largest change of the logits under quarter turns, means under angles and shifts.

    `sides`: those of the feature maps, from the picture to the last layer with space, each once. `elapsed_s`: of one
    pass over one picture.
    """

    mend: Mend
    quarter_turns: float
    angles: float
    shifts: float
    sides: tuple[int, ...]
    elapsed_s: float


def mends_of(
    engine: Engine, network: NetworkSpec, seed: int, side_px: int, weights: Weights | None = None
) -> tuple[Mend, ...]:
    """The published network first; then what there is for it at this side."""
    published = network.as_published
    prediction = predict(engine.structure(published, seed, weights=weights), height_px=side_px, width_px=side_px)
    below, above = (
        side if side is not None and side <= engine.settings.max_size_px else None
        for side in prediction.exact_heights_px
    )
    mends = [Mend("as published", "everything", published)]
    if prediction.verdict == "approximate":
        for side in filter(None, (below, above)):
            mends.append(Mend(f"resize to {side} px", "weights; resamples the picture", published, resize_px=side))
        if above is not None:
            mends.append(Mend(f"pad to {above} px", "weights and pixels", published, pad_px=above - side_px))
        if below is not None:
            mends.append(Mend(f"crop to {below} px", "weights; loses the border", published, pad_px=below - side_px))
        mends.append(other_padding(prediction, published))
        mends.append(Mend("larger kernels", "pixels and sides", replace(published, subsampling=LARGER_KERNELS)))
    mends.append(
        Mend("symmetric subsampling", "weights, pixels and sides", replace(published, subsampling="symmetric"))
    )
    mends.append(Mend("BlurPool", "weights, pixels and sides", replace(published, subsampling="antialiased")))
    return tuple(mends)


def other_padding(prediction: Prediction, published: NetworkSpec) -> Mend:
    """The layers that break with as much padding on one side as on the other, if that can be.

    A layer that gives m pixels covers L = s(m − 1) + d(k − 1) + 1 of them. It is centred where it pads (L − n) / 2 on
    each side of its n pixels; an odd L − n has no half, and another m changes that for odd strides alone.
    """
    off = [layer for layer in prediction.layers if layer.is_broken]
    for layer in off:
        for sampling, side in zip(layer.sampling or (), layer.in_hw, strict=False):
            missing = sampling.window.span(side) - side
            if missing % 2:
                count = f"{abs(missing)} pixel{'s' * (abs(missing) > 1)} too {'few' if missing > 0 else 'many'}"
                obstacle = f"none: {layer.name} has {count}, and an odd number cannot be halved between two sides"
                return Mend("other padding", obstacle, published, obstacle=obstacle)
    names = tuple(dict.fromkeys(layer.module_name for layer in off))
    return Mend("other padding", "weights and sides", replace(published, subsampling="symmetric", only=names))


def compare(
    engine: Engine, mend: Mend, picture: Tensor, *, seed: int, dtype: str, weights: Weights | None = None
) -> Compared:
    """The figures of one mend for `picture` (3, n, n), 0..1, with `weights` or random ones."""
    answers = _Answers(engine, mend, picture, seed, dtype, weights)
    angles, shifts = answers.changes(ANGLES), answers.changes(SHIFTS)
    return Compared(
        mend,
        largest_of(answers.changes(QUARTER_TURNS)) or 0.0,
        sum(angles) / len(angles),
        sum(shifts) / len(shifts),
        answers.sides(),
        answers.pass_s(),
    )


class _Answers:
    """The logits of one mend for transforms of one picture."""

    def __init__(
        self, engine: Engine, mend: Mend, picture: Tensor, seed: int, dtype: str, weights: Weights | None
    ) -> None:
        self._engine, self._mend, self._seed, self._dtype, self._weights = engine, mend, seed, dtype, weights
        self._picture = picture.double()  # so that bringing to size adds no rounding

    def changes(self, transforms: Sequence[Transform]) -> list[float]:
        """The change of the logits under each, as `output_error`; angles on the picture masked to its disc."""
        resampled = any(not transform.moves_pixels for transform in transforms)
        source = self._picture * disc_mask(*self._picture.shape[-2:]) if resampled else self._picture
        upright, *moved = self._logits(
            torch.stack([source, *(transform_picture(source, transform) for transform in transforms)])
        )
        return [float(output_error(row, upright)) for row in moved]

    def pass_s(self) -> float:
        """Seconds of one pass over the upright picture, brought to size."""
        (brought,) = self._mend.bring(self._picture[None])
        return self._engine.pass_s(self._mend.network, self._seed, brought, self._dtype, self._weights)

    def sides(self) -> tuple[int, ...]:
        """Sides of the feature maps, in order, each once."""
        brought = self._mend.bring(self._picture[None])
        structure = self._engine.structure(self._mend.network, self._seed, self._dtype, self._weights)
        recorded = structure.trace(height_px=brought.shape[-2], width_px=brought.shape[-1])
        return tuple(dict.fromkeys([brought.shape[-2], *(call.out_hw[0] for call in recorded.calls)]))

    def _logits(self, pictures: Tensor) -> Tensor:
        brought = self._mend.bring(pictures)
        return self._engine.answers(self._mend.network, self._seed, brought, self._dtype, self._weights)
