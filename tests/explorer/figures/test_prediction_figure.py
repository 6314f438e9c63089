"""The figure of what is lost: a mark for each network at its values, exact ones as rings."""

from explorer.figures.prediction import Marks, loss_by_predictor


def test_a_mark_for_each_network_says_its_name() -> None:
    figure = loss_by_predictor(
        [Marks("cnn", ["a", "b"], [0.1, 0.4], [3.0, 20.0]), Marks("resnet", ["c"], [0.9], [55.0], place=1)], "error"
    )

    assert [trace.name for trace in figure.data] == ["cnn", "resnet"]
    assert (figure.data[0].x, figure.data[0].y, figure.data[0].text) == ((0.1, 0.4), (3.0, 20.0), ("a", "b"))
    assert figure.data[0].marker.symbol != figure.data[1].marker.symbol
    assert "%{text}" in figure.data[0].hovertemplate and figure.layout.xaxis.title.text == "error"


def test_a_kind_keeps_its_colour_and_sign_and_exact_networks_are_rings() -> None:
    others = [
        Marks("a", [], [], []),
        Marks("b", [], [], [], place=1),
        Marks("exact", ["e"], [0.0], [0.0], is_exact=True),
    ]
    first, second, exact = (trace.marker for trace in loss_by_predictor(others, "error").data)
    (alone,) = (trace.marker for trace in loss_by_predictor(others[1:2], "error").data)

    assert exact.symbol == "circle-open"
    assert (second.color, second.symbol) == (alone.color, alone.symbol)
    assert len({each.color for each in (first, second, exact)}) == 3
