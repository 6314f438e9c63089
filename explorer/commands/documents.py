"""The documents that `--json` prints: the contract that scripts rely on."""

import math
from collections.abc import Sequence
from typing import Any

from equivariance.measurement.measure import LayerMeasurement
from equivariance.theory.exactness import LayerTheory
from explorer.serving.engine import Inspection
from explorer.studies.breaking import Attempt, Outcome
from explorer.studies.worst_picture import Search
from models.catalog import NetworkSpec


def measure_document(network: NetworkSpec, inspection: Inspection) -> dict[str, Any]:
    """The document of `measure --json`. Pairs are [height, width]; null where something does not apply.

    Numbers that are not finite are null as well: JSON has no word for them.
    """
    prediction, measurement, verdict = inspection.prediction, inspection.measurement, inspection.verdict
    theory = {layer.name: layer for layer in prediction.layers}
    elements = dict(verdict.elements)
    for name, error in measurement.output_error.items():  # transforms beyond the group: measured, not judged
        elements.setdefault(name, "no action" if error is None else "undecided")
    first = prediction.first_broken_layer
    return {
        "network": network.name,
        "group": network.point_group.name,
        "height_px": prediction.height_px,
        "width_px": prediction.width_px,
        "device": measurement.device,
        "dtype": measurement.dtype,
        "verdict": verdict.kind,
        "first_broken_layer": None if first is None else first.name,
        "broken_layers": [layer.name for layer in prediction.broken_layers],
        "elements": elements,
        "reason": verdict.reason,
        "exact_sizes_px": {
            "height": list(prediction.exact_heights_px),
            "width": list(prediction.exact_widths_px),
        },
        "layers": [_layer(layer, theory.get(layer.name)) for layer in measurement.layers],
        "output_error": _all_finite(measurement.output_error),
        "logits": {name: [finite(value) for value in values] for name, values in measurement.logits.items()},
        "disagreements": list(verdict.disagreements),
        "unseen": list(verdict.unseen),
        "remarks": list(verdict.remarks),
    }


def break_document(attempt: Attempt, outcome: Outcome) -> dict[str, Any]:
    """The document of `break --json`. `losses`: before the first update, and after each."""
    return {
        "network": attempt.network.name,
        "group": attempt.network.point_group.name,
        "size_px": attempt.size_px,
        "transform": attempt.element.name,
        "seed": attempt.seed,
        "steps": attempt.steps,
        "first_loss": outcome.losses[0],
        "last_loss": outcome.losses[-1],
        "lowest_loss": min(outcome.losses),
        "verdict": outcome.verdict,
        "predicted": outcome.predicted,
        "losses": list(outcome.losses),
    }


def worst_document(network: NetworkSpec, search: Search, errors: Sequence[float], predicted: str) -> dict[str, Any]:
    """The document of `worst --json`. `errors`: the largest so far, of the start and after each step."""
    return {
        "network": network.name,
        "group": network.point_group.name,
        "size_px": int(search.picture.shape[-1]),
        "transform": search.element.name,
        "layer": search.layer,
        "steps": search.steps,
        "first_error": errors[0],
        "largest_error": errors[-1],
        "predicted": predicted,
        "errors": list(errors),
    }


def _layer(measured: LayerMeasurement, theory: LayerTheory | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": measured.name,
        "kind": measured.kind,
        "in_hw": list(measured.in_hw),
        "out_hw": list(measured.out_hw),
    }
    for key in ("kernel", "stride", "padding", "remainder", "displacement_px"):
        pair = None if theory is None else getattr(theory, key)
        document[key] = None if pair is None else list(pair)
    document["error"], document["own_error"] = _all_finite(measured.error), _all_finite(measured.own_error)
    return document


def finite(number: float | None) -> float | None:
    """`number`, or None where it is infinite or not a number."""
    return number if number is not None and math.isfinite(number) else None


def _all_finite(errors: dict[str, float | None]) -> dict[str, float | None]:
    return {name: finite(error) for name, error in errors.items()}
