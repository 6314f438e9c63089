"""What the Look page shows, in five sentences with its own numbers."""

from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import Verdict, largest_compared, size_text
from equivariance.theory.exactness import Prediction
from models.catalog import NetworkSpec


def explain(
    network: NetworkSpec, prediction: Prediction, measurement: Measurement, verdict: Verdict
) -> tuple[str, ...]:
    """Five sentences on what the page shows, with its own numbers; Markdown."""
    size = size_text(prediction.height_px, prediction.width_px)
    first = prediction.first_broken_layer
    largest = largest_compared(measurement, prediction)
    group = network.point_group.name.upper().replace("SO2", "SO(2)")
    built = (
        f"`{network.name}` is a plain network: nothing in it knows about turns or mirrors."
        if network.group == "z2"
        else f"`{network.name}` is built so that each layer turns its maps when the picture is turned (group {group})."
    )
    count = len(prediction.broken_layers)
    breaks, inherits = ("breaks by itself", "its") if count == 1 else ("break by themselves", "their")
    where = (
        f"The first layer that does not is `{first.name}`; {count} of {len(prediction.layers)} layers {breaks}, and "
        f"what follows inherits {inherits} error."
        if first is not None
        else "No layer breaks this by itself."
    )
    return (
        f"The picture, brought to {size}, runs through the network once upright and once for each of "
        f"{len(measurement.output_error)} transforms; {built}",
        "Undoing the transform on each layer's maps must give the upright maps back; what is left over is the "
        "*difference*, and its length divided by the maps' own is the *error*.",
        where,
        f"Here the largest error is {largest}, where rounding of {measurement.dtype} stays below "
        f"{ROUNDING_LEVEL[measurement.dtype]:.0e}: the network is **{verdict.kind}** at this size.",
        _advice(verdict, prediction),
    )


def _advice(verdict: Verdict, prediction: Prediction) -> str:
    if verdict.kind == "exact":
        return "Change the size by one pixel and watch which layers break."
    if verdict.kind == "not equivariant" or (prediction.height_is_exact and prediction.width_is_exact):
        return "No size mends this: choose another group to compare."
    if prediction.height_px == prediction.width_px:
        return (
            f"At {_either(prediction.exact_heights_px)} every sampling grid is centred and the network is exact with "
            "the same weights; with symmetric subsampling it is exact at this size, too."
        )
    heights = "" if prediction.height_is_exact else f"a height of {_either(prediction.exact_heights_px)}"
    widths = "" if prediction.width_is_exact else f"a width of {_either(prediction.exact_widths_px)}"
    return (
        f"With {' and '.join(filter(None, (heights, widths)))} the network is exact with the same weights; with "
        "symmetric subsampling it is exact at this size, too."
    )


def _either(sides_px: tuple[int | None, int | None]) -> str:
    return " or ".join(f"{side} px" for side in sides_px if side is not None) or "no nearby size"
