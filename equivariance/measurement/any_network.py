"""Measurement of anyone's network: its outputs, always, and every layer whose fields theory knows.

ε(g; x) = ‖Φ(g·x) − ρ(g) Φ(x)‖₂ / ‖Φ(x)‖₂,  ρ(g) on space where Φ has height and width, and on its channels;
of an output that is a vector the denominator leaves out what all its numbers have in common, see `outputs`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from equivariance.following.arguments import plain_tensor
from equivariance.following.dims import CHANNELS, Dims, UnclearError, acted, type_of
from equivariance.following.outputs import outputs_of
from equivariance.following.shapes import side_of
from equivariance.groups.acting import disc_mask, transform_fields, transform_picture
from equivariance.groups.fields import FieldType, scalars
from equivariance.groups.point_groups import Element
from equivariance.largest import largest_of
from equivariance.layers.export import layers_of
from equivariance.measurement.outputs import output_error
from equivariance.relative import relative_error

_CLEAR = 1e-4
Errors = dict[str, float | None]  # by element's name; None where nothing can be compared
Name = TypeVar("Name")
_ALIKE = 1e-7  # relative: outputs that differ less for other pictures do not depend on the picture


@dataclass(frozen=True)
class How:
    """How an output is compared: "maps" (turned back in space) or "invariant", with the type of its channels.

    fields: None are scalars. dims: where theory knows what each dimension means, that is what counts. others: how it
    may be compared as well where theory does not know it; the way that fits best under all elements counts.
    """

    kind: str
    fields: FieldType | None = None
    dims: Dims | None = None
    others: tuple["How", ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was measured on some pictures: the largest error by element, of each output and of each layer.

    readings: by output and way to compare it, where there are several. insensitive: whether the outputs are the same
    for all pictures, so that nothing can be learnt from them.
    """

    readings: dict[tuple[str, How], Errors]
    layers: dict[str, Errors]
    insensitive: bool

    @property
    def outputs(self) -> dict[str, Errors]:
        """By output, the errors of the way to compare it that fits best."""
        return {path: self.readings[path, how] for path, how in self._best.items()}

    @property
    def kinds(self) -> dict[str, str]:
        """By output, how it is compared so: "maps" or "invariant"."""
        return {path: how.kind for path, how in self._best.items()}

    @cached_property
    def _best(self) -> dict[str, How]:
        """Of the ways to compare an output, the one that fits the most elements; of these, that of the least error."""
        best: dict[str, How] = {}
        for (path, how), errors in self.readings.items():
            if path not in best or _worst_of(errors) < _worst_of(self.readings[path, best[path]]):
                best[path] = how
        return best

    def with_more(self, other: "Seen") -> "Seen":
        """What was measured on these pictures and on others."""
        return Seen(
            _joined(self.readings, other.readings),
            _joined(self.layers, other.layers),
            self.insensitive and other.insensitive,
        )

    def largest(self, element: str) -> float | None:
        """The largest error of any output; None where none could be compared."""
        return largest_of([errors.get(element) for errors in self.outputs.values()])


def _joined(one: Mapping[Name, Errors], other: Mapping[Name, Errors]) -> dict[Name, Errors]:
    """The larger of two errors each."""
    names = {name: {*one.get(name, {}), *other.get(name, {})} for name in {*one, *other}}
    return {
        name: {
            element: largest_of([one.get(name, {}).get(element), other.get(name, {}).get(element)])
            for element in sorted(elements)
        }
        for name, elements in names.items()
    }


def measure_any(
    network: nn.Module,
    pictures: Sequence[Tensor],
    elements: Sequence[Element],
    how_of: Callable[[str, tuple[int, ...]], How],
    layers: Mapping[str, Dims],
) -> Seen:
    """The errors of `network` on `pictures`, (C, H, W) each; the network is not changed.

    how_of: (path, shape) of an output → how it is compared. layers: what the dimensions of layers' outputs mean, by
    call, where that is known.
    """
    readings: dict[tuple[str, How], Errors] = {}
    of_layers: dict[str, Errors] = {}
    upright: list[dict[str, Tensor]] = []
    for picture in pictures:
        reference, calls = _run(network, picture, layers)
        upright.append(reference)
        for element in elements:
            moved, moved_calls = _run(network, transform_picture(picture, element), layers)
            for path, value in reference.items():
                how = how_of(path, tuple(value.shape))
                for each in (how, *how.others):
                    _keep(readings, (path, each), element, _output_error(value, moved.get(path), element, each))
            for call, value in calls.items():
                if call in moved_calls:
                    how = How("maps", dims=layers[call])
                    _keep(of_layers, call, element, _error(value, moved_calls[call], element, how))
    return Seen(readings, of_layers, _is_insensitive(upright))


