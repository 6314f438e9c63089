"""The verdict: theory's word, settled and contradicted by measurement, in sentences with the right numbers."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import scalars
from equivariance.groups.point_groups import C4, Element, PointGroup, group_called
from equivariance.layers.plain import typed
from equivariance.measurement import verdict
from equivariance.measurement.measure import Measurement, measure
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import Verdict, calls_for_more, judge, size_text
from equivariance.theory.exactness import Prediction, Structure, predict
from explorer.pages.look.explaining import explain
from explorer.serving.engine import Engine, Inspection, Request
from explorer.settings import Settings
from models.blocks import SpatialMean
from models.catalog import NetworkSpec, spec

Inspect = Callable[..., Inspection]


@pytest.fixture(scope="module")
def inspect() -> Inspect:
    """Inspect the minimum version of a network on random pixels, float64."""
    engine = Engine(Settings(device="cpu"))

    def inspect(
        name: str, height_px: int, width_px: int | None = None, *, head: str = "", dtype: str = "float64"
    ) -> Inspection:
        network = spec(name, head=head, minimum_width=True)
        picture = random_picture(height_px, width_px or height_px)
        return engine.inspect(Request(network, 0, picture, dtype=dtype))

    return inspect


def random_picture(height_px: int, width_px: int) -> Tensor:
    return torch.rand(3, height_px, width_px, generator=torch.Generator().manual_seed(0))


def doctored(measurement: Measurement, element: str, error: float) -> Measurement:
    """`measurement` with another error of its last layer and logits under `element`."""
    *layers, last = measurement.layers
    last = replace(last, error={**last.error, element: error})
    return replace(measurement, layers=(*layers, last), output_error={**measurement.output_error, element: error})


def largest_error(measurement: Measurement) -> float:
    everything = [error for layer in measurement.layers for error in layer.error.values()]
    everything += measurement.output_error.values()
    return max(error for error in everything if error is not None)


class OneSidedPool(nn.Module):
    """A row and a column of zeros below and right, then a 2×2 maximum.

    At an even side the zeros are never read and all is exact; at an odd side they displace the grid.
    """

    def __init__(self) -> None:
        super().__init__()
        colours = scalars(3)
        self.pad = typed(nn.ZeroPad2d((0, 1, 0, 1)), colours, colours)
        self.pool = typed(nn.MaxPool2d(2, 2), colours, colours)
        self.mean = typed(SpatialMean(), colours, colours)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 3)."""
        return self.mean(self.pool(self.pad(picture)))


def one_sided(side_px: int) -> tuple[Prediction, Measurement]:
    """OneSidedPool measured, and a theory that cannot decide on it because its padding merges with the pool."""
    network = OneSidedPool().double().eval()
    structure = Structure(network, C4)
    measurement = measure(network, random_picture(side_px, side_px).double(), structure.elements)
    prediction = predict(structure, height_px=side_px, width_px=side_px)
    undecided, exact = (dict.fromkeys(prediction.elements, status) for status in ("undecided", "exact"))
    pad, *others = prediction.layers
    layers = (replace(pad, elements=undecided), *(replace(layer, elements=exact) for layer in others))
    return replace(prediction, verdict="undecided", elements=undecided, layers=layers), measurement


# --------------------------------------------------------------------------------------------------------- three kinds


def test_exact_names_the_largest_error_and_the_dtype(inspect: Inspect) -> None:
    inspection = inspect("p4-resnet18", 33)
    verdict, largest = inspection.verdict, largest_error(inspection.measurement)

    assert verdict.kind == "exact"
    assert verdict.elements == dict.fromkeys(("rot90", "rot180", "rot270"), "exact")
    assert verdict.headline == "Exactly equivariant to quarter turns at 33 px"
    assert verdict.reason == (
        f"Every sampling grid is centred; the largest error, {largest:.1e}, is the rounding of float64."
    )
    assert largest < ROUNDING_LEVEL["float64"]
    assert verdict.disagreements == verdict.unseen == ()


