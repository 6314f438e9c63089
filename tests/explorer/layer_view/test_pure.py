"""The parts of the layer view that only compute, in the browser, beside the same computed by numpy or by hand."""

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from equivariance.groups.point_groups import D4, Element
from equivariance.groups.transforms import parse
from explorer.layer_view.packing import pack_view
from tests.support.views import view_of

Call = Callable[..., Any]
ELEMENTS = pytest.mark.parametrize("element", D4.elements, ids=lambda element: element.name)
HW = pytest.mark.parametrize("hw", [(5, 5), (4, 7), (6, 3)], ids=lambda hw: f"{hw[0]}x{hw[1]}")
# The passes of each transform of a payload: null, or {values, hw}.
READ = """async (text) => {
  const { parse, slotsOf } = await import("/explorer/layer_view/browser/pure/payload.js");
  const { passOf } = await import("/explorer/layer_view/browser/pure/values.js");
  const { header, buffers } = parse(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)));
  const entry = { maps: header.maps, buffers, slots: slotsOf(header.maps) };
  const plain = (part) => part && { values: Array.from(part.values), hw: part.hw };
  return Object.fromEntries(header.transforms.map(({ name }) => [name, passOf(entry, name).map(plain)]));
}"""

# A layout, and the box of each channel's tile.
LAID_OUT = """async ([maps, box]) => {
  const { layout, tileBox } = await import("/explorer/layer_view/browser/pure/layout.js");
  const grid = layout(maps, box);
  return [grid, grid.places.map((_, channel) => tileBox(grid, grid.cell, channel))];
}"""


def moved(values: np.ndarray, element: Element) -> np.ndarray:
    """(…, H, W) mirrored left-right first, then turned counterclockwise."""
    mirrored = values[..., ::-1] if element.mirrored else values
    return np.rot90(mirrored, round(element.angle_deg / 90), axes=(-2, -1))


def packed(header: dict[str, Any], *arrays: np.ndarray) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(array.tobytes() for array in arrays)


def passes(blank: Page, payload: bytes) -> dict[str, list[np.ndarray | None]]:
    """[Φ(x), Φ(g·x), g⁻¹Φ(g·x), difference] of each transform, (C, H, W) or (C,)."""

    def array(part: dict[str, Any] | None) -> np.ndarray | None:
        return part and np.array(part["values"], "<f4").reshape(-1, *(part["hw"] or ()))

    found = blank.evaluate(READ, base64.b64encode(payload).decode())
    return {name: [array(part) for part in parts] for name, parts in found.items()}


def one_transform(upright: np.ndarray, transformed: np.ndarray, realign: Any, run: dict[str, Any]) -> dict[str, Any]:
    """The header of a payload with the maps of one element, "g"."""

    def hw(maps: np.ndarray) -> list[int] | None:
        return list(maps.shape[1:]) or None

    transform = {"hw": hw(transformed), "upright_offset": 0, "offset": upright.nbytes, "realign": realign}
    count = len(upright) // run["size"]
    maps = {"fields": [0, count - 1], "channels": len(upright), "hw": hw(upright), "runs": [run | {"count": count}]}
    return {"transforms": [{"name": "g"}], "maps": maps | {"transforms": {"g": transform}}}


# ------------------------------------------------------------------------------------------------------------- payload


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_a_payload_is_read_wherever_its_bytes_lie(blank: Page, offset: int) -> None:
    values = np.array([1.5, -2.0, 0.25], "<f4")
    payload = packed({"group": "Φ"}, values)

    found = blank.evaluate(
        """async ([text, offset]) => {
          const { parse } = await import("/explorer/layer_view/browser/pure/payload.js");
          const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
          const { header, buffers } = parse(bytes.subarray(offset, bytes.length - 5));
          return [header.group, ...new Float32Array(buffers)];
        }""",
        [base64.b64encode(bytes(offset) + payload + bytes(5)).decode(), offset],
    )

    assert found == ["Φ", *values.tolist()]


