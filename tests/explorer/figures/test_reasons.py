"""The drawings that say why: of the layer that decides, for networks that break, are exact, or are mended."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.theory.exactness import Prediction, Structure, predict
from explorer.figures.reasons import draw_reasons
from models.build import serve
from models.catalog import spec
from tests.support import ROOT

PAINT_LIMIT_MS = 60_000


@cache
def structure(name: str, subsampling: str, only: tuple[str, ...]) -> Structure:
    chosen = replace(spec(name, minimum_width=True), subsampling=subsampling, only=only)
    return Structure(serve(chosen), chosen.point_group)


def prediction(
    name: str, size_px: int, subsampling: str = "published", only: tuple[str, ...] = (), width_px: int | None = None
) -> Prediction:
    return predict(structure(name, subsampling, only), height_px=size_px, width_px=width_px or size_px)


def texts(figures: tuple[str, ...]) -> list[tuple[str, str]]:
    """(title, caption) of each drawing."""
    parsed = [ElementTree.fromstring(f"<figure>{figure}</figure>") for figure in figures]
    return [(str(each[0][0].text), "".join(each[1].itertext())) for each in parsed]


def test_a_network_that_breaks_has_its_first_breaking_layer_drawn_and_mended() -> None:
    broken = prediction("p4-resnet18", 32)

    (title, caption), (mended_title, mended_caption) = texts(draw_reasons(broken, broken))

    assert title == "32 px: 1 row and 1 column left over"
    assert caption.startswith("stage2.block1.conv1: 16 windows a side, kernel 3, stride 2, padding 1")
    assert caption.endswith("1 px along the width.")
    assert mended_title == "32 px: centred between the pixels"
    assert mended_caption.endswith("are sampled at the same places.")


def test_the_mended_drawing_has_the_numbers_of_the_mended_network() -> None:
    layer = next(
        layer
        for layer in prediction("p4-resnet18", 32, "symmetric").layers
        if layer.name == "stage2.block1.conv1" and layer.sampling is not None
    )
    sampling = layer.sampling[0]

    broken = prediction("p4-resnet18", 32)
    _, (_, caption) = texts(draw_reasons(broken, broken))

    assert f"{sampling.out_side} windows a side" in caption
    assert f"padding {sampling.pad_before}, remainder {sampling.remainder}, displacement 0 px" in caption
    assert sampling.displacement_px == 0


def test_an_exact_network_has_its_first_strided_layer_drawn() -> None:
    exact = prediction("p4-resnet18", 33)

    [(title, caption)] = texts(draw_reasons(exact, exact))

    assert title == "33 px: the windows fit"
    assert caption.startswith("stage2.block1.conv1, as published:")


def test_a_mended_network_is_drawn_as_it_was_and_as_it_is() -> None:
    published, mended = prediction("p4-cnn", 29), prediction("p4-cnn", 29, "symmetric")

    assert mended.verdict == "exact"
    was, now = texts(draw_reasons(mended, published))
    assert ", as published: 14 windows" in was[1]
    assert now == texts(draw_reasons(published, published))[1]


def test_a_network_mended_in_part_has_the_layer_drawn_that_is_left() -> None:
    published = prediction("p4-resnet18", 32)
    first = published.broken_layers[0].name
    partly = prediction("p4-resnet18", 32, "symmetric", (first,))

    (_, caption), _ = texts(draw_reasons(partly, published))

    assert caption.startswith(f"{published.broken_layers[1].name}: ")


def test_an_antialiased_pool_is_drawn_with_its_blur() -> None:
    published, blurred = prediction("p4-cnn", 29), prediction("p4-cnn", 29, "antialiased")

    (_, caption), (_, mended_caption) = texts(draw_reasons(blurred, published))

    assert "kernel 3, stride 2, padding 1" in caption  # the pool itself has kernel 2
    assert mended_caption.startswith("With symmetric subsampling: 14 windows a side, kernel 2, stride 2")


def test_for_an_oblong_picture_the_element_that_breaks_is_drawn() -> None:
    broken = prediction("p4-cnn", 33, width_px=32)

    (title, caption), _ = texts(draw_reasons(broken, broken))

    assert title == "33×32 px: 1 row left over"
    assert caption.endswith("The transform (⟲ 180°) is sampled at places shifted by 1 px along the height.")


def test_where_weights_decide_there_is_no_drawing() -> None:
    plain = prediction("z2-cnn", 33)

    assert draw_reasons(plain, plain) == ()


@pytest.mark.parametrize(("parameters", "count"), [({"size": "29"}, 2), ({"size": "32"}, 1), ({"group": "Z2"}, 0)])
def test_look_has_the_drawings(parameters: dict[str, str], count: int) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {"family": "cnn", **parameters}.items():
        app.query_params[name] = value

    assert len(app.run().session_state["shown"].sheet.reasons) == count


def test_a_visitor_opens_the_drawings(open_page: Callable[..., Page]) -> None:
    page = open_page("/?family=cnn&size=29", width_px=1440, height_px=900)
    page.get_by_role("button", name="See why").click(timeout=PAINT_LIMIT_MS)
    check_drawings(page, 1440)

    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 900})
    page.get_by_role("button", name="See why").click(timeout=PAINT_LIMIT_MS)
    check_drawings(page, 390)


def check_drawings(page: Page, width_px: int) -> None:
    """Both drawings are there, inside the page and large enough, with their headlines inside."""
    drawings = page.get_by_role("img", name=re.compile("^29 px: "))
    expect(drawings).to_have_count(2)
    expect(page.get_by_text("reached by no window")).to_be_visible()
    boxes = [drawing.bounding_box() for drawing in drawings.all()]
    assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width_px for box in boxes)
    assert all(box is not None and box["width"] >= 280 for box in boxes)
    ends = page.locator(".drawings .headline").evaluate_all(
        "es => es.map(e => e.getBoundingClientRect().right - e.parentElement.getBoundingClientRect().right)"
    )
    assert max(ends) <= 0