def test_approximate_names_layer_sides_kernel_stride_padding_remainder_and_displacement(inspect: Inspect) -> None:
    verdict = inspect("p4-resnet18", 32).verdict

    assert verdict.kind == "approximate"
    assert verdict.elements == dict.fromkeys(("rot90", "rot180", "rot270"), "broken")
    assert verdict.headline == "Approximately equivariant to quarter turns at 32 px"
    assert verdict.reason == (
        "First broken at stage2.block1.conv1 (32 → 16 px): kernel 3, stride 2, padding 1, remainder 1: "
        "the grid is ½ px off centre. 6 layers break."
    )
    assert verdict.disagreements == verdict.unseen == ()


def test_layer_that_breaks_alone_is_not_counted(inspect: Inspect) -> None:
    verdict = inspect("p4-cnn", 29).verdict
    assert verdict.reason == (
        "First broken at pool (29 → 14 px): kernel 2, stride 2, remainder 1: the grid is ½ px off centre."
    )


def test_two_broken_layers_are_counted(inspect: Inspect) -> None:
    verdict = inspect("p4-wide-resnet-10-4", 31).verdict
    assert verdict.reason == (
        "First broken at stage3.conv1 (16 → 8 px): kernel 3, stride 2, padding 1, remainder 1: "
        "the grid is ½ px off centre. 2 layers break."
    )


def test_picture_that_is_not_square_is_described_side_by_side(inspect: Inspect) -> None:
    verdict = inspect("p4-resnet18", 30, 33).verdict

    assert verdict.kind == "approximate"
    assert verdict.headline == "Approximately equivariant to quarter turns at 30×33 px"
    assert verdict.reason == (
        "First broken at stage2.block1.conv1 (30×33 → 15×17 px): kernel 3, stride 2, padding 1, "
        "remainder 1 (height) and 0 (width): the grid is ½ (height) and 0 (width) px off centre. "
        "4 layers break. Still exact: ⟲ 90°."
    )


@pytest.mark.parametrize(("height_px", "width_px", "text"), [(32, 32, "32 px"), (30, 33, "30×33 px")])
def test_size_is_written_as_height_by_width(height_px: int, width_px: int, text: str) -> None:
    assert size_text(height_px, width_px) == text


def test_plain_network_is_not_equivariant_because_of_its_weights(inspect: Inspect) -> None:
    inspection = inspect("z2-resnet18", 33)
    verdict, stem = inspection.verdict, inspection.prediction.layers[0]

    assert verdict.kind == "not equivariant"
    assert len(verdict.elements) == 7 and set(verdict.elements.values()) == {"broken"}
    assert verdict.headline == "Not equivariant to quarter turns and mirrors at 33 px"
    assert stem.name == "stem.conv" and stem.weight_error > 0.1
    assert verdict.reason == (
        f"First broken at stem.conv: its weights differ from their own transform by up to {stem.weight_error:.0%}, "
        "so no size makes it equivariant."
    )


def test_mirrors_are_named_for_a_group_with_mirrors(inspect: Inspect) -> None:
    verdict = inspect("p4m-cnn", 28).verdict
    assert verdict.headline == "Exactly equivariant to quarter turns and mirrors at 28 px"
    assert "mirror_rot90" in verdict.elements


def test_logits_of_a_group_that_is_not_pooled_are_said_not_to_be_invariant(inspect: Inspect) -> None:
    remark = "The logits are not invariant: the group is not pooled."
    unpooled = inspect("p4-cnn", 28, head="no-pooling")

    assert unpooled.verdict.kind == "exact" and unpooled.verdict.reason.endswith(remark)
    assert set(unpooled.measurement.output_error.values()) == {None}
    assert remark not in inspect("p4-cnn", 28).verdict.reason


# ----------------------------------------------------------------------------------------- what the measurement settles


def test_undecided_is_settled_as_exact_by_rounding_errors() -> None:
    prediction, measurement = one_sided(32)
    verdict = judge(prediction, measurement)

    assert measurement.layers[0].error["rot90"] > 1e-2  # the padding alone looks displaced and is left out
    assert verdict.kind == "exact" and set(verdict.elements.values()) == {"exact"}
    assert verdict.reason.startswith("Theory cannot decide; the largest error, ")
    assert verdict.reason.endswith(" is the rounding of float64.")
    assert float(verdict.reason.split(", ")[1]) < ROUNDING_LEVEL["float64"]


