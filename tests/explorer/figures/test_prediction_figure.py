"""The figure of what is lost: a mark for each network at its values, exact ones as rings."""

from explorer.figures.prediction import Marks, loss_by_predictor


def test_a_mark_for_each_network_says_its_name() -> None:
    figure = loss_by_predictor(
        [Marks("cnn", ["a", "b"], [0.1, 0.4], [3.0, 20.0]), Marks("resnet", ["c"], [0.9], [55.0])], "error"
    )

    assert [trace.name for trace in figure.data] == ["cnn", "resnet"]
    assert (figure.data[0].x, figure.data[0].y, figure.data[0].text) == ((0.1, 0.4), (3.0, 20.0), ("a", "b"))
    assert figure.data[0].marker.symbol != figure.data[1].marker.symbol
    assert "%{text}" in figure.data[0].hovertemplate and figure.layout.xaxis.title.text == "error"


def test_exact_networks_are_rings_and_take_no_colour_from_the_others() -> None:
    others = [Marks("a", [], [], []), Marks("exact", ["e"], [0.0], [0.0], is_exact=True), Marks("b", [], [], [])]
    first, exact, last = loss_by_predictor(others, "error").data
    alone = loss_by_predictor([others[0], others[2]], "error").data[1]

    assert exact.marker.symbol == "circle-open"
    assert (last.marker.color, last.marker.symbol) == (alone.marker.color, alone.marker.symbol)
    assert len({each.marker.color for each in (first, exact, last)}) == 3