def _worst_of(errors: Errors) -> tuple[int, float]:
    """(of how many elements the error is clearly none of rounding, the largest error)."""
    known = [error if error == error else float("inf") for error in errors.values() if error is not None]
    return sum(error > _CLEAR for error in known), max(known, default=float("inf"))


def _keep(found: dict[Name, Errors], name: Name, element: Element, error: float | None) -> None:
    errors = found.setdefault(name, {})
    errors[element.name] = largest_of(each for each in (errors.get(element.name), error) if each is not None)


@torch.no_grad()
def _run(
    network: nn.Module, picture: Tensor, layers: Mapping[str, Dims]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """({path: output}, {call: output of layer}) for one picture."""
    calls: dict[str, Tensor] = {}
    with _watched(network, calls, layers):
        output = network(picture[None].clone())
    found = {path: tensor.detach().clone() for path, tensor in outputs_of(_plain(output)) if isinstance(tensor, Tensor)}
    return found, calls


def _plain(value: Any) -> Any:
    value = plain_tensor(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


@contextmanager
def _watched(network: nn.Module, calls: dict[str, Tensor], layers: Mapping[str, Dims]) -> Iterator[None]:
    counts: dict[str, int] = {}
    handles = []

    def hook_of(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            counts[name] = counts.get(name, 0) + 1
            call = name if counts[name] == 1 else f"{name}#{counts[name]}"
            value = plain_tensor(output)
            if isinstance(value, Tensor) and call in layers:
                calls[call] = value.detach().clone()

        return hook

    for name, layer in layers_of(network):
        handles.append(layer.register_forward_hook(hook_of(name or "network")))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _output_error(reference: Tensor, moved: Tensor | None, element: Element, how: How) -> float | None:
    """`_error`; for a vector without the offset of its numbers, which could make an error small."""
    expected = _expected(reference, element, how)
    if how.kind == "maps" or moved is None or expected is None or not expected.is_floating_point():
        return _error(reference, moved, element, how)
    return float(output_error(moved, expected))


def _error(reference: Tensor, moved: Tensor | None, element: Element, how: How) -> float | None:
    """The relative error; None where the element has no action on the fields, infinite where the shapes differ."""
    if moved is None:
        return float("inf")
    reference, moved = _as_numbers(reference), _as_numbers(moved)
    expected = _expected(reference, element, how)
    if expected is None:
        return None
    if not element.moves_pixels and how.kind == "maps":
        mask = disc_mask(*side_of(reference), device=reference.device)
        return float(relative_error(moved, expected, mask=mask))
    return float(relative_error(moved, expected))


def _as_numbers(value: Tensor) -> Tensor:
    """float64, complex numbers as pairs."""
    return (torch.view_as_real(value) if value.is_complex() else value).double()


def _expected(reference: Tensor, element: Element, how: How) -> Tensor | None:
    fields = how.fields
    if how.dims is not None and element.moves_pixels:
        try:
            return acted(reference, how.dims, element)
        except (UnclearError, RuntimeError, ValueError):
            return None
    if how.dims is not None:
        fields = type_of(tuple(atom for dim in how.dims[1:] for atom in dim if atom.kind == CHANNELS))
        if fields is None:
            return None
    if reference.dim() < (3 if how.kind == "maps" else 2):
        return reference
    space = reference.shape[-2:] if how.kind == "maps" else ()
    flat = reference.reshape(len(reference), -1, *space)
    fields = fields or scalars(flat.shape[1])
    if fields.channels != flat.shape[1] or not fields.has_action(element):
        return None
    moved = transform_fields(flat, fields, element)
    return moved.reshape(*reference.shape[: reference.dim() - len(space)], *moved.shape[2:])


def _is_insensitive(outputs: Sequence[Mapping[str, Tensor]]) -> bool:
    """Whether all outputs are alike for all pictures."""
    if len(outputs) < 2:
        return False
    first, *others = outputs
    for path, value in first.items():
        for other in others:
            there = other.get(path)
            if there is None or not float(relative_error(_as_numbers(there), _as_numbers(value))) <= _ALIKE:
                return False
    return True