def test_pictures_are_read_from_their_places(blank: Page) -> None:
    pixels = np.arange(48, dtype=np.uint8)
    places = {"upright": {"hw": [2, 4], "offset": 0}, "transformed": {"rot45": {"hw": [4, 2], "offset": 24}}}

    found = blank.evaluate(
        """async ([header, bytes]) => {
          const { picturesOf } = await import("/explorer/layer_view/browser/pure/payload.js");
          const { picture, transformed } = picturesOf({ header, buffers: Uint8Array.from(bytes).buffer });
          return [picture, transformed.rot45].map(({ hw, rgb }) => [hw, [...rgb]]);
        }""",
        [{"picture": places}, pixels.tolist()],
    )

    assert found == [[[2, 4], pixels[:24].tolist()], [[4, 2], pixels[24:].tolist()]]


def test_slots_tell_the_field_and_the_part_of_each_channel(call: Call) -> None:
    regular = {"size": 2, "count": 2, "columns": ["e", "r"]}
    harmonics = {"size": 5, "count": 1, "columns": ["0", "1c", "1s", "2c", "2s"]}
    scalar = {"size": 1, "count": 2, "columns": [""]}

    slots = call("payload", "slotsOf", {"fields": [3, 7], "runs": [regular, harmonics, scalar]})

    def of(name: str) -> list[int]:
        return [slot[name] for slot in slots]

    assert of("field") == [3, 3, 4, 4, 5, 5, 5, 5, 5, 6, 7]
    assert of("index") == [0, 1, 0, 1, 0, 1, 2, 3, 4, 0, 0]
    assert of("start") == [0, 0, 2, 2, 4, 4, 4, 4, 4, 9, 10]
    assert of("run") == [0] * 4 + [1] * 5 + [2] * 2
    assert of("part") == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6]  # a frequency is a part


def test_the_least_recently_used_maps_are_forgotten(blank: Page) -> None:
    known = blank.evaluate(
        """async () => {
          const { layerCache } = await import("/explorer/layer_view/browser/pure/payload.js");
          const cache = layerCache(100);
          const page = (layer, bytes, view = "v") => ({
            header: { view, maps: { layer, fields: [0, 0], runs: [] } },
            buffers: new ArrayBuffer(bytes),
          });
          const known = () => ["a", "b", "c", "large"].filter((layer) => cache.recall("v", layer, 0));
          cache.remember(page("a", 40));
          cache.remember(page("b", 40));
          const all = known();
          cache.recall("v", "a", 0);
          cache.remember(page("c", 40));
          const withoutB = known();
          const others = [cache.recall("w", "a", 0), cache.recall("v", "a", 1)];
          cache.remember(page("large", 500));
          return { all, withoutB, others, last: known() };
        }"""
    )

    assert known == {"all": ["a", "b"], "withoutB": ["a", "c"], "others": [None, None], "last": ["large"]}


# -------------------------------------------------------------------------------------------------------------- values


@HW
@ELEMENTS
def test_source_pixels_are_those_that_numpy_moves(call: Call, element: Element, hw: tuple[int, int]) -> None:
    expected = moved(np.arange(hw[0] * hw[1]).reshape(hw), element)
    recipe = {"turns": round(element.angle_deg / 90), "mirrored": element.mirrored}

    assert call("values", "sourcePixels", recipe, hw, expected.shape) == expected.ravel().tolist()


