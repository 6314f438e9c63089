"""Why a network is exact at a size or not, in drawings: the layer that decides, as published and mended."""

from equivariance.groups.point_groups import Element
from equivariance.theory.exactness import LayerTheory, Prediction
from equivariance.theory.grids import BROKEN
from equivariance.theory.places import mended_grid, sampled_grid
from explorer.figures.drawing import draw_figure


def draw_reasons(prediction: Prediction, published: Prediction) -> tuple[str, ...]:
    """The insides of one or two HTML figures; none where weights decide, or where no layer strides.

    `published`: the same network without any mend. The layer is the first that breaks; in an exact network the one
    that would break first without the mend; else the first that strides.
    """
    layer = prediction.first_broken_layer or published.first_broken_layer or published.first_strided_layer
    if layer is None or layer.sampling is None or layer.weight_error:
        return ()
    element = _element(layer)
    grid = sampled_grid(layer.sampling, layer.in_hw, element)
    if grid.is_exact and layer.is_broken:  # another of its operations decides
        return ()
    original = next((each for each in published.layers if each.name == layer.name), layer)
    words = f"{layer.name}:" if layer is prediction.first_broken_layer else f"{layer.name}, as published:"
    given = draw_figure(grid, name="grid-given", words=words)
    if grid.is_exact or original.sampling is None or not original.module_name:  # calls of functions are not mended
        return (given,)
    mended = mended_grid(original.sampling, original.in_hw, element)
    return given, draw_figure(mended, name="grid-mended", words="With symmetric subsampling:")


def _element(layer: LayerTheory) -> Element:
    """The first that the layer breaks, else the first."""
    broken = [name for name, status in layer.elements.items() if status == BROKEN]
    return Element.parse(next(iter(broken or layer.elements)))
