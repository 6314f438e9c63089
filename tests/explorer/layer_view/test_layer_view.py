"""The layer view in a browser, on a small app of its own that counts its runs."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from explorer.pages.widgets.layer_view import WantedMaps, requested
from tests.support.app_process import running_app
from tests.support.rest import settle

START_LIMIT_S = 60
PAINT_LIMIT_MS = 60_000
APP = """
import torch, streamlit as st
from equivariance.theory.exactness import Structure, predict
from equivariance.measurement.measure import measure
from explorer.layer_view.packing import PackedView, pack_view
from explorer.pages.widgets.layer_view import enlarged, layer_view, requested
from equivariance.groups.transforms import elements_to_measure, parse
from models.build import serve
from models.catalog import spec

chosen = spec(st.query_params.get("network", "p4-resnet18"), minimum_width=True)

@st.cache_resource
def network(name):
    served = serve(chosen).eval()
    structure = Structure(served, chosen.point_group)
    return served.float(), structure

served, structure = network(chosen.name)
st.session_state.runs = st.session_state.get("runs", 0) + 1
height_px = int(st.number_input("height", 8, 64, 32))
budget = int(st.query_params.get("budget", 3_000_000))
size = dict(height_px=height_px, width_px=32)
picture = torch.rand(3, height_px, 32, generator=torch.Generator().manual_seed(0))
transforms = (*elements_to_measure(chosen.point_group), parse("rot45"))
prediction = predict(structure, **size)
names = [layer.name for layer in prediction.layers]
asked = requested("view")
layer = asked.layer or st.query_params.get("layer", "stage2.block1.conv1")
if st.button("jump"):
    layer = "stem.norm"
measured = measure(served, picture, transforms, maps_of=layer)
view = PackedView(measured, prediction, transforms, picture, f"{height_px}", str(st.session_state.runs), "rot90", 1e-5,
            asked.first_field, "C4")
def enlarge():
    st.session_state.wanted = vars(enlarged("view"))

