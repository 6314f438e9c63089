"""Every planar module of escnn inside a small network: the same function, the right verdict, and the docs say how."""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

import equivariance as eq
from equivariance.groups.fields import move_pixels
from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.reading import acting_of
from equivariance.layers.served import served
from tests.equivariance.layers.planar_modules import CASES, DOCUMENT, ELSEWHERE, Case, document, network_of

# Where escnn looks for a change of basis, it imports an optimiser that leaves a file open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
ROUNDING = 3e-5  # of a few layers in float32

WITH_PX = [
    pytest.param(case, px, id=f"{case.id}-{px}px")
    for case in CASES
    for px in (case.exact_px, case.broken_px)
    if px and not (case.name == "NormMaxPool" and case.options == "ceil mode" and px == case.broken_px)
]


def relative(value: Tensor, reference: Tensor) -> float:
    if value.shape != reference.shape:
        return float("inf")
    return float((value.double() - reference.double()).norm() / reference.double().norm())


@cache
def picture(px: int) -> Tensor:
    return torch.randn(1, 3, px, px, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def errors_in_escnn(network: nn.Module, px: int) -> dict[str, float]:
    """The oracle: escnn's own network and its own transform of its own output, in float32."""
    network = copy.deepcopy(network).eval()
    upright = network(enn.GeometricTensor(picture(px), network.in_type))
    errors = {}
    for element, theirs in acting_of(upright.type.gspace).elements:
        if element.moves_pixels and not element.is_identity:
            moved = network(enn.GeometricTensor(move_pixels(picture(px), element).contiguous(), network.in_type))
            errors[element.name] = relative(moved.tensor, upright.transform(theirs).tensor)
    return errors


@pytest.mark.parametrize(("case", "px"), WITH_PX)
def test_network_made_ready_does_what_the_original_does(case: Case, px: int) -> None:
    network = network_of(case)
    made = served(network, "float64", (3, px, px))
    with torch.no_grad():
        expected = network.eval()(enn.GeometricTensor(picture(px), network.in_type))
        output = made.network(picture(px).to(torch.float64 if made.dtype == "float64" else torch.float32))
    assert relative(getattr(output, "tensor", output), expected.tensor) < ROUNDING


@pytest.mark.parametrize(("case", "px"), WITH_PX)
def test_verdict_is_that_of_escnn_s_own_network(case: Case, px: int) -> None:
    network = network_of(case)
    expected = {name: "exact" if error < ROUNDING else "broken" for name, error in errors_in_escnn(network, px).items()}

    report = eq.check(network, px)

    assert report.elements == expected
    assert (set(expected.values()) == {"exact"}) == (px == case.exact_px)  # the case is what it says that it is
    assert report.first_broken_layer == (None if px == case.exact_px else "1")
    if case.options != "ceil mode" or case.name != "NormMaxPool":
        assert report.evidence == "theory and measurement", report.not_followed
    assert report.dtype == ("float32" if any("measured in float32" in note for note in report.notes) else "float64")


def test_norm_max_pool_with_ceil_mode_fails_in_one_sentence_where_escnn_s_own_fails() -> None:
    (case,) = (each for each in CASES if each.name == "NormMaxPool" and each.options == "ceil mode")
    network = network_of(case)
    with pytest.raises(RuntimeError):
        network(enn.GeometricTensor(picture(9), network.in_type))
    with pytest.raises(eq.SizeError if hasattr(eq, "SizeError") else Exception, match="cannot take 3×9×9"):
        eq.check(network, 9)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.exact_px and case.broken_px and case.options != "ceil mode"],
    ids=lambda c: c.id,
)
def test_exact_sizes_are_those_at_which_escnn_s_own_network_is_exact(case: Case) -> None:
    network = network_of(case)
    sides = eq.exact_sizes(network, 7, 12)["height"]
    exact = [px for px in range(7, 13) if max(errors_in_escnn(network, px).values()) < ROUNDING]
    assert list(sides) == exact


def test_every_planar_module_of_escnn_is_a_case_or_named_elsewhere() -> None:
    named = {case.name for case in CASES} | set(ELSEWHERE)
    other_names = {"PointwiseMaxPool", "PointwiseMaxPoolAntialiased", "PointwiseAvgPool", "PointwiseAvgPoolAntialiased"}
    other_names |= {"PointwiseAdaptiveAvgPool", "PointwiseAdaptiveMaxPool", "MaxPoolChannels"}
    modules = {
        name
        for name in enn.__all__
        if isinstance(getattr(enn, name, None), type) and hasattr(getattr(enn, name), "forward")
    }
    volumes = {name for name in modules if name.startswith("R3") or name.endswith("3D") or name.endswith("3d")}
    assert modules - volumes - other_names - named == set()


def test_the_table_in_the_docs_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run python -m tests.equivariance.layers.planar_modules"
