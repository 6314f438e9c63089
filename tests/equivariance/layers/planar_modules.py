"""One of each planar module of escnn, small, on the fields it is made for; `python -m` writes the table in the docs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from escnn import group
from torch import nn

from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.escnn import gspaces

C4 = gspaces.rot2dOnR2(4)
D4 = gspaces.flipRot2dOnR2(4)
D8 = gspaces.flipRot2dOnR2(8)
SO2 = gspaces.rot2dOnR2(-1, maximum_frequency=4)
O2 = gspaces.flipRot2dOnR2(-1, maximum_frequency=4)

SCALARS = enn.FieldType(D4, 3 * [D4.trivial_repr])
REGULAR = enn.FieldType(D4, 2 * [D4.regular_repr])
MIXED = enn.FieldType(D4, [D4.regular_repr, D4.trivial_repr, D4.quotient_repr((0, 1)), D4.regular_repr])
VECTORS = enn.FieldType(C4, 2 * [C4.irrep(1)])
GATED = enn.FieldType(C4, 2 * [C4.trivial_repr] + 2 * [C4.irrep(1)])
VECTORS_AND_SCALARS = enn.FieldType(C4, [C4.irrep(1), C4.trivial_repr, C4.irrep(1), C4.irrep(2)])
HARMONICS = enn.FieldType(
    SO2, 2 * [SO2.fibergroup.spectral_regular_representation(*SO2.fibergroup.bl_irreps(2), name=None)]
)
UNIFORM = enn.FieldType(C4, 2 * [group.directsum(2 * [C4.trivial_repr] + 2 * [C4.irrep(1)])])
SIGNS = enn.FieldType(D4, 2 * [D4.irrep(1, 0)] + [D4.trivial_repr])
INDUCED = enn.FieldType(D4, 2 * [D4.induced_repr((None, 4), D4.fibergroup.subgroup((None, 4))[0].irrep(1))])


@dataclass(frozen=True)
class Case:
    """A module with options: make() gives one. sides: maps (H) that it commutes at, and that it does not."""

    name: str
    make: Callable[[], Any]
    options: str = ""
    exact_px: int = 9
    broken_px: int | None = None

    @property
    def id(self) -> str:
        """Name and options."""
        return f"{self.name}({self.options})" if self.options else self.name


def _filled(module: Any) -> Any:
    """`module` with random parameters and statistics, so that an exchange of two would show."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith(("bias", "weight", "log_bias")) and parameter.requires_grad:
                parameter.uniform_(0.1, 0.6, generator=generator)
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.2, 0.9, generator=generator)
    return module


def _multiple() -> Any:
    scalars, gated = enn.FieldType(C4, 2 * [C4.trivial_repr]), GATED
    whole = scalars + gated
    parts = [(enn.ELU(scalars), "scalars"), (enn.GatedNonLinearity1(gated), "gated")]
    return enn.MultipleModule(whole, ["scalars"] * 2 + ["gated"] * 4, parts)


def _sequence() -> Any:
    return enn.SequentialModule(enn.R2Conv(REGULAR, REGULAR, 3, padding=1), enn.ReLU(REGULAR))


def _fourier(kind: str, space: Any = SO2, **options: Any) -> Any:
    irreps = space.fibergroup.bl_irreps(2)
    return getattr(enn, kind)(space, 2, irreps, type="regular", N=16, inplace=False, **options)


def _quotient_fourier(kind: str) -> Any:
    irreps = D4.fibergroup.bl_irreps(2)
    return getattr(enn, kind)(D4, (0, 1), 2, irreps, grid=list(D4.fibergroup.elements), inplace=False)


def _induced_gates() -> Any:
    gates = enn.FieldType(D4, 2 * [D4.quotient_repr((None, 4))])
    return enn.InducedGatedNonLinearity1(gates + INDUCED)