@pytest.mark.parametrize("mix", ["permutation", "matrix"])
@ELEMENTS
def test_maps_are_realigned_as_by_numpy(blank: Page, element: Element, mix: str) -> None:
    rng = np.random.default_rng(7)
    upright = rng.normal(size=(6, 4, 7)).astype("<f4")  # two fields of three channels
    transformed = rng.normal(size=(6, *moved(upright, element).shape[1:])).astype("<f4")
    order, matrix = [2, 0, 1], rng.integers(-2, 3, size=(3, 3)).astype(float)  # with zeros among the weights
    undo = element.inverse
    recipe = {
        "kind": "move",
        "turns": round(undo.angle_deg / 90) % 4,
        "mirrored": undo.mirrored,
        "mix": [{"permutation": order} if mix == "permutation" else {"matrix": matrix.tolist()}],
    }
    header = one_transform(upright, transformed, recipe, {"size": 3, "columns": ["e", "r", "r²"]})

    first, second, realigned, difference = passes(blank, packed(header, upright, transformed))["g"]

    mixing = np.eye(3)[order] if mix == "permutation" else matrix
    fields = moved(transformed, undo).reshape(2, 3, 4, 7)
    expected = np.einsum("ij,fjhw->fihw", mixing, fields).reshape(6, 4, 7)
    assert np.array_equal(first, upright) and np.array_equal(second, transformed)
    np.testing.assert_allclose(realigned, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(difference, expected - upright, rtol=1e-6, atol=1e-6)


def test_maps_of_a_network_are_realigned_as_they_were_measured(blank: Page) -> None:
    view = view_of("p4m-cnn", layer="layer1.conv", height_px=14, width_px=19, extra=(parse("rot45"),))

    found = passes(blank, pack_view(view))

    for transform in view.transforms:
        kept, (_, _, realigned, _) = view.maps.transforms[transform.name], found[transform.name]
        assert (realigned is None) == (kept.realigned is None)
        if kept.realigned is not None:
            np.testing.assert_allclose(realigned, kept.realigned.numpy(), rtol=1e-6, atol=1e-6)


def test_channels_without_pixels_are_only_mixed(blank: Page) -> None:
    upright, transformed = np.array([1, 2, 3], "<f4"), np.array([10, 20, 30], "<f4")
    recipe = {"kind": "move", "turns": 1, "mirrored": False, "mix": [{"permutation": [1, 2, 0]}]}
    header = one_transform(upright, transformed, recipe, {"size": 3, "columns": ["e", "r", "r²"]})

    _, _, realigned, difference = passes(blank, packed(header, upright, transformed))["g"]

    assert (realigned.tolist(), difference.tolist()) == ([20, 30, 10], [19, 28, 7])


def test_without_an_action_nothing_is_compared_and_given_maps_are_taken(blank: Page) -> None:
    upright, transformed, given = (np.full((1, 2, 2), value, "<f4") for value in (1, 2, 3))
    run = {"size": 1, "columns": [""]}
    none = packed(one_transform(upright, transformed, None, run), upright, transformed)
    recipe = {"kind": "given", "offset": 32, "mix": None}
    taken = packed(one_transform(upright, transformed, recipe, run), upright, transformed, given)

    assert passes(blank, none)["g"][2:] == [None, None]
    assert np.array_equal(passes(blank, taken)["g"][2], given)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, -3, 2, 0], [-3, 2]),
        ([math.nan, -1, math.inf, 5], [-1, 5]),
        ([-math.inf, math.nan, math.inf, math.nan], [0, 0]),
    ],
)
def test_extremes_are_the_finite_ones(call: Call, values: list[float], expected: list[float]) -> None:
    shown = {"values": {"floats": values}, "hw": [2, 2]}
    assert call("values", "extremes", shown) == expected
    assert call("values", "largest", shown) == max(map(abs, expected))


def test_extremes_of_some_channels_only(call: Call) -> None:
    shown = {"values": {"floats": [1, 2, 3, 4, 5, 6]}, "hw": [1, 2]}
    assert call("values", "extremes", shown, 1, 1) == [3, 4]
    assert call("values", "extremes", None) == [0, 0]


def test_a_value_is_that_of_its_place(call: Call) -> None:
    maps = np.arange(24.0).reshape(2, 3, 4)
    shown = {"values": {"floats": maps.ravel().tolist()}, "hw": [3, 4]}
    assert call("values", "valueAt", shown, {"channel": 1, "y": 2, "x": 1}) == maps[1, 2, 1]
    assert call("values", "valueAt", {"values": {"floats": [7, 8]}, "hw": None}, {"channel": 1}) == 8


def test_scales_end_at_the_largest_value_of_the_layer_or_of_the_part(call: Call) -> None:
    slots = [{"part": 0}, {"part": 0}, {"part": 1}]
    shown = [{"values": {"floats": values}, "hw": [1, 1]} for values in ([1, -4, 2], [3, 0, 5], [0, 0, 0], [0.5, 1, 2])]
    entry = {"slots": slots, "maps": {"fields": [0, 1]}}

    def ends(choice: str, *, stretch: bool) -> list[float]:
        found = call("values", "scaleEnds", entry, shown, choice)
        return [call("values", "scaleEnd", found, part, {"stretch": stretch}) for part in (0, 1)]

    assert ends("layer", stretch=False) == [5, 5]
    assert ends("field", stretch=False) == [4, 5]
    assert ends("layer", stretch=True) == [2, 2]
    assert ends("field", stretch=True) == [1, 2]


# -------------------------------------------------------------------------------------------------------------- layout