layer_view(pack_view(view, values_per_payload=budget), key="view", on_enlarge_change=enlarge)
turns = [measured.maps.transforms[name] for name in ("rot90", "rot180", "rot270")]
pooled = turns[0].upright.dim() == 1
sample = [] if pooled else [[float(m[1, 2, 3]) for m in (turn.upright, turn.realigned)] for turn in turns]
st.code(f"RUN {st.session_state.runs} {layer} {sample} {st.session_state.pop('wanted', None)}", language=None)
"""


@pytest.fixture(scope="module")
def view_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("view")
    (folder / "app.py").write_text(APP, encoding="utf-8")
    with running_app(folder / "app.py", folder / "log") as url:
        yield url


@contextmanager
def opening(visitor: BrowserContext, view_url: str) -> Iterator[Callable[..., Page]]:
    """What opens the small app, waits until it is drawn, and closes all of it; at the end no script may have failed."""
    pages, faults = [], []

    def open_view(path: str = "/", *, width_px: int = 1280, dark: bool = False) -> Page:
        page = visitor.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width_px, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_default_timeout(PAINT_LIMIT_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(view_url + path)
        expect(page.get_by_test_id("stCode")).to_contain_text("RUN 1 ", timeout=PAINT_LIMIT_MS)
        page.locator(".viewer:not(.waiting) .sheet").first.wait_for(state="attached")
        return page

    yield open_view
    for page in pages:
        page.close()
    assert faults == []


@pytest.fixture
def open_view(visitor: BrowserContext, view_url: str) -> Iterator[Callable[..., Page]]:
    with opening(visitor, view_url) as open_view:
        yield open_view


@pytest.fixture(scope="module")
def first_view(visitor: BrowserContext, view_url: str) -> Iterator[Page]:
    """The small app, opened once for tests that choose what they look at and cause no run."""
    with opening(visitor, view_url) as open_view:
        yield open_view()


def tile(page: Page, layer: str) -> Locator:
    return page.locator(f'.tile[aria-label^="{layer},"]')


def title(page: Page) -> Locator:
    return page.locator(".viewer h3")


def run(page: Page) -> Locator:
    return page.get_by_test_id("stCode")


def choose(page: Page, element: str) -> None:
    page.locator('.segmented[aria-label="Element"] label', has_text=element).click()


def test_strip_shows_every_layer_with_its_numbers(first_view: Page) -> None:
    page = first_view
    expect(page.locator(".tile")).to_have_count(60)
    broken = page.locator('.tile[aria-label$="breaks by itself"]')
    expect(broken).to_have_count(6)  # two convolutions of stride 2 in each of three stages
    expect(broken.first).to_have_attribute(
        "aria-label",
        re.compile(
            r"stage2\.block1\.conv1, convolution, 32×32 → 16×16, own error \d\.\d+, inherited error \d\.\d+, "
            r"the largest of 3 elements, breaks by itself"
        ),
    )
    expect(broken.first).to_contain_text("✕")
    expect(tile(page, "stem.conv")).to_have_attribute("aria-label", re.compile(r"own error \d\.\de-[78]"))


def test_a_layer_seen_before_needs_no_run_and_is_in_the_address(open_view: Callable[..., Page]) -> None:
    page = open_view("/?budget=2000000")
    tile(page, "stem.conv").click()
    expect(run(page)).to_contain_text("RUN 2 stem.conv")
    expect(title(page)).to_contain_text("stem.conv")
    assert "layer=stem.conv" in page.url
    tile(page, "stage2.block1.conv1").click()
    expect(title(page)).to_contain_text("stage2.block1.conv1")
    expect(page.locator(".viewer")).not_to_have_class(re.compile("waiting"))
    assert "layer=stage2.block1.conv1" in page.url and "budget=2000000" in page.url
    settle(page)
    expect(run(page)).to_contain_text("RUN 2 stem.conv")
    page.get_by_role("button", name="jump").click()  # the next run is the third: none came between
    expect(run(page)).to_contain_text("RUN 3 stem.norm")


def test_a_run_for_another_reason_leaves_the_choice_alone(open_view: Callable[..., Page]) -> None:
    page = open_view()
    tile(page, "stem.conv").click()
    expect(run(page)).to_contain_text("RUN 2 stem.conv")
    tile(page, "stage2.block1.conv1").click()  # from the cache: the server still believes in stem.conv
    choose(page, "180°")
    page.get_by_label("height").fill("33")
    page.get_by_label("height").press("Enter")
    expect(title(page)).to_contain_text("stage2.block1.conv1 — convolution, 33×32 → 17×16")
    expect(run(page)).to_contain_text("stage2.block1.conv1")
    expect(page.locator('.segmented[aria-label="Element"] input:checked')).to_have_value("rot180")


def test_the_page_can_choose_a_layer(open_view: Callable[..., Page]) -> None:
    page = open_view()
    page.get_by_role("button", name="jump").click()
    expect(title(page)).to_contain_text("stem.norm")


def test_fast_choices_end_at_the_last_one(open_view: Callable[..., Page]) -> None:
    page = open_view()
    for layer in ("stage1.block1.conv1", "stage1.block2.conv1", "stage3.block1.conv1"):
        tile(page, layer).click()
    expect(run(page)).to_contain_text("stage3.block1.conv1")
    expect(page.locator(".viewer")).not_to_have_class(re.compile("waiting"))
    expect(title(page)).to_contain_text("stage3.block1.conv1 — convolution, 16×16 → 8×8, ")


def test_keys_walk_the_strip(open_view: Callable[..., Page]) -> None:
    page = open_view()
    tile(page, "stage2.block1.conv1").focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(title(page)).to_contain_text("stage1.block1.conv1")
    expect(run(page)).to_contain_text("stage1.block1.conv1")
    expect(page.locator('.tile[tabindex="0"]')).to_have_count(1)
    expect(page.locator('.tile[aria-checked="true"]')).to_have_attribute(
        "aria-label", re.compile("stage1.block1.conv1")
    )
    page.keyboard.press("End")
    expect(title(page)).to_contain_text("head.classifier")
    expect(page.locator(".vector")).to_have_count(4)


def test_pointing_reads_the_values_that_were_measured(first_view: Page) -> None:
    page = first_view
    measured = json.loads(re.search(r"\[\[.*\]\]", run(page).inner_text()).group())
    for element, (upright, realigned) in zip(("90°", "180°", "270°"), measured, strict=True):
        choose(page, element)
        point_at(page, 2, channel=1, columns=4, row=2, column=3)
        expect(page.locator(".readout span").first).to_have_text("field 1, r, row 3, column 4")
        values = [float(text.replace("−", "-")) for text in page.locator(".readout b").all_inner_texts()]
        assert values[0] == pytest.approx(upright, rel=1e-3)
        assert values[1] == values[2] == pytest.approx(realigned, rel=1e-3)
        assert values[3] == pytest.approx(realigned - upright, rel=1e-1)


def point_at(page: Page, panel: int, *, channel: int, columns: int, row: int, column: int, side: int = 16) -> None:
    canvas = page.locator(".panel canvas").nth(panel)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    step = (box["width"] + 2) / columns
    size = (step - 2) / side
    page.mouse.move(box["x"] + channel * step + (column + 0.5) * size, box["y"] + (row + 0.5) * size)


def test_no_action_is_said_without_a_jump(first_view: Page) -> None:
    page = first_view
    choose(page, "90°")
    before = page.locator(".viewer").bounding_box()
    choose(page, "45°")
    expect(page.locator(".message").nth(2)).to_have_text("No action: a C4 network says nothing about ⟲ 45° here.")
    expect(title(page)).to_contain_text("under ⟲ 45°: own error —, inherited —")
    assert page.locator(".viewer").bounding_box() == before
    expect(run(page)).to_contain_text("RUN 1 ")


def test_the_difference_keeps_the_scale_of_the_maps_until_stretched(open_view: Callable[..., Page]) -> None:
    page = open_view("/?layer=stem.conv")
    scales = page.locator(".scale")
    expect(scales.nth(1)).to_contain_text("rounding")
    assert scales.nth(0).locator("b").all_inner_texts() == scales.nth(1).locator("b").all_inner_texts()
    scales.nth(1).get_by_role("checkbox").check()
    expect(scales.nth(1).locator("b").last).to_have_text(re.compile(r"\d\.\de-\d"))


def test_a_channel_is_chosen_and_opened_large(open_view: Callable[..., Page]) -> None:
    page = open_view()
    canvas = page.locator(".panel canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.4 * box["width"], "y": 5})
    expect(page.locator(".large h4")).to_have_text("Field 1, r")
    page.locator(".panels").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".large h4")).to_have_text("Field 1, r²")
    page.get_by_role("button", name="Open large").click()
    expect(run(page)).to_contain_text("{'layer': 'stage2.block1.conv1', 'channel': 2, 'transform': 'rot90'}")


def test_fields_come_in_pages_and_the_focus_stays_on_the_button_that_turns_them(open_view: Callable[..., Page]) -> None:
    page = open_view("/?budget=1&layer=stage1.block1.conv1")
    expect(title(page)).to_contain_text("1 of 3 fields shown")
    check_room_of_one_field(page)
    following, previous = (page.get_by_role("button", name=f"{which} fields") for which in ("next", "previous"))
    following.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".paging")).to_contain_text("fields 2 to 2 of 3")
    expect(page.locator(".large h4")).to_have_text("Field 2, e")
    page.keyboard.press("Enter")
    expect(page.locator(".paging")).to_contain_text("fields 3 to 3 of 3")
    expect(following).to_be_disabled()
    page.keyboard.press("Enter")
    expect(following).to_be_focused()
    expect(page.locator(".paging")).to_contain_text("fields 3 to 3 of 3")
    previous.click()
    previous.click()
    expect(page.locator(".paging")).to_contain_text("fields 1 to 1 of 3")
    expect(run(page)).to_contain_text("RUN 3 ")


def check_room_of_one_field(page: Page) -> None:
    """One field alone takes two lines, and all the room."""
    panel = page.locator(".panel").nth(2)
    assert panel.locator(".columns div").all_inner_texts() == ["e\nr", "r²\nr³"]
    room = panel.locator(".scroll").bounding_box()
    assert panel.locator("canvas").bounding_box()["height"] > 0.8 * room["height"]
    point_at(page, 2, channel=1, columns=2, row=36, column=3, side=32)  # 32 rows and the gap above: the second line
    expect(page.locator(".readout span").first).to_have_text(re.compile(r"field 1, r³, row [345], column 4"))


def test_labels_of_sixteen_elements_do_not_run_into_each_other(open_view: Callable[..., Page]) -> None:
    page = open_view("/?network=d8-cnn&layer=pool")
    labels = page.locator(".panel").first.locator(".columns span")

    turns = ["", "r", "r²", "r³", "r⁴", "r⁵", "r⁶", "r⁷"]
    assert labels.all_inner_texts() == ["e", *turns[1:], *(f"m{turn}" for turn in turns)]
    for width_px in (1280, 390):
        page.set_viewport_size({"width": width_px, "height": 900})
        settle(page)  # the view draws itself anew in the frame in which its width changes
        assert page.locator(".columns span").evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth)") == []


def test_weak_fields_become_visible_with_a_scale_of_their_own(open_view: Callable[..., Page]) -> None:
    page = open_view("/?network=so2-cnn&layer=pool")
    strongest_in_one_scale = strongest_pixels(page)
    scales = page.locator(".scale")
    expect(scales.first).to_contain_text("one scale for all three")

    page.locator('.segmented[aria-label="Colour scale"] label', has_text="field").click()

    expect(scales.first).to_contain_text("own scale for each frequency of a field, the same in all three")
    fields = int(re.search(r"(\d+) fields", title(page).inner_text()).group(1))
    assert strongest_in_one_scale <= 4  # one value, seen in Φ(x) and turned back
    assert strongest_pixels(page) >= 4 * fields  # four frequencies each, one of them at least in Φ(x) or Φ(g·x)
    expect(run(page)).to_contain_text("RUN 1 ")


def strongest_pixels(page: Page) -> int:
    """How many map pixels of Φ(x) and Φ(g·x) have a colour from an end of the palette; a map pixel counts once."""
    return page.locator(".panel canvas").evaluate_all(
        """(canvases) => canvases.slice(0, 2).reduce((total, canvas) => {
          const { width, height } = canvas;
          const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
          const ends = new Set([0x8a3b00, 0x16408c].map((rgb) =>
            ((255 << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0));
          const at = (x, y) => x >= 0 && y >= 0 && ends.has(pixels[y * width + x]);
          let found = 0;
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) found += at(x, y) && !at(x - 1, y) && !at(x, y - 1);
          return total + found;
        }, 0)"""
    )


def test_a_phone_shows_everything_within_its_width(open_view: Callable[..., Page]) -> None:
    page = open_view("/?layer=stage4.block2.conv2", width_px=390, dark=True)
    widest = page.evaluate(
        "Math.max(...[...document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot"
        ".querySelectorAll('.panel, .large figure, canvas, .readout')].map(e => e.getBoundingClientRect().right))"
    )
    assert widest <= 390
    expect(tile(page, "stage4.block2.conv2")).to_be_in_viewport(ratio=1)  # once the strip has scrolled


def test_what_the_browser_asks_for_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "fine": {"layer": "stem.conv", "page": {"layer": "stem.conv", "first": 8}},
        "other page": {"layer": "stem.conv", "page": {"layer": "pool", "first": 8}},
        "nonsense": {"layer": 3, "page": {"layer": "stem.conv", "first": "all"}},
        "negative": {"layer": "stem.conv", "page": {"layer": "stem.conv", "first": -8}},
    }
    monkeypatch.setattr("explorer.pages.widgets.layer_view.st.session_state", answers)
    assert requested("fine") == WantedMaps("stem.conv", 8)
    assert requested("other page") == WantedMaps("stem.conv", 0)
    assert requested("nonsense") == WantedMaps(None, 0)
    assert requested("negative") == WantedMaps("stem.conv", 0)
    assert requested("never drawn") == WantedMaps(None, 0)
