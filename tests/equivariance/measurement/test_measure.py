"""Measurement against theory, for every equivariant network; wrong layers caught; nothing kept, nothing left behind."""

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional

import equivariance.measurement.measure as measure_module
from equivariance.errors import TransformError
from equivariance.groups.acting import disc_mask, transform_fields, transform_picture
from equivariance.groups.fields import FieldType, Harmonics, regular, scalars
from equivariance.groups.point_groups import C4, SO2, Element
from equivariance.groups.transforms import Shift, Transform
from equivariance.layers.export import layers_of, types_of
from equivariance.layers.plain import typed
from equivariance.measurement.measure import Measurement, measure
from equivariance.theory.exactness import Prediction, Structure, predict
from equivariance.theory.grids import BROKEN, EXACT
from models import build, catalog

EQUIVARIANT = tuple(name for name in catalog.NAMES if not name.startswith("z2-"))
# Every kind of filter and of pool without the `full` mark, the others with it.
QUICK = {"p4-cnn", "p4-resnet18", "p4m-resnet18-large", "c8-wide-resnet-10-4", "so2-cnn", "so2-resnet18", "d4-knight"}
MOSTLY_FULL = [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in EQUIVARIANT]
# Residual networks of many layers and smooth filters, with the mark too: their layers are those of the others.
SLOW = {
    f"{group}-{family}" for group in ("c8", "d4", "d8", "so2") for family in ("resnet18", "resnet18-large", "resnet44")
}
FEW_FULL = [pytest.param(name, marks=pytest.mark.full) if name in SLOW - QUICK else name for name in EQUIVARIANT]
ROUNDING, ROUNDING32, SEEN = 1e-10, 3e-5, 1e-4
TURN, HALF_TURN = Element(90.0), Element(180.0)
# Six sides of each family, exact and broken ones, and a picture that is not square and exact along its width.
SIZES = {
    "cnn": (12, 13, 14, 17, 20, 21),
    "knight": (8, 9, 11, 12, 16, 17),
    "resnet18": (9, 12, 16, 17, 20, 25),
    "resnet44": (9, 10, 12, 13, 16, 17),
    "resnet18-large": (17, 24, 31, 32, 33, 34),
    "wide-resnet-10-4": (9, 10, 12, 13, 16, 17),
}
EXACT_AND_NOT = {
    "cnn": (14, 13),
    "knight": (9, 12),
    "resnet18": (17, 16),
    "resnet44": (13, 12),
    "resnet18-large": (33, 32),
    "wide-resnet-10-4": (13, 12),
}
NOT_SQUARE = {
    "cnn": (13, 16),
    "knight": (10, 13),
    "resnet18": (14, 17),
    "resnet44": (14, 17),
    "resnet18-large": (26, 33),
    "wide-resnet-10-4": (11, 13),
}