def maps_of(*runs: tuple[int, int], hw: tuple[int, int] = (8, 8)) -> dict[str, Any]:
    """Maps of (size, count) fields, whose quarter turns have the sides swapped."""
    described = [
        {"size": size, "count": count, "columns": [f"r{index}" for index in range(size)]} for size, count in runs
    ]
    channels = sum(size * count for size, count in runs)
    return {"hw": hw, "transforms": {"rot90": {"hw": hw[::-1]}}, "runs": described, "channels": channels}


def test_a_layout_by_hand(call: Call) -> None:
    grid = call("layout", "layout", maps_of((4, 6)), {"width": 300, "height": 348, "ratio": 1})

    # Down: (348/6 − 2)/8 = 7 CSS pixels a map pixel, less than across: ((300 + 2)/4 − 2)/8 = 9.2.
    assert (grid["cell"], grid["size"], grid["width"], grid["height"]) == ([8, 8], 7, 4 * 58 - 2, 6 * 58 - 2)
    assert grid["labels"] == [["r0", "r1", "r2", "r3"]]
    assert [(place["row"], place["column"]) for place in grid["places"]] == [divmod(n, 4) for n in range(24)]
    assert [place["top"] for place in grid["places"][::4]] == [58 * row for row in range(6)]


@pytest.mark.parametrize("width_px", [120, 208, 300, 560])
@pytest.mark.parametrize("ratio", [1, 1.25, 2])
@pytest.mark.parametrize(
    "maps",
    [maps_of((4, 10)), maps_of((16, 5), hw=(9, 13)), maps_of((1, 24), hw=(32, 32)), maps_of((1, 3), (5, 4))],
    ids=["regular", "sixteen", "scalars", "two runs"],
)
def test_tiles_lie_side_by_side_within_the_width(
    blank: Page, maps: dict[str, Any], width_px: int, ratio: float
) -> None:
    grid, boxes = blank.evaluate(LAID_OUT, [maps, {"width": width_px, "height": 348, "ratio": ratio}])

    left, top, width, height = np.array(boxes).T
    assert grid["width"] <= width_px + 1e-6
    assert left.min() == 0 and (left + width).max() <= grid["width"] + 1e-6
    assert top.min() == 0 and (top + height).max() <= grid["height"] + 1e-6
    apart = (
        (left[:, None] >= (left + width)[None] + 1)
        | (left[None] >= (left + width)[:, None] + 1)
        | (top[:, None] >= (top + height)[None] + 1)
        | (top[None] >= (top + height)[:, None] + 1)
    )
    assert apart[~np.eye(len(boxes), dtype=bool)].all()
    order = list(zip(top, left, strict=True))
    assert order == sorted(order)  # as one reads


def test_fields_take_more_lines_rather_than_illegible_tiles(call: Call) -> None:
    wide, narrow = (
        call("layout", "layout", maps_of((16, 4)), {"width": width, "height": 348, "ratio": 1}) for width in (560, 200)
    )

    assert [len(grid["labels"]) for grid in (wide, narrow)] == [1, 2]
    assert all(grid["size"] * grid["cell"][1] >= 18 for grid in (wide, narrow))


def test_map_pixels_are_whole_device_pixels_where_that_wastes_little(call: Call) -> None:
    assert call("layout", "pixelSize", 7.9, [8, 8], 1) == 7
    assert call("layout", "pixelSize", 1.9, [8, 8], 1) == pytest.approx(15 / 8)  # whole tiles at least
    assert call("layout", "pixelSize", 3.6, [8, 8], 2) == 3.5


def test_maps_smaller_than_the_cell_lie_in_its_middle(call: Call) -> None:
    grid = {"cell": [4, 8], "size": 2, "places": [{"column": 1, "top": 10}]}
    # Left: one tile of 16 and a gap of 2, and half of the 2 map pixels that are free; top likewise.
    assert call("layout", "tileBox", grid, [2, 6], 0) == [20, 12, 12, 4]


def test_the_place_in_the_middle_of_a_pixel_is_that_pixel(call: Call) -> None:
    grid = call("layout", "layout", maps_of((4, 3), hw=(5, 9)), {"width": 300, "height": 348, "ratio": 1})
    for channel, y, x in ((0, 0, 0), (5, 4, 8), (11, 2, 3)):
        left, top, _, _ = call("layout", "tileBox", grid, [5, 9], channel)
        at = [left + (x + 0.5) * grid["size"], top + (y + 0.5) * grid["size"]]
        assert call("layout", "placeAt", grid, [5, 9], *at) == {"channel": channel, "y": y, "x": x}
    left, top, width, _ = call("layout", "tileBox", grid, [5, 9], 0)
    assert call("layout", "placeAt", grid, [5, 9], left + width + 0.5, top + 1) is None


