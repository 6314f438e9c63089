"""The tensors of the weights that a visitor chose. Imports torch, so pages import this late."""

from equivariance.errors import WeightsError
from equivariance.kept import Kept
from explorer.pages.widgets.trained import Trained
from explorer.serving.weights import Weights, weights_from

_weights: Kept[Weights] = Kept(4)


def weights_of(trained: Trained | None) -> Weights | None:
    """The tensors of the chosen weights; None for random ones. Raises WeightsError for those that cannot be used."""
    if trained is None:
        return None
    if trained.problem:
        raise WeightsError(trained.problem)
    return _weights.get(trained.sha256, lambda: weights_from(trained.read(), trained.title))
