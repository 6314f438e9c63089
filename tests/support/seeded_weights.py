"""Weights that another seed would draw: a network that is given them must answer as one of that seed."""

from explorer.serving.weights import Weights, weights_of
from models.build import build
from models.catalog import NetworkSpec


def weights_of_seed(network: NetworkSpec, seed: int) -> Weights:
    """Those of `network` as it is built from `seed`."""
    tensors = {name: value.detach().clone() for name, value in weights_of(build(network, seed=seed)).items()}
    return Weights(f"{network.name} of seed {seed}", tensors)
