import json
import struct

import numpy as np
import pytest
import torch
from torch import Tensor

from equivariance.groups.fields import Harmonics, Regular, Scalar
from equivariance.groups.point_groups import C8, D4, Element
from equivariance.groups.transforms import Shift, Transform, parse
from equivariance.measurement.measure import TransformedMaps
from explorer.layer_view.packing import PackedView, column_labels, pack_view
from tests.support.views import view_of

NETWORKS = ("p4-cnn", "p4m-cnn", "so2-cnn", "z2-cnn")


def read(payload: bytes) -> tuple[dict, bytes]:
    """The header and the buffers, by the description in the docstring alone."""
    (length,) = struct.unpack_from("<I", payload)
    assert length % 4 == 0
    return json.loads(payload[4 : 4 + length].decode("utf-8").rstrip(" ")), payload[4 + length :]


def maps_at(buffers: bytes, offset: int, channels: int, hw: list[int] | None) -> np.ndarray:
    assert offset % 4 == 0
    shape = (channels, *(hw or ()))
    return np.frombuffer(buffers, "<f4", count=int(np.prod(shape)), offset=offset).reshape(shape)


def realigned_by_recipe(header: dict, buffers: bytes, name: str) -> np.ndarray | None:
    """g⁻¹Φ(g·x) as the browser makes it: mirror, quarter turns, then mix the channels of each field."""
    maps = header["maps"]
    transform = maps["transforms"][name]
    recipe = transform["realign"]
    if recipe is None:
        return None
    if recipe["kind"] == "given":
        return maps_at(buffers, recipe["offset"], maps["channels"], maps["hw"])
    values = maps_at(buffers, transform["offset"], maps["channels"], transform["hw"])
    if transform["hw"] is not None:
        values = values[..., ::-1] if recipe["mirrored"] else values
        values = np.rot90(values, recipe["turns"], axes=(-2, -1))
    mixed, start = np.empty_like(values), 0
    for run, mix in zip(maps["runs"], recipe["mix"], strict=True):
        for _ in range(run["count"]):
            of_field = slice(start, start + run["size"])
            if "permutation" in mix:
                mixed[of_field] = values[of_field][mix["permutation"]]
            else:
                mixed[of_field] = np.tensordot(np.array(mix["matrix"]), values[of_field], axes=1)
            start = of_field.stop
    return mixed


def kept(view: PackedView, transform: Transform) -> TransformedMaps:
    return view.maps.transforms[transform.name]


