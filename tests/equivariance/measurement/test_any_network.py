"""How an output is compared where theory does not know what it is: one way for all pictures, and it is told."""

from torch import Tensor, nn

import equivariance as eq
from equivariance.measurement.any_network import How, Seen

MAPS, INVARIANT = How("maps"), How("invariant")


class Sorted(nn.Module):
    """Each row in order: the same for a picture and its mirror image, and no map of either."""

    def forward(self, picture: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(picture, (2, 1)).sort(-1).values


def test_an_output_that_does_not_turn_is_told_as_invariant() -> None:
    report = eq.check(Sorted(), 9, group="D1", channels=1)

    assert report.elements == {"mirror": "exact"}
    assert report.outputs["output"]["compared as"] == "invariant"
    assert report.evidence == "measurement alone"


def test_one_way_to_compare_counts_for_all_pictures() -> None:
    one = Seen({("output", MAPS): {"mirror": 0.0}, ("output", INVARIANT): {"mirror": 0.3}}, {}, insensitive=False)
    other = Seen({("output", MAPS): {"mirror": 0.5}, ("output", INVARIANT): {"mirror": 0.0}}, {}, insensitive=False)

    assert (one.kinds, other.kinds) == ({"output": "maps"}, {"output": "invariant"})
    assert one.with_more(other).outputs == {"output": {"mirror": 0.3}}
    assert one.with_more(other).kinds == {"output": "invariant"}