# ------------------------------------------------------------------------------------------------------------ carrying


def carried(
    call: Call, transform: dict[str, Any], place: tuple[int, int, int], *, back: bool, **maps: Any
) -> tuple[int, int, int]:
    channel, y, x = place
    found = call("carrying", "carry", transform, maps, {"channel": channel, "y": y, "x": x}, back)
    return found["channel"], found["y"], found["x"]


@HW
@ELEMENTS
def test_a_pixel_is_carried_where_numpy_moves_it_and_back(call: Call, element: Element, hw: tuple[int, int]) -> None:
    after = moved(np.arange(hw[0] * hw[1]).reshape(hw), element)
    transform = {"turn_deg": element.angle_deg, "mirrored": element.mirrored, "shift_px": None}
    slots = [{"start": 0, "index": index, "size": 3, "run": 0} for index in range(3)]
    maps = {
        "upright": hw,
        "transformed": after.shape,
        "picture": hw,
        "slots": slots,
        "realign": {"mix": [{"permutation": [2, 0, 1]}]},
    }
    for y, x in ((0, 0), (hw[0] - 1, 1), (2, hw[1] - 1)):
        ((to_y, to_x),) = np.argwhere(after == y * hw[1] + x).tolist()
        assert carried(call, transform, (1, y, x), back=False, **maps) == (0, to_y, to_x)
        assert carried(call, transform, (0, to_y, to_x), back=True, **maps) == (1, y, x)


def test_a_shift_is_carried_in_the_steps_of_the_layer(call: Call) -> None:
    transform = {"turn_deg": 0, "mirrored": False, "shift_px": [4, -2]}
    slot = {"start": 0, "index": 0, "size": 1, "run": 0}
    maps = {"upright": [8, 8], "transformed": [8, 8], "picture": [16, 16], "slots": [slot], "realign": None}

    assert carried(call, transform, (0, 3, 5), back=False, **maps) == (0, 5, 4)
    assert carried(call, transform, (0, 5, 4), back=True, **maps) == (0, 3, 5)


def test_a_channel_of_harmonics_goes_to_the_one_of_the_largest_weight(call: Call) -> None:
    turn = {"turn_deg": 90, "mirrored": False, "shift_px": None}
    slots = [{"start": 1, "index": index, "size": 2, "run": 0} for index in range(2)]
    mix = [{"matrix": [[0.1, -0.9], [0.9, 0.1]]}]
    maps = {"upright": [1, 1], "transformed": [1, 1], "picture": [1, 1], "slots": slots, "realign": {"mix": mix}}

    assert carried(call, turn, (0, 0, 0), back=False, **maps) == (2, 0, 0)
    assert carried(call, turn, (1, 0, 0), back=True, **maps) == (1, 0, 0)  # field of channels 1 and 2


@pytest.mark.parametrize(("place", "is_inside"), [((0, 0), True), ((2, 3), True), ((3, 0), False), ((0, -1), False)])
def test_places_outside_are_none(call: Call, place: tuple[int, int], is_inside: bool) -> None:
    at = {"y": place[0], "x": place[1]}
    assert call("carrying", "inside", [3, 4], at) == (at if is_inside else None)


# ------------------------------------------------------------------------------------------------------------- colours


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#2561c8", [37, 97, 200]),
        (" rgb(1, 2, 3)", [1, 2, 3]),
        ("rgba(1, 2, 3, 0.5)", [1, 2, 3]),
        ("color(srgb 0 0.5 1)", [0, 128, 255]),
        ("", [128, 128, 128]),
    ],
)
def test_colours_are_read_in_every_form(call: Call, text: str, expected: list[int]) -> None:
    assert call("colours", "rgb", text) == expected


def test_the_table_runs_from_end_to_middle_to_end(call: Call) -> None:
    table = np.array(call("colours", "lookup", ["#ff0000", "#ffffff", "#0000ff"]), "<u4").view(np.uint8).reshape(-1, 4)
    assert table[[0, 256, 512, 513]].tolist() == [[255, 0, 0, 255], [255, 255, 255, 255], [0, 0, 255, 255], [0] * 4]
    assert table[128].tolist() == [255, 128, 128, 255]