def picture(height_px: int, width_px: int, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(3, height_px, width_px, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def serve(
    name: str, *, head: str = "", minimum_width: bool = True, subsampling: str = "published"
) -> tuple[nn.Module, Structure]:
    network = catalog.spec(name, minimum_width=minimum_width, head=head, subsampling=subsampling)
    served = build.serve(network)
    return served, Structure(served, network.point_group)


def assert_theory_and_measurement_agree(prediction: Prediction, measured: Measurement) -> None:
    """Element by element and layer by layer, with nothing between rounding and what is seen."""
    assert [layer.name for layer in measured.layers] == [layer.name for layer in prediction.layers]
    for element, status in prediction.elements.items():
        where = f"{element} at {measured.height_px}×{measured.width_px}"
        errors = [layer.error[element] for layer in measured.layers] + [measured.output_error[element]]
        breaking = [at for at, layer in enumerate(prediction.layers) if layer.elements[element] == BROKEN]
        first = breaking[0] if breaking else len(errors)
        assert all(error < ROUNDING for error in errors[:first] if error is not None), where
        if status == EXACT:
            assert not breaking, where
        else:
            assert status == BROKEN, where
            assert max(error for error in errors[first:] if error is not None) > SEEN, where
        for theory, layer in zip(prediction.layers, measured.layers, strict=True):
            assert (theory.in_hw, theory.out_hw) == (layer.in_hw, layer.out_hw), layer.name
            own, said = layer.own_error[element], theory.elements[element]
            assert (own is None) == (said == "no action"), f"{layer.name}, {where}"
            if own is not None:
                assert own < ROUNDING if said == EXACT else own > SEEN, (
                    f"{layer.name}, {where}: {said}, own error {own:.1e}"
                )


def check(name: str, sizes: list[tuple[int, int]], **options: Any) -> list[str]:
    """Compare theory and measurement at all sizes; gives the verdicts."""
    served, structure = serve(name, **options)
    verdicts = []
    for height_px, width_px in sizes:
        prediction = predict(structure, height_px=height_px, width_px=width_px)
        measured = measure(served, picture(height_px, width_px), structure.elements)
        assert_theory_and_measurement_agree(prediction, measured)
        verdicts.append(prediction.verdict)
    return verdicts


def test_every_family_has_its_sizes() -> None:
    assert set(SIZES) == set(EXACT_AND_NOT) == set(NOT_SQUARE) == set(catalog.FAMILIES)


@pytest.mark.parametrize("name", FEW_FULL)
def test_measurement_and_theory_agree_where_exact_where_not_and_not_square(name: str) -> None:
    family = name.partition("-")[2]
    exact, broken = EXACT_AND_NOT[family]
    assert check(name, [(exact, exact), (broken, broken), NOT_SQUARE[family]]) == ["exact", *["approximate"] * 2]


@pytest.mark.parametrize("name", MOSTLY_FULL)
def test_measurement_and_theory_agree_at_every_size(name: str) -> None:
    family = name.partition("-")[2]
    verdicts = check(name, [(side, side) for side in SIZES[family]])
    assert set(verdicts) == {"exact", "approximate"}


@pytest.mark.parametrize("name", MOSTLY_FULL)
def test_mended_network_is_exact_at_every_size(name: str) -> None:
    family = name.partition("-")[2]
    sizes = [(side, side) for side in SIZES[family]] + [NOT_SQUARE[family]]
    assert set(check(name, sizes, subsampling="symmetric")) == {"exact"}


@pytest.mark.parametrize("name", ["p4m-resnet18-large", "so2-cnn"])
def test_network_with_larger_kernels_is_exact_at_every_size(name: str) -> None:
    sizes = [(side, side) for side in SIZES[name.partition("-")[2]]]
    assert set(check(name, sizes, subsampling=catalog.LARGER_KERNELS)) == {"exact"}


@pytest.mark.parametrize("name", MOSTLY_FULL)
def test_measurement_and_theory_agree_for_blurred_networks(name: str) -> None:
    family = name.partition("-")[2]
    sizes = [(side, side) for side in SIZES[family]] + [NOT_SQUARE[family]]
    assert set(check(name, sizes, subsampling="antialiased")) == {"exact", "approximate"}


@pytest.mark.full
@pytest.mark.parametrize("name", EQUIVARIANT)
def test_measurement_and_theory_agree_at_full_width(name: str) -> None:
    family = name.partition("-")[2]
    sides = (64, 65) if family == "resnet18-large" else (32, 33)
    verdicts = check(name, [(side, side) for side in sides], minimum_width=False)
    assert sorted(verdicts) == ["approximate", "exact"]


def test_comparison_fails_where_theory_and_measurement_differ() -> None:
    """The comparison itself, made to fail: theory of an intact network with a spoilt one's errors, and the reverse."""
    served, structure = serve("p4-cnn")
    intact = predict(structure, height_px=12, width_px=12)
    spoilt = copy.deepcopy(served)
    spoilt.layer3.conv.weight[0] += 1e-2
    with pytest.raises(AssertionError, match=r"rot90 at 12×12"):
        assert_theory_and_measurement_agree(intact, measure(spoilt, picture(12, 12), structure.elements))
    spoilt_theory = predict(Structure(spoilt, C4), height_px=12, width_px=12)
    with pytest.raises(AssertionError):
        assert_theory_and_measurement_agree(spoilt_theory, measure(served, picture(12, 12), structure.elements))


@pytest.mark.parametrize("name", ["p4m-resnet18", "c4-cnn", "so2-cnn"])
def test_float32_errors_of_exact_networks_are_rounding_and_of_broken_ones_are_not(name: str) -> None:
    served, structure = serve(name)
    served = served.float()
    exact_px, broken_px = (12, 13) if name.endswith("cnn") else (17, 16)
    exact, broken = (
        measure(served, picture(side, side, dtype=torch.float32), structure.elements) for side in (exact_px, broken_px)
    )
    assert exact.dtype == "float32"
    assert 0 < exact.largest_error("rot90") < ROUNDING32
    assert broken.largest_error("rot90") > SEEN


@pytest.mark.parametrize("name", ["p4-cnn", "d4-knight"])
def test_errors_and_own_errors_are_those_of_the_definition(name: str) -> None:
    """Against two passes of their own, without batch, hooks on all layers, written out."""
    served, structure = serve(name)
    x = picture(13, 13)
    measured = measure(served, x, structure.elements)

    def outputs(picture: Tensor) -> dict[str, tuple[nn.Module, Tensor, Tensor]]:
        seen = {}
        copied = copy.deepcopy(served)
        for layer_name, layer in layers_of(copied):
            layer.register_forward_hook(lambda m, i, o, layer_name=layer_name: seen.update({layer_name: (m, i[0], o)}))
        copied(picture[None])
        return seen

    upright = outputs(x)
    for element in structure.elements:
        moved = outputs(transform_picture(x, element))
        for layer in measured.layers:
            module, features, expected = upright[layer.name]
            if types_of(module)[1] is not None:
                aligned = transform_fields(expected, module.out_type, element)
                error = (moved[layer.name][2] - aligned).norm() / expected.norm()
                own = (
                    module.forward(transform_fields(features, module.in_type, element)) - aligned
                ).norm() / expected.norm()
                assert layer.error[element.name] == pytest.approx(float(error), rel=1e-9, abs=1e-14), layer.name
                assert layer.own_error[element.name] == pytest.approx(float(own), rel=1e-9, abs=1e-14), layer.name


def test_logits_are_the_network_s_own_for_every_transform() -> None:
    served, structure = serve("p4-cnn")
    x = picture(13, 13)
    measured = measure(served, x, structure.elements)
    for transform in (Element(), *structure.elements):
        expected = served(transform_picture(x, transform)[None])[0]
        torch.testing.assert_close(torch.tensor(measured.logits[transform.name], dtype=torch.float64), expected)
    assert list(measured.logits) == ["identity", "rot90", "rot180", "rot270"]


def alike(errors: dict[str, float | None]) -> dict[str, object]:
    """The same errors up to rounding; None stays None."""
    return {
        name: error if error is None else pytest.approx(error, rel=1e-6, abs=1e-13) for name, error in errors.items()
    }


@pytest.mark.parametrize("per_pass", [1, 2, 5])
@pytest.mark.parametrize("size", [(13, 13), (13, 16)], ids=str)
def test_passes_of_few_transforms_give_the_same_as_one(size: tuple[int, int], per_pass: int) -> None:
    served, structure = serve("p4m-cnn")
    transforms = (*structure.elements, Element(45.0), Element(10.0))
    whole = measure(served, picture(*size), transforms)
    parts = measure(served, picture(*size), transforms, transforms_per_pass=per_pass)
    for one, other in zip(whole.layers, parts.layers, strict=True):
        assert one.error == alike(other.error)
        assert one.own_error == alike(other.own_error)


@pytest.mark.parametrize("size", [(13, 13), (13, 16)], ids=str)
@pytest.mark.parametrize(
    "transforms", [[], [TURN], [HALF_TURN], [Element(45.0)], [TURN, Element(45.0)]], ids=lambda each: str(len(each))
)
def test_any_choice_of_transforms_can_be_measured_alone(transforms: list[Transform], size: tuple[int, int]) -> None:
    served, structure = serve("p4-cnn")
    chosen = measure(served, picture(*size), transforms)
    everything = measure(served, picture(*size), [*structure.elements, Element(45.0)])
    assert list(chosen.logits) == ["identity", *[transform.name for transform in transforms]]
    for one, other in zip(chosen.layers, everything.layers, strict=True):
        assert one.error == alike({name: other.error[name] for name in one.error})


def test_maps_kept_for_a_second_pass_are_those_of_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[dict[str, Tensor]] = []
    release = measure_module._Recorder.release

    def watched(recorder: Any) -> None:
        kept.append(dict(recorder._upright))
        release(recorder)

    monkeypatch.setattr(measure_module._Recorder, "release", watched)
    served, structure = serve("p4m-cnn")
    measure(served, picture(13, 16), structure.elements)
    assert len(kept[0]) > 10
    assert all(maps.untyped_storage().nbytes() == maps.numel() * maps.itemsize for maps in kept[0].values())


def test_quarter_turns_of_a_picture_that_is_not_square_are_compared_with_swapped_axes() -> None:
    served, structure = serve("p4-cnn")
    measured = measure(served, picture(13, 16), structure.elements, maps_of="layer1.conv")
    assert measured.maps.transforms["rot90"].transformed.shape == (12, 16, 13)
    assert measured.maps.transforms["rot90"].realigned.shape == (12, 13, 16)
    assert measured.largest_error("rot90") < ROUNDING < SEEN < measured.largest_error("rot270")
    assert all(layer.own_error["rot90"] is not None for layer in measured.layers)
    assert measured.logits["rot90"] == pytest.approx(measured.logits["identity"], abs=1e-12)


@pytest.mark.parametrize("place", range(4))
def test_largest_error_is_nan_wherever_one_is(place: int) -> None:
    served, structure = serve("p4-cnn")
    measured = measure(served, picture(12, 12), structure.elements)
    layers = list(measured.layers)
    if place < 3:
        number = (0, len(layers) // 2, -1)[place]
        layers[number] = replace(layers[number], error={**layers[number].error, "rot90": math.nan})
    logits = {"rot90": math.nan} if place == 3 else {}
    spoilt = replace(measured, layers=tuple(layers), output_error={**measured.output_error, **logits})

    largest = spoilt.largest_error("rot90")

    assert largest is not None and math.isnan(largest)
    assert spoilt.largest_error("rot180") == measured.largest_error("rot180")


def test_own_errors_can_be_left_out() -> None:
    served, structure = serve("p4-cnn")
    measured = measure(served, picture(12, 12), structure.elements, own_errors=False)
    assert all(layer.own_error == {} and layer.error["rot90"] < ROUNDING for layer in measured.layers)


class FirstChannelAlone(nn.Module):
    """An activation that treats one element of the group unlike the others."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([functional.elu(features[:, :1]), features[:, 1:].relu()], 1)


def turn_kernel_of_layer3(network: nn.Module) -> str:
    weight = network.layer3.conv.weight
    weight.copy_(weight.unflatten(0, (-1, 4))[:, [0, 3, 2, 1]].flatten(0, 1))  # clockwise
    return "layer3.conv"


def bias_one_channel_of_layer5(network: nn.Module) -> str:
    network.layer5.norm.bias[1] += 0.5
    return "layer5.norm"


def activate_one_channel_alone(network: nn.Module) -> str:
    network.layer4.activation = typed(FirstChannelAlone(), regular(C4, 3), regular(C4, 3))
    return "layer4.activation"


@pytest.mark.parametrize(
    "spoil",
    [turn_kernel_of_layer3, bias_one_channel_of_layer5, activate_one_channel_alone],
    ids=lambda each: each.__name__,
)
def test_wrong_layer_is_caught_by_its_own_error_and_named_by_theory(spoil: Callable[[nn.Module], str]) -> None:
    served, structure = serve("p4-cnn")
    name = spoil(served)
    measured = measure(served, picture(12, 12), structure.elements)
    wrong = {layer.name for layer in measured.layers if max(layer.own_error.values()) > ROUNDING}
    theory = predict(Structure(served, C4), height_px=12, width_px=12)
    assert wrong == {name} == {layer.name for layer in theory.broken_layers}
    own = next(layer.own_error for layer in measured.layers if layer.name == name)
    assert own["rot90"] > 1e-3
    assert theory.verdict == "not equivariant"
    inherited = [layer.name for layer in measured.layers if layer.error["rot90"] > ROUNDING]
    assert inherited[0] == name and len(inherited) > 5


def test_relu_on_harmonics_is_caught() -> None:
    served, structure = serve("so2-cnn")
    served.layer4.activation = typed(nn.ReLU(), *[FieldType(((Harmonics(3), 3),))] * 2)
    measured = measure(served, picture(12, 12), structure.elements)
    assert {layer.name for layer in measured.layers if layer.own_error["rot90"] > ROUNDING} == {"layer4.activation"}
    assert predict(Structure(served, SO2), height_px=12, width_px=12).first_broken_layer.name == "layer4.activation"


def test_plain_network_is_far_from_equivariant() -> None:
    served, structure = serve("z2-cnn")
    measured = measure(served, picture(12, 12), structure.elements)
    assert all(measured.largest_error(element.name) > 1e-2 for element in structure.elements)
    assert all(layer.own_error["mirror"] > 1e-2 for layer in measured.layers if layer.kind == "Conv2d")


def test_logits_without_group_pooling_are_not_compared() -> None:
    served, structure = serve("p4-cnn", head="no-pooling")
    measured = measure(served, picture(12, 12), structure.elements)
    assert measured.output_error == {"rot90": None, "rot180": None, "rot270": None}
    assert measured.logits["rot90"] != pytest.approx(measured.logits["identity"], abs=1e-3)
    assert measured.largest_error("rot90") < ROUNDING


def deep_stack(depth: int) -> nn.Sequential:
    """Convolutions one after the other, each with maps of the same size."""
    layers = []
    for at in range(depth):
        layer = nn.Conv2d(3, 3, 3, padding=1, dtype=torch.float64)
        nn.init.normal_(layer.weight, std=0.2, generator=torch.Generator().manual_seed(at))
        layers.append(typed(layer, scalars(3), scalars(3)))
    return nn.Sequential(*layers).requires_grad_(requires_grad=False)


def most_alive_at_once(network: nn.Sequential, *, keep: list[Tensor] | None = None) -> int:
    """How many layers' outputs are held at the worst moment of a measurement."""
    outputs: list[StorageWeakRef] = []
    alive: list[int] = []

    def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
        outputs.append(StorageWeakRef(output.untyped_storage()))
        if keep is not None:
            keep.append(output[:1])
        alive.append(sum(not each.expired() for each in outputs))

    for layer in network:
        layer.register_forward_hook(hook)
    measure(network, picture(16, 16), [TURN, HALF_TURN])
    return max(alive)


def test_maps_of_no_more_than_two_layers_are_held_however_deep_the_network() -> None:
    assert most_alive_at_once(deep_stack(5)) == most_alive_at_once(deep_stack(40)) <= 2  # a layer's input and output


def test_maps_that_are_kept_would_be_counted() -> None:
    assert most_alive_at_once(deep_stack(40), keep=[]) == 40


def test_two_threads_measure_the_same_network_as_one_after_the_other() -> None:
    served, structure = serve("p4-resnet18")
    pictures = [picture(side, side, seed=seed) for side in (16, 17) for seed in range(4)]
    one_by_one = [measure(served, each, structure.elements) for each in pictures]
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda each: measure(served, each, structure.elements), pictures))
    assert at_once == one_by_one


def hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def test_no_hooks_and_no_changes_are_left_on_the_network() -> None:
    served, structure = serve("p4-cnn")
    before = {name: value.clone() for name, value in served.state_dict().items()}
    measure(served, picture(12, 12), structure.elements, maps_of="layer1.conv")
    assert hooks(served) == 0
    assert all(torch.equal(value, before[name]) for name, value in served.state_dict().items())


def test_progress_that_raises_stops_the_pass_before_the_next_layer() -> None:
    served, structure = serve("p4-cnn")
    calls = []

    def stop(fraction: float) -> None:
        calls.append(fraction)
        if len(calls) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure(served, picture(12, 12), structure.elements, progress=stop)

    assert len(calls) == 5
    assert hooks(served) == 0
    assert measure(served, picture(12, 12), structure.elements).largest_error("rot90") < ROUNDING


@pytest.mark.parametrize(("width_px", "passes"), [(12, 1), (14, 2)], ids=["square", "not square"])
def test_progress_is_told_before_every_layer_of_every_pass(width_px: int, passes: int) -> None:
    served, structure = serve("p4-cnn")
    told: list[float] = []
    measured = measure(served, picture(12, width_px), structure.elements, progress=told.append)
    total = passes * len(measured.layers)
    assert told == [done / total for done in range(total)]


@pytest.mark.parametrize("layer", ["layer1.conv", "pool", "layer5.activation", "head.spatial_mean"])
@pytest.mark.parametrize("name", ["p4m-cnn", "so2-cnn"])
def test_maps_of_a_layer_have_its_errors(name: str, layer: str) -> None:
    served, structure = serve(name)
    measured = measure(served, picture(13, 13), structure.elements, maps_of=layer)
    kept = next(each for each in measured.layers if each.name == layer)
    assert measured.maps.name == layer and set(measured.maps.transforms) == set(kept.error)
    for element in structure.elements:
        maps = measured.maps.transforms[element.name]
        error = float((maps.realigned - maps.upright).norm() / maps.upright.norm())
        assert error == pytest.approx(kept.error[element.name], rel=1e-4, abs=ROUNDING32)
        if maps.upright.dim() == 3:
            back = transform_fields(maps.transformed[None], measured.maps.field_type, element.inverse)[0]
            torch.testing.assert_close(maps.realigned, back, atol=1e-6, rtol=1e-6)


def test_maps_are_kept_of_the_layer_that_was_asked_for_alone() -> None:
    served, structure = serve("p4-cnn")
    assert measure(served, picture(12, 12), structure.elements).maps is None
    assert measure(served, picture(12, 12), structure.elements, maps_of="no such layer").maps is None
    maps = measure(served, picture(12, 12), [TURN], maps_of="layer1.conv").maps
    expected = served.layer1.conv(picture(12, 12)[None])[0].float()
    torch.testing.assert_close(maps.transforms["rot90"].upright, expected)
    assert maps.transforms["rot90"].upright.dtype == torch.float32


def valid_stack() -> nn.Module:
    """Convolutions without padding: 1, 2 and 2 pixels apart."""
    layers = []
    for at, stride in enumerate((1, 2, 1)):
        layer = nn.Conv2d(3, 3, 3, stride, dtype=torch.float64)
        nn.init.normal_(layer.weight, std=0.3, generator=torch.Generator().manual_seed(at))
        layers.append(typed(layer, scalars(3), scalars(3)))
    return nn.Sequential(*layers).requires_grad_(requires_grad=False)


@pytest.mark.parametrize("shift", [Shift(4, 0), Shift(-2, 6), Shift(0, -4), Shift(0, 0)], ids=lambda each: each.name)
def test_shift_by_a_multiple_of_the_stride_leaves_the_interior_as_it_is(shift: Shift) -> None:
    network = valid_stack()
    grids = Structure(network, C4).grids(height_px=20, width_px=21)
    measured = measure(network, picture(20, 21), [shift], grids=grids, maps_of="2")
    for layer in measured.layers:
        assert layer.error[shift.name] == pytest.approx(0, abs=1e-14)
        assert layer.own_error[shift.name] is None
    maps = measured.maps.transforms[shift.name]
    torch.testing.assert_close(maps.realigned, maps.upright)
    assert shift == Shift(0, 0) or not torch.equal(maps.transformed, maps.upright)


def test_shift_is_compared_only_where_the_stride_divides_it() -> None:
    network = valid_stack()
    grids = Structure(network, C4).grids(height_px=20, width_px=20)
    measured = measure(network, picture(20, 20), [Shift(3, 0)], grids=grids)
    errors = [layer.error["shift_3_0"] for layer in measured.layers]
    assert errors == [pytest.approx(0, abs=1e-14), None, None]
    assert measured.output_error["shift_3_0"] is None


def test_shift_is_not_compared_where_no_interior_is_left() -> None:
    network = valid_stack()
    grids = Structure(network, C4).grids(height_px=12, width_px=12)
    measured = measure(network, picture(12, 12), [Shift(8, 0)], grids=grids)
    assert [layer.error["shift_8_0"] is None for layer in measured.layers] == [False, True, True]


@pytest.mark.parametrize("name", ["p4-resnet18", "so2-cnn", "c4-resnet18-large"])
def test_interior_of_padded_networks_follows_the_shift(name: str) -> None:
    served, structure = serve(name)
    side, shift = 65, Shift(8, -16)
    grids = structure.grids(height_px=side, width_px=side)
    errors = [each.error[shift.name] for each in measure(served, picture(side, side), [shift], grids=grids).layers]
    compared = [error for error in errors if error is not None]
    assert len(compared) > 5 and max(compared) < ROUNDING
    assert errors[-1] is None  # logits have no interior


class Ramp(nn.Module):
    """A layer that knows where it is."""

    def forward(self, features: Tensor) -> Tensor:
        return features * torch.linspace(1, 2, features.shape[-1], dtype=features.dtype)


def test_layer_that_knows_where_it_is_does_not_follow_a_shift() -> None:
    network = valid_stack()
    network.insert(1, typed(Ramp(), scalars(3), scalars(3)))
    grids = dict(Structure(network, C4).grids(height_px=20, width_px=20))
    measured = measure(network, picture(20, 20), [Shift(0, 4)], grids=grids)
    assert measured.layers[0].error["shift_0_4"] < 1e-14 and measured.layers[1].error["shift_0_4"] > 1e-2


@pytest.mark.parametrize("shift", [Shift(2, 2), Shift(-2, -2)], ids=lambda each: each.name)
def test_padding_that_is_a_layer_of_its_own_is_not_part_of_the_interior(shift: Shift) -> None:
    network = valid_stack()
    network.insert(0, typed(nn.ZeroPad2d(2), scalars(3), scalars(3)))
    grids = Structure(network, C4).grids(height_px=20, width_px=20)
    measured = measure(network, picture(20, 20), [shift], grids=grids)
    assert [layer.error[shift.name] for layer in measured.layers] == [pytest.approx(0, abs=1e-14)] * 4


def test_shift_without_grids_is_refused() -> None:
    with pytest.raises(TransformError, match="Shifts need the grids"):
        measure(valid_stack(), picture(20, 20), [Shift(1, 0)])


@pytest.mark.parametrize("name", ["so2-cnn", "c8-cnn", "d8-cnn"])
def test_resampled_angle_of_the_group_is_compared_at_every_layer(name: str) -> None:
    served, _ = serve(name)
    measured = measure(served, picture(28, 28), [Element(45.0)])
    errors = [layer.error["rot45"] for layer in measured.layers] + [measured.output_error["rot45"]]
    own = [layer.own_error["rot45"] for layer in measured.layers]
    assert all(0 < error < 2 and math.isfinite(error) for error in errors)  # resampling is never exact
    assert all(error is not None and math.isfinite(error) for error in own)


@pytest.mark.parametrize("name", ["p4-cnn", "c4-cnn", "c8-cnn"])
def test_angle_outside_the_group_is_compared_on_scalars_alone(name: str) -> None:
    served, _ = serve(name, head="maximum-first")
    measured = measure(served, picture(28, 28), [Element(30.0)])
    compared = {layer.name for layer in measured.layers if layer.error["rot30"] is not None}
    assert compared == {"head.group_pool", "head.spatial_mean", "head.classifier"}
    assert measured.output_error["rot30"] is not None
    own = {layer.name for layer in measured.layers if layer.own_error["rot30"] is not None}
    assert own == {"head.spatial_mean", "head.classifier"}


def test_mirror_has_no_action_on_harmonics() -> None:
    measured = measure(serve("so2-cnn")[0], picture(12, 12), [Element(mirrored=True)])
    assert measured.layers[0].error["mirror"] is None and measured.layers[0].own_error["mirror"] is None


def test_angle_is_compared_inside_the_disc_on_a_picture_masked_to_it() -> None:
    served, _ = serve("so2-cnn")
    x = picture(21, 21)
    mask = disc_mask(21, 21)
    measured = measure(served, x, [Element(45.0)], maps_of="layer1.conv")

    first = served.layer1.conv
    masked = x * mask
    expected = transform_fields(first(masked[None]), first.out_type, Element(45.0)) * mask
    moved = first(transform_picture(masked, Element(45.0))[None]) * mask
    assert measured.layers[0].error["rot45"] == pytest.approx(float((moved - expected).norm() / expected.norm()))
    maps = measured.maps.transforms["rot45"]
    torch.testing.assert_close(maps.upright, first(masked[None])[0].float())
    assert torch.equal(maps.realigned * ~mask, maps.upright * ~mask)  # nothing is compared outside


def test_layer_that_treats_the_axes_unlike_has_an_infinite_error_under_what_swaps_them() -> None:
    network = nn.Sequential(typed(nn.ZeroPad2d((1, 1, 0, 0)), scalars(3), scalars(3)), valid_stack()[0])
    measured = measure(network, picture(8, 8), [TURN, HALF_TURN], maps_of="0")
    assert [layer.error["rot90"] for layer in measured.layers] == [math.inf, math.inf]
    assert measured.layers[0].own_error["rot90"] == math.inf
    assert measured.layers[0].error["rot180"] == measured.layers[0].own_error["rot180"] == 0
    assert measured.maps.transforms["rot90"].realigned is None
