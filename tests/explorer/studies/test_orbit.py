"""The orbit: which batches there are, what they measure, and what is left out because nothing acts there."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from equivariance.errors import SizeError
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform
from explorer.pictures.fitting import fit
from explorer.pictures.images import Picture, load_gallery
from explorer.serving.engine import Engine
from explorer.settings import Settings
from explorer.studies.orbit import (
    LOGITS,
    Batch,
    BatchErrors,
    Orbit,
    Spread,
    Variant,
    fitted,
    logits_changes,
    measure_batch,
    resampling_error,
    shift_batches,
    shifts,
    spreads,
    turn_batches,
    variants,
)
from models.catalog import NetworkSpec
from tests.support.seeded_weights import weights_of_seed

CAT = load_gallery("cat")
C4 = NetworkSpec("p4", "cnn", minimum_width=True)
PLAIN = NetworkSpec("z2", "cnn", minimum_width=True)
ROUNDING = 3e-5  # of float32, see the verdict


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu"))


def variant(network: NetworkSpec = C4, size_px: int = 32) -> Variant:
    return Variant("as chosen", network, size_px)


def batch(*transforms: Transform, of: Variant | None = None, picture: Picture = CAT) -> Batch:
    return Batch(of or variant(), picture, transforms, "resize", 0, "float32")


def noise(seed: int) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return Picture(f"noise {seed}", pixels)


# ------------------------------------------------------------------------------------------------------------- weights


def test_weights_take_the_place_of_the_seed_and_batches_are_told_apart_by_them(engine: Engine) -> None:
    trained = batch(Element(90.0), of=Variant("as chosen", C4, 29, weights_of_seed(C4, 1)))
    drawn = Batch(trained.variant, CAT, trained.transforms, "resize", 1, "float32")
    drawn = replace(drawn, variant=variant(size_px=29))

    assert measure_batch(engine, trained).errors == pytest.approx(measure_batch(engine, drawn).errors, rel=1e-2)
    assert len({trained.key, batch(Element(90.0), of=variant(size_px=29)).key, drawn.key}) == 3


def test_networks_beside_a_trained_one_are_trained_as_well(engine: Engine) -> None:
    weights, plain = weights_of_seed(C4, 1), weights_of_seed(PLAIN, 1)

    alone = variants(engine, C4, size_px=29, weights=weights)
    with_plain = variants(engine, C4, size_px=29, weights=weights, plain_weights=plain)

    assert {each.role: each.weights for each in alone} == dict.fromkeys(("as chosen", "size near", "mended"), weights)
    assert [each.weights for each in with_plain if each.role == "plain"] == [plain]


# ------------------------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize(("step_deg", "with_mirror", "count"), [(45, False, 7), (15, False, 23), (5, True, 72)])
def test_turns_go_round_the_circle_without_the_identity(step_deg: int, with_mirror: bool, count: int) -> None:
    turns = Orbit((variant(),), (CAT,), step_deg=step_deg, with_mirror=with_mirror).turns

    assert len({each.name for each in turns}) == len(turns) == count
    assert not any(each.is_identity for each in turns)


def test_quarter_turns_come_first_then_45_degrees_then_the_rest() -> None:
    batches = list(turn_batches(Orbit((variant(),), (CAT,))))

    names = [transform.name for each in batches for transform in each.transforms]
    assert len(names) == len(set(names)) == 23 + 4  # the mirrors that move pixels as well
    assert set(names[:7]) == {
        "rot90", "rot180", "rot270", "mirror", "mirror_rot90", "mirror_rot180", "mirror_rot270",
    }  # fmt: skip
    assert names[7:11] == ["rot45", "rot135", "rot225", "rot315"]


def test_no_batch_mixes_exact_and_resampled_transforms() -> None:
    for each in turn_batches(Orbit((variant(),), (CAT,), step_deg=5, with_mirror=True)):
        assert len({transform.moves_pixels for transform in each.transforms}) == 1


def test_every_picture_meets_every_network_before_the_next_stage() -> None:
    networks, pictures = (variant(), variant(PLAIN)), (CAT, noise(0))

    batches = list(turn_batches(Orbit(networks, pictures, step_deg=45)))

    pairs = [(each.picture.name, each.variant.network.group) for each in batches]
    assert pairs == 2 * list(itertools.product(("cat", "noise 0"), ("p4", "z2")))


def test_batches_of_large_pictures_are_small() -> None:
    small, large = (
        max(len(each.transforms) for each in turn_batches(Orbit((variant(size_px=size_px),), (CAT,), step_deg=5)))
        for size_px in (32, 256)
    )

    assert (small, large) == (24, 4)


def test_shifts_are_those_that_the_stride_of_the_layer_divides(engine: Engine) -> None:
    batches = list(shift_batches(engine, Orbit((variant(),), (CAT,)), "pool", limit_px=4))

    shown = [(shift.down_px, shift.right_px) for each in batches for shift in each.transforms]  # type: ignore[union-attr]
    even = [pair for pair in itertools.product((-4, -2, 0, 2, 4), repeat=2) if pair != (0, 0)]
    assert sorted(shown) == sorted(even)
    assert all(down % 4 == right % 4 == 0 for down, right in shown[:8])  # coarse first


def test_all_shifts_are_measured_for_the_logits_and_for_a_layer_with_every_pixel(engine: Engine) -> None:
    for layer in (LOGITS, "layer1.conv"):
        batches = shift_batches(engine, Orbit((variant(),), (CAT,)), layer, limit_px=3)
        assert {shift.name for each in batches for shift in each.transforms} == {each.name for each in shifts(3)}
    assert len(shifts(3)) == 7 * 7 - 1


def test_a_layer_that_a_network_lacks_has_no_shifts(engine: Engine) -> None:
    assert list(shift_batches(engine, Orbit((variant(),), (CAT,)), "layer99")) == []


def test_a_shift_that_leaves_nothing_of_the_picture_is_left_out(engine: Engine) -> None:
    batches = shift_batches(engine, Orbit((variant(size_px=8),), (CAT,)), LOGITS)

    assert max(abs(shift.down_px) for each in batches for shift in each.transforms) == 7  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------------------- numbers


def logits_of(engine: Engine, of: Variant, pixels: torch.Tensor) -> np.ndarray:
    """What the network answers, by a plain call."""
    with torch.inference_mode():
        return engine.served(of.network, 0).network(pixels[None])[0].double().numpy()


def test_the_error_at_the_logits_is_their_relative_difference(engine: Engine) -> None:
    plain = variant(PLAIN)
    pixels = fit(CAT, height_px=32, width_px=32, how="resize")
    upright, turned = logits_of(engine, plain, pixels), logits_of(engine, plain, torch.rot90(pixels, 1, (1, 2)))

    measured = measure_batch(engine, batch(Element(90.0), of=plain))

    expected = np.linalg.norm(turned - upright) / np.linalg.norm(upright - upright.mean())
    assert expected > 1e-3
    assert measured.error(LOGITS, "rot90") == pytest.approx(expected, rel=1e-3)
    assert measured.logits_change("rot90") == pytest.approx(expected, rel=1e-3)
    assert measured.logits == pytest.approx(np.stack([upright, turned]), rel=1e-4, abs=1e-6)


def test_an_exact_size_gives_rounding_and_one_pixel_more_does_not(engine: Engine) -> None:
    at = {size_px: measure_batch(engine, batch(Element(90.0), of=variant(size_px=size_px))) for size_px in (32, 33)}

    largest = {size_px: np.nanmax(errors.errors) for size_px, errors in at.items()}
    assert largest[32] < ROUNDING < 1e-2 < largest[33]
    assert [at[32].verdict, at[33].verdict] == ["exact", "approximate"]


def test_no_action_is_none_at_a_layer_of_c4_and_a_number_at_its_pooled_logits(engine: Engine) -> None:
    measured = measure_batch(engine, batch(Element(45.0)))

    assert measured.error("layer1.conv", "rot45") is None
    assert measured.error(LOGITS, "rot45") > ROUNDING  # type: ignore[operator]
    assert measure_batch(engine, batch(Element(45.0), of=variant(PLAIN))).error("layer1.conv", "rot45") is not None


def test_a_shift_acts_on_a_layer_and_not_on_the_logits(engine: Engine) -> None:
    measured = measure_batch(engine, batch(Shift(2, -2)))

    assert measured.error("pool", "shift_2_-2") < ROUNDING  # type: ignore[operator]
    assert measured.error(LOGITS, "shift_2_-2") is None
    assert measured.logits_change("shift_2_-2") > ROUNDING


def test_resampled_angles_compare_with_the_picture_inside_the_disc(engine: Engine) -> None:
    resampled = batch(Element(30.0))
    pixels = fit(CAT, height_px=32, width_px=32, how="resize")
    rows, columns = np.mgrid[:32, :32] - 15.5
    inside = torch.from_numpy(rows**2 + columns**2 <= 16**2)

    assert torch.equal(fitted(resampled), pixels * inside)
    assert torch.equal(fitted(batch(Element(90.0))), pixels)
    upright = logits_of(engine, variant(), pixels * inside)
    assert measure_batch(engine, resampled).logits[0] == pytest.approx(upright, rel=1e-4, abs=1e-6)


def test_an_error_that_is_not_a_number_is_infinite_and_not_no_action() -> None:
    class Overflowing(Engine):
        def inspect(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
            inspection = super().inspect(*arguments, **options)  # type: ignore[arg-type]
            inspection.measurement.output_error["rot90"] = math.nan
            return inspection

    measured = measure_batch(Overflowing(Settings(device="cpu")), batch(Element(90.0)))

    assert measured.error(LOGITS, "rot90") == math.inf


# ------------------------------------------------------------------------------------------------- sets and networks


def errors_of(*errors: float, logits: tuple[tuple[float, ...], ...] = ((3.0, 4.0), (3.0, 4.0))) -> BatchErrors:
    return BatchErrors(("conv", LOGITS), ("rot90",), np.array(errors)[:, None], np.array(logits), "approximate")


def test_a_spread_is_mean_smallest_and_largest_over_the_pictures() -> None:
    found = [
        (batch(Element(90.0), picture=noise(number)), errors_of(error, math.nan))
        for number, error in enumerate((0.1, 0.4, 0.7))
    ]

    assert spreads(found, variant(), "conv") == {"rot90": Spread(pytest.approx(0.4), 0.1, 0.7)}
    assert spreads(found, variant(), LOGITS) == {"rot90": None}
    assert spreads(found, variant(), "another") == {}
    assert spreads(found, variant(PLAIN), "conv") == {}


def test_the_change_of_the_logits_is_relative_to_their_length_without_what_they_have_in_common() -> None:
    found = [(batch(Element(90.0)), errors_of(0.0, 0.0, logits=((3.0, 5.0), (3.0, 5.2))))]

    change = pytest.approx(0.2 / 2**0.5)  # the logits without their mean are (-1, 1)
    assert logits_changes(found, variant()) == {"rot90": Spread(change, change, change)}
    assert errors_of(0.0, 0.0, logits=((0.0, 0.0), (0.0, 0.0))).logits_change("rot90") == 0.0


@pytest.mark.parametrize(
    ("network", "size_px", "expected"),
    [
        (C4, 32, [("as chosen", "p4", 32), ("size near", "p4", 33), ("plain", "z2", 32), ("mended", "p4", 32)]),
        (C4, 33, [("as chosen", "p4", 33), ("size near", "p4", 32), ("plain", "z2", 33), ("mended", "p4", 33)]),
        (PLAIN, 32, [("as chosen", "z2", 32)]),
    ],
)
def test_the_networks_to_compare(
    engine: Engine, network: NetworkSpec, size_px: int, expected: list[tuple[str, str, int]]
) -> None:
    found = variants(engine, network, size_px=size_px)

    assert [(each.role, each.network.group, each.size_px) for each in found] == expected
    assert [each.network.subsampling for each in found if each.role == "mended"] == ["symmetric"] * (len(found) > 1)


def test_a_mended_network_is_not_mended_again_and_has_no_size_near(engine: Engine) -> None:
    mended = NetworkSpec("p4", "cnn", minimum_width=True, subsampling="symmetric")

    found = variants(engine, mended, size_px=33)

    assert [each.role for each in found] == ["as chosen", "plain"]
    assert found[0].title == "p4-cnn, 33 px, symmetric"


def test_the_size_near_stays_below_the_largest_that_is_measured() -> None:
    small = Engine(Settings(device="cpu", max_size_px=32))

    assert "size near" not in [each.role for each in variants(small, C4, size_px=32)]
    with pytest.raises(SizeError, match="33×33 px is more than this installation measures"):
        variants(small, C4, size_px=33)


# ---------------------------------------------------------------------------------------------------------- yardstick


def test_resampling_costs_nothing_where_pixels_move_to_pixels() -> None:
    pixels = torch.rand(3, 17, 17, generator=torch.Generator().manual_seed(0))

    assert resampling_error(pixels, Element(90.0)) == 0.0
    assert resampling_error(pixels, Element(180.0, mirrored=True)) == 0.0
    assert resampling_error(torch.zeros(3, 17, 17), Element(15.0)) == 0.0


def test_resampling_costs_noise_more_than_a_smooth_picture() -> None:
    rows, columns = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    smooth = torch.exp(-(rows**2 + columns**2) / (2 * 8.0**2)).expand(3, 65, 65)
    noisy = torch.rand(3, 65, 65, generator=torch.Generator().manual_seed(0))

    for element in (Element(15.0), Element(30.0, mirrored=True)):
        assert 0 < resampling_error(smooth, element) < 0.01 < 0.1 < resampling_error(noisy, element)