@pytest.mark.parametrize(
    ("value", "end", "entry"),
    [(-2, 2, 0), (0, 2, 256), (2, 2, 512), (99, 2, 512), (-99, 2, 0), (1, 2, 384), (5, 0, 256), (math.nan, 2, 513)],
)
def test_a_value_has_the_colour_of_its_place_on_the_scale(blank: Page, value: float, end: float, entry: int) -> None:
    found = blank.evaluate(
        """async ([value, end]) => {
          const { colourMap } = await import("/explorer/layer_view/browser/pure/colours.js");
          const pixels = new Uint32Array(1);
          colourMap(pixels, Float32Array.of(value), Uint32Array.from({ length: 514 }, (_, i) => i), end);
          return pixels[0];
        }""",
        [value, end],
    )
    assert found == entry


@pytest.mark.parametrize(("error", "expected"), [(1e-6, 0), (1e-5, 0), (1e-3, 0.4), (1, 1), (50, 1), ("Infinity", 1)])
def test_heights_of_errors_are_logarithmic(call: Call, error: float | str, expected: float) -> None:
    assert call("colours", "height", error, 1e-5) == pytest.approx(expected)


@pytest.mark.parametrize(("background", "middle"), [("#ffffff", "#f7f7f7"), ("#0f1115", "#1a1d22")])
def test_the_theme_s_palette_comes_first_and_has_a_middle(call: Call, background: str, middle: str) -> None:
    palettes = call("colours", "palettesOf", background, ["#000001", "#000002"])
    assert list(palettes) == ["orange–blue", "purple–green", "grey"]
    assert palettes["orange–blue"] == ["#000001", middle, "#000002"]


def test_the_largest_errors_have_the_last_of_their_colours(call: Call) -> None:
    sequential = [[10 * step, 0, 0] for step in range(10)]
    assert [call("colours", "errorColour", sequential, t) for t in (0, 0.5, 1)] == [
        f"rgb({red},0,0)" for red in (30, 50, 70)
    ]


# --------------------------------------------------------------------------------------------------- words and numbers


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 2, "—"),
        (0, 2, "0"),
        (0.0123, 2, "0.012"),
        (1.26, 2, "1.3"),
        (-0.5, 2, "−0.50"),
        (42.4, 2, "42"),
        (99.6, 2, "100"),
        (123.4, 2, "123"),
        (1234, 2, "1.2e3"),
        (0.00123, 2, "1.2e-3"),
        (-3.4e-7, 2, "−3.4e-7"),
        (0.12345, 4, "0.1235"),
        (999.96, 4, "1000"),
        ("Infinity", 2, "∞"),
        ("-Infinity", 2, "−∞"),
        ("NaN", 2, "NaN"),
    ],
)
def test_numbers_are_written_in_few_signs(call: Call, value: float | str | None, digits: int, text: str) -> None:
    assert call("words", "number", value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (3, "3"), (0.5, "½"), (-1.25, "−1¼"), (2.75, "2¾"), (0.3333333, "0.333"), (-0.1, "−0.100")],
)
def test_pixels_are_written_with_quarters(call: Call, value: float, text: str) -> None:
    assert call("words", "pixels", value) == text


def test_the_sampling_of_a_layer_is_one_sentence(call: Call) -> None:
    layer = {
        "kernel": [3, 3],
        "stride": [2, 2],
        "padding": [1, 0],
        "remainder": [0, 1],
        "displacement_px": [-0.5, 0],
    }
    expected = "kernel 3, stride 2, padding 1 and 0, remainder 0 and 1, displacement −½ and 0 px"
    assert call("words", "samplingText", layer) == expected
    assert call("words", "samplingText", {"kernel": None}) == ""


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ([8, 8], [8, 8], "8×8"),
        ([8, 9], [4, 4], "8×9 → 4×4"),
        ([1, 1], [1, 1], "no pixels"),
        ([4, 4], [1, 1], "4×4 → 1×1"),
    ],
)
def test_sizes_are_written_before_and_after(call: Call, before: list[int], after: list[int], text: str) -> None:
    assert call("words", "sizeText", {"in_hw": before, "out_hw": after}) == text