def test_undecided_is_settled_as_broken_by_larger_errors() -> None:
    prediction, measurement = one_sided(31)
    verdict = judge(prediction, measurement)
    found = max(error for error in measurement.output_error.values() if error is not None)

    assert verdict.kind == "approximate" and set(verdict.elements.values()) == {"broken"}
    assert verdict.disagreements == verdict.unseen == ()
    assert verdict.reason == (
        f"Theory cannot decide; the measurement finds errors up to {found:.1e} (at the logits under ⟲ 90°, inherited)."
    )


def test_undecided_is_settled_element_by_element() -> None:
    prediction, measurement = one_sided(32)
    verdict = judge(prediction, doctored(measurement, "rot180", 0.25))

    assert verdict.kind == "approximate"
    assert verdict.elements == {"rot90": "exact", "rot180": "broken", "rot270": "exact"}
    assert verdict.reason == (
        "Theory cannot decide; the measurement finds errors up to 2.5e-01 (at mean under ⟲ 180°, inherited). "
        "Still exact: ⟲ 90°, ⟲ 270°."
    )


@pytest.mark.parametrize("error", [0.25, float("inf"), float("nan")])
def test_measurement_that_contradicts_theory_is_a_disagreement(inspect: Inspect, error: float) -> None:
    inspection = inspect("p4-resnet18", 33)
    verdict = judge(inspection.prediction, doctored(inspection.measurement, "rot180", error))

    assert verdict.disagreements == ("rot180",)
    assert verdict.kind == "exact"  # theory's word stays; the contradiction is shown beside it
    assert "is the rounding of" not in verdict.reason


def test_weights_that_are_no_numbers_are_named_in_words(inspect: Inspect) -> None:
    inspection = inspect("p4-cnn", 28)
    layers = tuple(replace(layer, weight_error=math.nan) for layer in inspection.prediction.layers)
    broken = replace(layers[2], elements=dict.fromkeys(layers[2].elements, "broken"))
    prediction = replace(inspection.prediction, verdict="not equivariant", layers=(*layers[:2], broken, *layers[3:]))

    assert judge(prediction, inspection.measurement).reason == (
        f"First broken at {broken.name}: its weights hold NaN or infinity, which no size mends."
    )