def close(values: np.ndarray, expected: Tensor) -> bool:
    return torch.allclose(torch.from_numpy(values.copy()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layer", ["layer2.conv", "head.spatial_mean"])
def test_recipe_realigns_as_measured(name: str, layer: str) -> None:
    view = view_of(name, layer=layer, extra=(parse("rot45"), Shift(2, 0)))
    header, buffers = read(pack_view(view))
    for transform in view.transforms:
        realigned, expected = realigned_by_recipe(header, buffers, transform.name), kept(view, transform).realigned
        assert (realigned is None) == (expected is None)
        assert realigned is None or close(realigned, expected)


def test_recipe_realigns_non_square_maps() -> None:
    view = view_of("p4m-cnn", layer="layer1.conv", height_px=14, width_px=19)
    header, buffers = read(pack_view(view))
    assert header["maps"]["hw"] == [14, 19]
    assert header["maps"]["transforms"]["rot90"]["hw"] == [19, 14]
    for element in view.transforms:
        assert close(realigned_by_recipe(header, buffers, element.name), kept(view, element).realigned)


def test_a_wrong_recipe_is_seen() -> None:
    view = view_of("p4-cnn", layer="layer1.conv")
    header, buffers = read(pack_view(view))
    header["maps"]["transforms"]["rot90"]["realign"]["turns"] = 1  # the element itself, not its inverse
    assert not close(realigned_by_recipe(header, buffers, "rot90"), kept(view, Element(90.0)).realigned)


def test_maps_are_stored_once_and_as_they_are() -> None:
    view = view_of("p4-cnn", layer="layer1.conv", extra=(parse("rot45"),))
    header, buffers = read(pack_view(view))
    maps = header["maps"]
    for transform in view.transforms:
        sent = maps["transforms"][transform.name]
        expected = kept(view, transform)
        assert close(maps_at(buffers, sent["offset"], maps["channels"], sent["hw"]), expected.transformed)
        assert close(maps_at(buffers, sent["upright_offset"], maps["channels"], maps["hw"]), expected.upright)
    uprights = {name: sent["upright_offset"] for name, sent in maps["transforms"].items()}
    assert uprights["rot90"] == uprights["rot180"] == uprights["rot270"]
    assert uprights["rot45"] != uprights["rot90"]  # resampled angles are compared with the picture inside the disc


def test_pages_hold_whole_fields_and_together_all_of_them() -> None:
    whole = view_of("p4-cnn", layer="layer1.conv")
    budget = 2 * 4 * 17 * 17 * 5  # two fields of four channels, five maps each
    seen, first = [], 0
    while True:
        view = view_of("p4-cnn", layer="layer1.conv", first_field=first)
        header, buffers = read(pack_view(view, values_per_payload=budget))
        maps = header["maps"]
        assert maps["fields"][0] == first
        assert len(buffers) <= 4 * budget + 3 * 17 * 17 + 4
        seen.append(maps_at(buffers, maps["transforms"]["rot90"]["offset"], maps["channels"], maps["hw"]))
        first = maps["fields"][1] + 1
        if first == maps["total_fields"]:
            break
    assert close(np.concatenate(seen), kept(whole, Element(90.0)).transformed)


def test_one_field_is_sent_however_small_the_budget() -> None:
    header, _ = read(pack_view(view_of("p4-cnn", layer="layer1.conv"), values_per_payload=1))
    assert header["maps"]["fields"] == [0, 0]
    assert header["maps"]["channels"] == 4


def test_a_field_that_does_not_exist_gives_the_first_page() -> None:
    header, _ = read(pack_view(view_of("p4-cnn", layer="layer1.conv", first_field=99)))
    assert header["maps"]["fields"][0] == 0


def test_header_tells_every_layer() -> None:
    view = view_of("p4-cnn", layer="pool", height_px=18, width_px=18)
    header, _ = read(pack_view(view))
    assert [layer["name"] for layer in header["layers"]] == [layer.name for layer in view.measurement.layers]
    pool = next(layer for layer in header["layers"] if layer["name"] == "pool")
    assert pool["in_hw"] == [18, 18] and pool["out_hw"] == [9, 9]
    assert pool["kernel"] == [2, 2] and pool["stride"] == [2, 2] and pool["remainder"] == [0, 0]
    assert pool["status"] == {"rot90": "exact", "rot180": "exact", "rot270": "exact"}
    assert pool["error"]["rot90"] == pytest.approx(
        next(layer for layer in view.measurement.layers if layer.name == "pool").error["rot90"], rel=1e-2
    )


def test_pictures_are_sent_where_pixels_do_not_just_move() -> None:
    view = view_of("p4-cnn", layer="layer1.conv", extra=(Shift(2, -3), parse("rot30")))
    header, buffers = read(pack_view(view))
    assert set(header["picture"]["transformed"]) == {"shift_2_-3", "rot30"}
    pixels = np.frombuffer(buffers, "u1", 17 * 17 * 3, header["picture"]["upright"]["offset"]).reshape(17, 17, 3)
    assert np.abs(pixels / 255 - view.picture.permute(1, 2, 0).numpy()).max() <= 0.5 / 255 + 1e-6
    shifted = header["picture"]["transformed"]["shift_2_-3"]
    moved = np.frombuffer(buffers, "u1", 17 * 17 * 3, shifted["offset"]).reshape(17, 17, 3)
    assert np.array_equal(moved[2:, :-3], pixels[:-2, 3:])


def test_errors_that_are_not_finite_are_words() -> None:
    view = view_of("p4-cnn", layer="layer1.conv")
    layer = view.measurement.layers[0]
    layer.error.update(rot90=float("inf"), rot180=float("nan"), rot270=None)
    header, _ = read(pack_view(view))
    assert header["layers"][0]["error"] == {"rot90": "Infinity", "rot180": "NaN", "rot270": None}


def test_a_measurement_without_maps_is_refused() -> None:
    view = view_of("p4-cnn", layer="no such layer")
    with pytest.raises(ValueError, match="kept no maps"):
        pack_view(view)


def test_columns_are_labelled_by_element_or_frequency() -> None:
    assert column_labels(Regular(D4)) == ["e", "r", "r²", "r³", "m", "mr", "mr²", "mr³"]
    assert column_labels(Regular(C8))[-1] == "r⁷"
    assert column_labels(Harmonics(2)) == ["0", "1c", "1s", "2c", "2s"]
    assert column_labels(Scalar()) == [""]
