"""Measured views of small networks, to be packed for the layer view."""

from functools import lru_cache

import torch
from torch import nn

from equivariance.groups.point_groups import PointGroup
from equivariance.groups.transforms import Transform, elements_to_measure
from equivariance.measurement.measure import measure
from equivariance.theory.exactness import Structure, predict
from explorer.layer_view.packing import PackedView
from models.build import serve
from models.catalog import spec


@lru_cache
def network(name: str) -> tuple[nn.Module, Structure, PointGroup]:
    chosen = spec(name, minimum_width=True)
    served = serve(chosen).eval()
    structure = Structure(served, chosen.point_group)  # in float64: kernels are compared to the last bits
    return served.float(), structure, chosen.point_group


def view_of(
    name: str,
    *,
    layer: str,
    height_px: int = 17,
    width_px: int = 17,
    extra: tuple[Transform, ...] = (),
    first_field: int = 0,
) -> PackedView:
    """The network called `name`, with random weights, measured on a picture of noise; with the maps of `layer`."""
    served, structure, group = network(name)
    transforms = (*elements_to_measure(group), *extra)
    picture = torch.rand(3, height_px, width_px, generator=torch.Generator().manual_seed(1))
    measurement = measure(
        served,
        picture,
        transforms,
        grids=structure.grids(height_px=height_px, width_px=width_px),
        maps_of=layer,
    )
    prediction = predict(structure, height_px=height_px, width_px=width_px)
    return PackedView(
        measurement,
        prediction,
        transforms,
        picture,
        key=name,
        nonce="1",
        current=transforms[0].name,
        tolerance=1e-5,
        first_field=first_field,
    )