def test_sentence_of_a_disagreement_says_both_sides(inspect: Inspect) -> None:
    inspection = inspect("p4-resnet18", 33)
    verdict = judge(inspection.prediction, doctored(inspection.measurement, "rot180", 0.25))
    assert verdict.reason == (
        "Theory finds every sampling grid centred, yet the measurement finds errors up to 2.5e-01 "
        "(at head.classifier under ⟲ 180°, inherited), more than rounding of float64."
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_level_is_where_a_disagreement_begins(inspect: Inspect, dtype: str) -> None:
    inspection, level = inspect("p4-cnn", 28, dtype=dtype), ROUNDING_LEVEL[dtype]

    at_the_level = judge(inspection.prediction, doctored(inspection.measurement, "rot90", level))
    above = judge(inspection.prediction, doctored(inspection.measurement, "rot90", level * 1.01))

    assert at_the_level.disagreements == () and above.disagreements == ("rot90",)


def test_constant_picture_does_not_show_a_break_of_the_mirror() -> None:
    # One pixel of padding on all sides and an even side: a constant picture is its own transform under all elements,
    # but its maps are not. A black one has maps without any difference.
    engine = Engine(Settings(device="cpu"))
    network = spec("p4-cnn", minimum_width=True)
    verdict = engine.inspect(Request(network, 0, torch.zeros(3, 29, 29), dtype="float64")).verdict

    assert verdict.kind == "approximate"
    assert verdict.unseen == ("rot90", "rot180", "rot270")
    assert verdict.disagreements == ()


def test_undecided_stays_undecided_where_no_output_can_be_compared() -> None:
    prediction, measurement = one_sided(32)
    unseen_output = replace(measurement, output_error=dict.fromkeys(measurement.output_error))
    verdict = judge(prediction, unseen_output)

    assert verdict.kind == "undecided" and set(verdict.elements.values()) == {"undecided"}
    assert verdict.headline == "Undecided under quarter turns at 32 px"
    assert "cannot be compared" in verdict.reason


def test_layers_that_say_nothing_of_their_channels_are_not_exact() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    _, verdict = judged(network, 16)

    assert verdict.kind == "undecided" and set(verdict.elements.values()) == {"undecided"}
    assert verdict.reason.startswith("No layer says how its channels transform")


# --------------------------------------------------------------------------------------------- reasons that say what is


class Chain(nn.Module):
    """Layers one after the other on scalar fields, and the mean of each channel."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, typed(layer, scalars(3), scalars(3)))
        self.mean = typed(SpatialMean(), scalars(3), scalars(3))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 3)."""
        for layer in self.children():
            picture = layer(picture)
        return picture


def judged(network: nn.Module, side_px: int, group: PointGroup = C4) -> tuple[Prediction, Verdict]:
    structure = Structure(network.double().eval(), group)
    prediction = predict(structure, height_px=side_px, width_px=side_px)
    measurement = measure(network, random_picture(side_px, side_px).double(), structure.elements)
    return prediction, judge(prediction, measurement)


def test_unlike_strides_are_named_and_no_size_is_offered() -> None:
    prediction, verdict = judged(Chain(pool=nn.AvgPool2d((1, 1), (1, 2))), 33)

    assert verdict.kind == "approximate"
    assert verdict.reason.startswith(
        "First broken at pool (33×33 → 33×17 px): kernel 1, stride 1 (height) and 2 (width): "
        "height and width are not treated alike."
    )
    assert "0 px off centre" not in verdict.reason
    assert prediction.exact_heights_px == prediction.exact_widths_px == (None, None)


def test_what_theory_decided_is_not_called_undecided_where_no_layer_breaks_alone() -> None:
    prediction, verdict = judged(Chain(pad=nn.ZeroPad2d((0, 1, 0, 1)), pool=nn.AvgPool2d(3, 1)), 32)

    assert prediction.verdict == verdict.kind == "approximate" and prediction.first_broken_layer is None
    assert verdict.reason.startswith(
        "Broken under ⟲ 90°, ⟲ 180°, ⟲ 270° from pad on (32 → 33 px): its padding differs from side to side, and no "
        "later layer makes up for it. The measurement finds errors up to "
    )


# --------------------------------------------------------------------------------------- groups without quarter turns


@pytest.mark.parametrize("name", ["C3", "C5", "C7"])
def test_no_quarter_turn_is_promised_for_a_group_that_moves_no_pixels(name: str) -> None:
    prediction, verdict = judged(Chain(pool=nn.AvgPool2d(3, 2, 1)), 33, group_called(name))

    assert verdict.kind == prediction.verdict == "undecided" and verdict.elements == {}
    assert verdict.headline == f"Undecided: no element of {name} moves pixels to pixels"
    assert prediction.exact_heights_px == prediction.exact_widths_px == (None, None)


@pytest.mark.parametrize(
    ("name", "what", "size_px"),
    [("D1", "the mirror", 33), ("C2", "half turns", 33), ("D2", "half turns and mirrors", 33)],
)
def test_small_groups_are_decided(name: str, what: str, size_px: int) -> None:
    exact, broken = (judged(Chain(pool=nn.AvgPool2d(3, 2, 1)), side, group_called(name))[1] for side in (33, 32))

    assert (exact.kind, exact.headline) == ("exact", f"Exactly equivariant to {what} at {size_px} px")
    assert broken.kind == "approximate" and "½ px off centre" in broken.reason


def test_the_mirror_alone_asks_nothing_of_the_height() -> None:
    network = Chain(pool=nn.AvgPool2d(3, 2, 1)).double().eval()
    prediction = predict(Structure(network, group_called("D1")), height_px=32, width_px=33)
    measurement = measure(network, random_picture(32, 33).double(), [Element(mirrored=True)])

    assert prediction.verdict == "exact" and judge(prediction, measurement).kind == "exact"
    assert measurement.largest_error("mirror") == pytest.approx(0.0, abs=1e-14)
    assert prediction.height_is_exact and prediction.exact_heights_px == (31, 33)
    assert prediction.exact_widths_px == (31, 35)


# ------------------------------------------------------------------------------------------------- measured once more


def test_a_finer_precision_has_the_word_before_theory_is_contradicted(inspect: Inspect) -> None:
    inspection = inspect("p4-cnn", 28)
    coarse = replace(doctored(inspection.measurement, "rot90", 3.06e-5), dtype="float32")
    alone = judge(inspection.prediction, coarse)
    settled = judge(inspection.prediction, coarse, inspection.measurement)

    assert alone.disagreements == ("rot90",) and calls_for_more(inspection.prediction, coarse, alone)
    assert settled.disagreements == () and "is the rounding of float64" in settled.reason
    assert settled.remarks[0].startswith("Errors up to 3.1e-05 in float32 are above its usual rounding")


def test_a_finer_precision_confirms_what_is_no_rounding(inspect: Inspect) -> None:
    inspection = inspect("p4-cnn", 28)
    wrong = doctored(inspection.measurement, "rot90", 0.25)
    verdict = judge(inspection.prediction, replace(wrong, dtype="float32"), wrong)

    assert verdict.disagreements == ("rot90",) and "more than rounding of float64" in verdict.reason


# ------------------------------------------------------------------------------------------------------- five sentences


def explained(inspection: Inspection, network: NetworkSpec) -> tuple[str, ...]:
    return explain(network, inspection.prediction, inspection.measurement, inspection.verdict)


def test_explanation_has_five_sentences_with_the_numbers_of_the_measurement(inspect: Inspect) -> None:
    inspection = inspect("p4-resnet18", 32)
    sentences = explained(inspection, spec("p4-resnet18", minimum_width=True))

    assert len(sentences) == 5
    assert all(sentence.endswith(".") for sentence in sentences)
    assert "32 px" in sentences[0] and "3 transforms" in sentences[0] and "(group C4)" in sentences[0]
    layers = len(inspection.measurement.layers)
    assert "`stage2.block1.conv1`" in sentences[2] and f"6 of {layers} layers break by themselves" in sentences[2]
    assert f"{largest_error(inspection.measurement):.1e} (at " in sentences[3] and ", inherited)" in sentences[3]
    assert "rounding of float64 stays below 1e-10" in sentences[3] and "**approximate**" in sentences[3]
    assert sentences[4] == (
        "At 25 px or 33 px every sampling grid is centred and the network is exact with the same weights; with "
        "symmetric subsampling it is exact at this size, too."
    )


def test_explanation_of_one_broken_layer_is_in_the_singular(inspect: Inspect) -> None:
    sentences = explained(inspect("p4-cnn", 29), spec("p4-cnn", minimum_width=True))
    assert "layers breaks by itself, and what follows inherits its error." in sentences[2]


def test_explanation_of_an_exact_network_names_no_layer(inspect: Inspect) -> None:
    inspection = inspect("p4-resnet18", 33)
    sentences = explained(inspection, spec("p4-resnet18", minimum_width=True))

    assert sentences[2] == "No layer breaks this by itself."
    assert f"{largest_error(inspection.measurement):.1e}" in sentences[3] and "**exact**" in sentences[3]
    assert sentences[4] == "Change the size by one pixel and watch which layers break."


def test_explanation_of_a_plain_network_promises_no_size(inspect: Inspect) -> None:
    sentences = explained(inspect("z2-cnn", 28), spec("z2-cnn", minimum_width=True))

    assert "`z2-cnn` is a plain network" in sentences[0] and "7 transforms" in sentences[0]
    assert "**not equivariant**" in sentences[3]
    assert sentences[4] == "No size mends this: choose another group to compare."


@pytest.mark.parametrize(
    ("displacement_px", "text"), [(0.0, "0"), (0.5, "½"), (1.0, "1"), (1.5, "1½"), (10.0, "10"), (10.5, "10½")]
)
def test_halves_of_pixels_are_written_as_such(displacement_px: float, text: str) -> None:
    assert verdict._halves(displacement_px) == text