CASES = (
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1)),
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1, stride=2), "stride 2", 9, 10),
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1, padding_mode="circular"), "circular"),
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1, padding_mode="reflect"), "reflect"),
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1, padding_mode="replicate"), "replicate"),
    Case("R2Conv", lambda: enn.R2Conv(REGULAR, REGULAR, 3, padding=1, groups=2), "groups 2"),
    Case("R2Conv", lambda: enn.R2Conv(MIXED, MIXED, 3), "mixed fields"),
    Case("R2Conv", lambda: enn.R2Conv(VECTORS_AND_SCALARS, VECTORS, 3, dilation=2), "irreps"),
    Case("R2ConvTransposed", lambda: enn.R2ConvTransposed(REGULAR, REGULAR, 3, stride=2, padding=1)),
    Case(
        "R2ConvTransposed",
        lambda: enn.R2ConvTransposed(REGULAR, REGULAR, 3, stride=2, padding=1, output_padding=1),
        "output padding",
        broken_px=9,
        exact_px=0,
    ),
    Case("InnerBatchNorm", lambda: _filled(enn.InnerBatchNorm(MIXED))),
    Case("IIDBatchNorm2d", lambda: _filled(enn.IIDBatchNorm2d(VECTORS_AND_SCALARS))),
    Case("NormBatchNorm", lambda: _filled(enn.NormBatchNorm(VECTORS))),
    Case("InducedNormBatchNorm", lambda: _filled(enn.InducedNormBatchNorm(INDUCED))),
    Case("GNormBatchNorm", lambda: _filled(enn.GNormBatchNorm(VECTORS_AND_SCALARS))),
    Case("ReLU", lambda: enn.ReLU(MIXED, inplace=True)),
    Case("ELU", lambda: enn.ELU(REGULAR, alpha=0.7)),
    Case("LeakyReLU", lambda: enn.LeakyReLU(REGULAR, negative_slope=0.2)),
    Case("PointwiseNonLinearity", lambda: enn.PointwiseNonLinearity(REGULAR, "p_tanh")),
    Case("ConcatenatedNonLinearity", lambda: enn.ConcatenatedNonLinearity(SIGNS)),
    Case("NormNonLinearity", lambda: _filled(enn.NormNonLinearity(VECTORS_AND_SCALARS))),
    Case("InducedNormNonLinearity", lambda: _filled(enn.InducedNormNonLinearity(INDUCED))),
    Case("GatedNonLinearity1", lambda: _filled(enn.GatedNonLinearity1(GATED))),
    Case("GatedNonLinearityUniform", lambda: enn.GatedNonLinearityUniform(UNIFORM)),
    Case("InducedGatedNonLinearity1", _induced_gates),
    Case("VectorFieldNonLinearity", lambda: enn.VectorFieldNonLinearity(enn.FieldType(C4, 2 * [C4.regular_repr]))),
    Case("FourierPointwise", lambda: _fourier("FourierPointwise")),
    Case("FourierELU", lambda: _fourier("FourierELU")),
    Case("FourierELU", lambda: _fourier("FourierELU", O2), "O(2)"),
    Case("FourierELU", lambda: _fourier("FourierELU", out_irreps=SO2.fibergroup.bl_irreps(1)), "other irreps out"),
    Case("QuotientFourierPointwise", lambda: _quotient_fourier("QuotientFourierPointwise")),
    Case("QuotientFourierELU", lambda: _quotient_fourier("QuotientFourierELU")),
    Case("TensorProductModule", lambda: enn.TensorProductModule(HARMONICS, HARMONICS)),
    Case("PointwiseMaxPool2D", lambda: enn.PointwiseMaxPool2D(REGULAR, 2), "", 10, 9),
    Case("PointwiseMaxPool2D", lambda: enn.PointwiseMaxPool2D(REGULAR, 3, 2, ceil_mode=True), "ceil mode", 9, 10),
    Case("PointwiseMaxPoolAntialiased2D", lambda: enn.PointwiseMaxPoolAntialiased2D(REGULAR, 3, 2, 1), "", 9, 10),
    Case("PointwiseAvgPool2D", lambda: enn.PointwiseAvgPool2D(REGULAR, 2, ceil_mode=True), "", 10, 9),
    Case("PointwiseAvgPoolAntialiased2D", lambda: enn.PointwiseAvgPoolAntialiased2D(REGULAR, 0.66, 2), "", 9, 10),
    Case("PointwiseAdaptiveAvgPool2D", lambda: enn.PointwiseAdaptiveAvgPool2D(REGULAR, 3), "", 9),
    Case("PointwiseAdaptiveMaxPool2D", lambda: enn.PointwiseAdaptiveMaxPool2D(REGULAR, 3), "", 9),
    Case("NormMaxPool", lambda: enn.NormMaxPool(VECTORS, 2), "", 10, 9),
    Case("NormMaxPool", lambda: enn.NormMaxPool(VECTORS, 2, ceil_mode=True), "ceil mode", 10, 9),
    Case("NormMaxPool", lambda: enn.NormMaxPool(VECTORS_AND_SCALARS, 2), "mixed fields", 10, 9),
    Case("GroupPooling", lambda: enn.GroupPooling(REGULAR)),
    Case("GroupPooling", lambda: enn.GroupPooling(MIXED), "mixed fields"),
    Case("NormPool", lambda: enn.NormPool(VECTORS)),
    Case("NormPool", lambda: enn.NormPool(VECTORS_AND_SCALARS), "mixed fields"),
    Case("InducedNormPool", lambda: enn.InducedNormPool(INDUCED)),
    Case("R2Upsampling", lambda: enn.R2Upsampling(REGULAR, 2, align_corners=True)),
    Case(
        "R2Upsampling",
        lambda: enn.R2Upsampling(REGULAR, size=21, mode="nearest"),
        "nearest, size",
        broken_px=9,
        exact_px=7,
    ),
    Case("PointwiseDropout", lambda: enn.PointwiseDropout(REGULAR)),
    Case("FieldDropout", lambda: enn.FieldDropout(REGULAR)),
    Case("MaskModule", lambda: enn.MaskModule(REGULAR, 9)),
    Case("ReshuffleModule", lambda: enn.ReshuffleModule(MIXED, [3, 1, 0, 2])),
    Case("RestrictionModule", lambda: enn.RestrictionModule(enn.FieldType(D8, [D8.regular_repr]), (0, 4))),
    Case(
        "DisentangleModule",
        lambda: enn.DisentangleModule(enn.FieldType(D8, [D8.regular_repr]).restrict((0, 4))),
    ),
    Case("IdentityModule", lambda: enn.IdentityModule(REGULAR)),
    Case("SequentialModule", _sequence),
    Case("MultipleModule", _multiple),
)


def network_of(case: Case) -> nn.Module:
    """A convolution from a picture to the module's fields, and the module."""
    torch.manual_seed(0)
    module = case.make()
    in_type = module.in_type
    picture = enn.FieldType(in_type.gspace, 3 * [in_type.gspace.trivial_repr])
    return enn.SequentialModule(enn.R2Conv(picture, in_type, 3, padding=1), module)
