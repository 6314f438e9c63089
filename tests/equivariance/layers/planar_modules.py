"""One of each planar module of escnn, small, on the fields it is made for.

`python -m tests.equivariance.layers.planar_modules` writes the table of docs/escnn.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

import equivariance as eq
from equivariance.errors import NetworkError
from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.escnn import gspaces
from equivariance.layers.served import served

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
UNIFORM = enn.FieldType(C4, 2 * [C4.trivial_repr + C4.trivial_repr + C4.irrep(1) + C4.irrep(1)])
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

# Not among the cases, and why; names that stand for others of the cases are not listed.
ELSEWHERE = {
    "EquivariantModule": "the base of all; classes of your own run as they are, their parts as these here",
    "BranchingModule": "a part of MultipleModule; by itself it runs as it is",
    "MergeModule": "a part of MultipleModule; by itself it runs as it is",
    "GatedNonLinearity2": "run as it is inside a network; it takes two inputs",
    "Linear": "served as Linear; its type has no plane, so its group is not read",
    "IIDBatchNorm1d": "run as it is; its type has no plane, so its group is not read",
    "HarmonicPolynomialR3": "takes no pictures",
    "R2PointConv": "takes no pictures",
    "R3PointConv": "takes no pictures",
}
DOCUMENT = Path(__file__).parents[3] / "docs" / "escnn.md"


def network_of(case: Case) -> nn.Module:
    """A convolution from a picture to the module's fields, and the module."""
    torch.manual_seed(0)
    module = case.make()
    in_type = module.in_type
    picture = enn.FieldType(in_type.gspace, 3 * [in_type.gspace.trivial_repr])
    return enn.SequentialModule(enn.R2Conv(picture, in_type, 3, padding=1), module)


def how(case: Case) -> tuple[str, str]:
    """("served" or "run as it is", as which layer or why)."""
    network = network_of(case)
    px = case.exact_px or case.broken_px
    assert px is not None
    made = served(network, "float64", (3, px, px))
    reason = made.as_they_are.get("1", "")
    if reason:
        return "run as it is", reason.removeprefix("1: ").replace("|", ", ")
    inside = ", ".join(made.as_they_are.values())
    return "served", type(made.network[1]).__name__ + (f"; of its parts {inside}" if inside else "")


def refusal_of_volumes() -> str:
    """What `check` says of a module that takes volumes."""
    kind = type("R3Conv", (nn.Conv3d,), {"__module__": "escnn.nn"})  # escnn's own needs 3-D groups, see compat/
    volumes = type(
        "FieldType", (), {"__module__": "escnn.nn", "gspace": SimpleNamespace(dimensionality=3, name="R3"), "size": 1}
    )
    module = kind(1, 1, 3)
    module.in_type = module.out_type = volumes()
    try:
        eq.check(nn.Sequential(module), 9)
    except NetworkError as error:
        return str(error)
    raise AssertionError("it was not refused")


def document() -> str:
    """docs/escnn.md."""
    rows = [f"| {case.id} | {' | '.join(how(case))} |" for case in CASES]
    others = [f"| {name} | {why} |" for name, why in ELSEWHERE.items()]
    return TEXT.format(rows="\n".join(rows), others="\n".join(others), refusal=refusal_of_volumes())


TEXT = """# Networks of escnn and e2cnn

`check`, `predict`, `exact_sizes` and `assert_equivariant` take them as they are: networks that wrap their picture
themselves, sequences that take and give GeometricTensors, and your own EquivariantModules. Group, channels and the type
of every layer are read from the network. Nothing of it is changed, and it is never run itself.

Layers are *served* in plain torch layers in float64 where that is the same function: kernels are averaged over the
elements that move pixels, which may not change them by more than rounding. Everything else *runs as it is*, a copy in
float32, because escnn's bases and outputs are float32; the measurement is then in float32 too, and the report says so.
Each served layer is compared with its original on a random picture, and then the whole network at the size that was
asked for. A layer that differs runs as it is, and a network that differs runs as it is as a whole; the note names the
first reason. `export`, which serves networks, refuses such a layer by its name instead.

A function of each pixel by itself, such as a gated nonlinearity, is one step for theory: that it commutes with the
group is tried on random numbers.

Of a network that is restricted to subgroups the smallest group that moves anything is judged, and a note says so;
`group=` asks for a larger one, which then breaks at the restriction. Groups without a quarter turn, half turn or mirror
that moves pixels to pixels, such as C3, are read, and the report says that there is nothing to compare. Mirrors about
any axis are read.

## Module by module

Made from small networks by `python -m tests.equivariance.layers.planar_modules`, and held by a test. The third column
says as which layer, or why not.

| module | how | |
|---|---|---|
{rows}

| not in the table | |
|---|---|
{others}

Modules of volumes (R3…, …3D) are refused: "{refusal}"

## e2cnn

The same modules are found by their names, and field types by what their elements do. e2cnn 0.2.3 cannot build a
convolution with NumPy 2 as it is published; what is tested is a stand-in that has its names. Tried by hand, with its
own source adapted to NumPy 2 and current torch: sequences of convolutions, normalisations, pools and norm
nonlinearities of Rot2dOnR2, Flip2dOnR2 about both axes, FlipRot2dOnR2 (D4 and O(2)) and TrivialOnR2. Its
other modules were not tried.
"""


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