def test_fields_and_channels_are_counted_from_one(call: Call) -> None:
    assert call("words", "fieldsText", {"fields": [0, 0], "total_fields": 1}) == "1 field"
    assert call("words", "fieldsText", {"fields": [4, 7], "total_fields": 40}) == "4 of 40 fields shown"
    entry = {"slots": [{"field": 4, "index": 1, "run": 0}], "maps": {"runs": [{"columns": ["e", "r"]}]}}
    assert call("words", "channelText", entry, 0) == "field 5, r"


def test_maps_are_described_by_their_number_and_range(call: Call) -> None:
    shown = {"values": {"floats": [-1.5, 0, 2, 3]}, "hw": [1, 2]}
    maps = {"channels": 2, "runs": [{"count": 1}]}
    expected = "Φ(x), of the picture: 2 maps of 1×2 px in 1 field, values from −1.5 to 3.0"
    assert call("words", "atlasText", 0, shown, maps) == expected
    assert call("words", "atlasText", 3, None, maps) == "difference, realigned − upright: nothing to compare"
    entry = {"slots": [{"field": 0, "index": 0, "run": 0}] * 2, "maps": {"runs": [{"columns": [""]}]}}
    assert call("words", "largeText", 1, shown, entry, 1) == "Φ(g·x), field 1: 1×2 px, values from 2.0 to 3.0"


def test_a_reason_is_given_where_a_layer_breaks(call: Call) -> None:
    assert "weights do not commute" in call("words", "reason", {"weight_error": 0.1}, "broken")
    assert "grid is displaced" in call("words", "reason", {"weight_error": 0}, "broken")
    assert "padding merges" in call("words", "reason", {"weight_error": 0}, "undecided")
    assert call("words", "reason", {"weight_error": 0}, "exact") == ""


# -------------------------------------------------------------------------------------------------------------- layers


def test_layers_are_grouped_by_runs_of_equal_names(call: Call) -> None:
    names = ["stem.conv", "stage1.block1.conv1", "stage1.block1.norm", "stage1.block2.conv1", "stem.norm"]
    layers = [{"name": name} for name in names]

    found = call("layers", "grouped", layers)

    shown = [[group, [[block, [layer["name"] for layer in of]] for block, of in blocks]] for group, blocks in found]
    assert shown == [
        ["stem", [["", names[:1]]]],
        ["stage1", [["block1", names[1:3]], ["block2", names[3:4]]]],
        ["stem", [["", names[4:]]]],
    ]


@pytest.mark.parametrize(
    ("kind", "kernel", "out_hw", "is_wide"),
    [
        ("Conv2d", [3, 3], [8, 8], True),
        ("ReLU", None, [8, 8], False),
        ("Linear", None, [8, 8], True),
        ("Odd", None, [4, 4], True),
    ],
)
def test_layers_that_mix_are_wide(
    call: Call, kind: str, kernel: list[int] | None, out_hw: list[int], is_wide: bool
) -> None:
    assert call("layers", "isWide", {"kind": kind, "kernel": kernel, "in_hw": [8, 8], "out_hw": out_hw}) is is_wide


def test_the_strip_shows_the_elements_that_the_verdict_is_about(call: Call) -> None:
    transforms = [{"name": name} for name in ("rot90", "rot180", "rot45")]
    judged = [{"status": {}}, {"status": {"rot180": "exact", "rot90": "broken"}}]
    assert call("layers", "judgedElements", {"layers": judged, "transforms": transforms}) == ["rot90", "rot180"]
    assert len(call("layers", "judgedElements", {"layers": [{"status": {}}], "transforms": transforms})) == 3


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"a": 0.1, "b": 0.3}, 0.3),
        ({"a": None, "b": 0.3}, 0.3),
        ({"a": "NaN", "b": 0.3}, "NaN"),
        ({"a": 0.3, "b": "NaN"}, "NaN"),
        ({"a": "Infinity", "b": 5}, "Infinity"),
        ({"a": None}, None),
    ],
)
def test_the_largest_error_is_nan_where_one_is(call: Call, errors: dict[str, Any], expected: Any) -> None:
    assert call("layers", "largestError", errors, ["a", "b"]) == expected


def test_a_break_is_worse_than_what_is_undecided(call: Call) -> None:
    status = {"a": "undecided", "b": "broken", "c": "exact"}
    assert call("layers", "worstStatus", status, ["a", "b", "c"]) == "broken"
    assert call("layers", "worstStatus", status, ["a", "c"]) == "undecided"
    assert call("layers", "worstStatus", status, ["c"]) is None
