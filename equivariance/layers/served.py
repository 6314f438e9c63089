"""Anyone's network of escnn or e2cnn made ready: plain layers where they do the same, and the rest run as it is.

The containers are the user's own and go on passing GeometricTensors; each layer takes these, and plain tensors too.
Modules that run as they are compute in float32, since their bases and outputs are float32, and so then does the network
around them. The original is never run and never changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.export import (
    ExportError,
    by_itself,
    frozen,
    outermost,
    plain_layer,
    with_replaced,
)
from equivariance.layers.planar import as_in_eval, has_equivalent, has_filter, is_branched, is_sequence, is_theirs
from equivariance.layers.reading import geometric, group_of, is_their_type, is_typed_layer, read_or_none
from equivariance.relative import relative_error

_SAME_PIXELS = 1e-6
SAME = 1e-3  # relative difference up to which the outputs of many layers in float32 are the same


@dataclass(frozen=True)
class MadeReady:
    """A network made ready, what it computes in, and what runs as it is: {name of a layer: why}.

    output_types: of the outputs that are typed, by path.
    """

    network: nn.Module
    dtype: str
    as_they_are: dict[str, str]
    output_types: dict[str, FieldType]

    @property
    def notes(self) -> tuple[str, ...]:
        """In sentences."""
        if not self.as_they_are:
            return ()
        count = len(self.as_they_are)
        first = "; ".join(self.as_they_are.values() if count <= 2 else list(self.as_they_are.values())[:1])
        what = "1 module runs" if count == 1 else f"{count} modules run"
        precision = ", so it is measured in float32" if self.dtype == "float32" else ""
        return (f"{what} as in {self._package} itself{precision}: {first}",)

    @property
    def _package(self) -> str:
        return next(filter(None, (package_of_parts(module) for module in self.network.modules())), "escnn")


class TakesBoth(nn.Module):
    """Mixed into the class of a plain layer: of a GeometricTensor it makes one, of its own output type."""

    out_type: Any  # in their words

    def forward(self, features: Any) -> Any:
        """(B, C, H, W), typed or not → the same kind."""
        if isinstance(features, Tensor):
            return super().forward(features)
        return type(features)(super().forward(features.tensor), self.out_type)


class AsItIs(nn.Module):
    """Mixed into the class of a module of theirs: it takes plain tensors too, and then gives such."""

    in_type: Any
    runs_as_it_is = True

    def forward(self, features: Any, *others: Any) -> Any:
        """(B, C, H, W), typed or not → the same kind."""
        if not isinstance(features, Tensor) or others:
            return super().forward(features, *others)
        return getattr(output := super().forward(geometric(features, self.in_type)), "tensor", output)


class AtEachPixel(AsItIs):
    """Mixed into the class of a module of theirs that is a function of each pixel by itself: theory sees it as one."""

    out_type: Any

    def forward(self, features: Any, *others: Any) -> Any:
        """(B, C, H, W), typed or not → the same kind."""
        if others:
            return super().forward(features, *others)
        tensor = features if isinstance(features, Tensor) else features.tensor
        _RUNNING[id(self)] = super().forward
        try:
            output = _AT_EACH_PIXEL(tensor, id(self), self.out_type.size)
        finally:
            _RUNNING.pop(id(self), None)
        return output if isinstance(features, Tensor) else geometric(output, self.out_type)


_RUNNING: dict[int, Callable[[Tensor], Tensor]] = {}  # the forward passes that are at work
_LIBRARY = torch.library.Library("equivariance", "DEF")
_LIBRARY.define("at_each_pixel(Tensor features, int module, int channels) -> Tensor")
_LIBRARY.impl("at_each_pixel", lambda features, module, channels: _RUNNING[module](features), "CPU")
_LIBRARY.impl(
    "at_each_pixel",
    lambda features, module, channels: features.new_empty((features.shape[0], channels, *features.shape[2:])),
    "Meta",
)
_AT_EACH_PIXEL: Any = torch.ops.equivariance.at_each_pixel.default
_OF_EACH_PIXEL = {
    "ConcatenatedNonLinearity",
    "GatedNonLinearity1",
    "GatedNonLinearityUniform",
    "InducedGatedNonLinearity1",
    "InducedNormNonLinearity",
    "InducedNormPool",
    "NormNonLinearity",
    "TensorProductModule",
    "VectorFieldNonLinearity",
}


class TakesPictures(nn.Module):
    """Mixed into the class of a network that takes a GeometricTensor: it takes the plain picture."""

    pictures: Any  # their type

    def forward(self, picture: Any) -> Any:
        """(B, C, H, W) → what the network gives."""
        return super().forward(geometric(picture, self.pictures) if isinstance(picture, Tensor) else picture)


def has_their_modules(network: nn.Module) -> bool:
    """Whether any part of a network is of escnn or e2cnn."""
    return any(any(map(package_of_kind, type(module).__mro__)) for module in network.modules())


def package_of_kind(kind: type) -> str:
    """ "escnn" or "e2cnn" for a class that one of them defines, else ""."""
    root = kind.__module__.partition(".")[0]
    return root if root in ("escnn", "e2cnn") else ""


def package_of_parts(module: nn.Module) -> str:
    """ "escnn" or "e2cnn" for a module whose class, or a base of it, one of them defines, else ""."""
    return next(filter(None, map(package_of_kind, type(module).__mro__)), "")


def declared_groups(network: nn.Module) -> list[PointGroup]:
    """The groups of all field types that modules of a network declare, in order; those that can be read."""
    found = []
    for module in network.modules():
        for name in ("in_type", "out_type"):
            their_type = getattr(module, name, None)
            if is_their_type(their_type):
                try:
                    found.append(group_of(their_type))
                except ValueError:
                    continue
    return list(dict.fromkeys(found))


def picture_type(network: nn.Module) -> Any:
    """The type that the first module that declares one takes, in their words; None where none does."""
    declared = (getattr(module, "in_type", None) for module in network.modules())
    return next(filter(is_their_type, declared), None)


@torch.no_grad()
def served(network: nn.Module, dtype: str, *picture_shapes: tuple[int, int, int]) -> MadeReady:
    """A copy of `network` in eval mode that takes plain pictures, compared as a whole with the original at a size.

    picture_shapes: (C, H, W); compared at the first that it takes. Where that comparison fails, all of the network is
    run as it is. Raises ExportError for what cannot be copied, and for modules that do not take pictures.
    """
    _refuse_volumes(network)
    with torch.random.fork_rng(devices=[]):
        as_it_is = _Made.of(network, "float32", plain=False)
        expected = None
        for shape in picture_shapes:
            picture = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
            expected = as_it_is.entered_with(picture)
            if expected is not None:
                break
        made = _Made.of(network, dtype, plain=True)
        if expected is None:  # it cannot take these sizes, and will say so
            return made.served()
        made.entered, made.output_types = as_it_is.entered, as_it_is.output_types
        difference = made.difference(picture, expected)
    if not difference:
        return made.served()
    reasons = {name: f"{name}: {difference}" for name in as_it_is.as_they_are}
    return replace(as_it_is.served(), as_they_are=reasons)


class _Made:
    """A copy of a network in the making. entered: the type that its pictures are given first, None for plain ones."""

    def __init__(self, network: nn.Module, dtype: str, as_they_are: dict[str, str], their_type: Any) -> None:
        self.network, self.dtype, self.as_they_are, self._their_type = network, dtype, as_they_are, their_type
        self.entered: Any = (
            getattr(network, "in_type", None) if is_their_type(getattr(network, "in_type", None)) else None
        )

        self.output_types: dict[str, FieldType] = {}

    @classmethod
    def of(cls, network: nn.Module, dtype: str, *, plain: bool) -> "_Made":
        """A copy with plain layers where that can be, or with none."""
        replaced, reasons, in_float32 = _replacements(network, plain=plain)
        copy = with_replaced(network, replaced, containers=plain)
        in_float32 = in_float32 or dtype == "float32"
        if in_float32:
            _to_float32(copy)
        return cls(copy, "float32" if in_float32 else "float64", reasons, picture_type(network))

    def served(self) -> MadeReady:
        """The network, which takes plain pictures."""
        network = self.network
        if self.entered is not None and not isinstance(network, TakesBoth | AsItIs):
            network.__class__ = mixed(TakesPictures, type(network))  # type: ignore[arg-type]  # classes are hashable
            network.pictures = self.entered
        return MadeReady(network, self.dtype, self.as_they_are, self.output_types)

    def entered_with(self, picture: Tensor) -> list[Tensor] | None:
        """Its outputs, with or without a type given to the picture first, whichever it takes; None for neither."""
        first, second = (None, self._their_type) if self.entered is None else (self.entered, None)
        for entered in (first, second):
            try:
                output = self._called(picture, entered)
            except Exception:  # a user's code may raise anything; it is tried the other way
                continue
            self.entered = entered
            found = list(_outputs_in(output))
            types = {path: read_or_none(getattr(value, "type", None)) for path, value in found}
            self.output_types = {path: fields for path, fields in types.items() if fields is not None}
            return [_tensor_of(value) for _, value in found]
        return None

    def difference(self, picture: Tensor, expected: Sequence[Tensor]) -> str:
        """In words, how its outputs differ from those expected; empty where they do not."""
        try:
            outputs = [_tensor_of(value) for _, value in _outputs_in(self._called(picture, self.entered))]
        except Exception as error:  # a user's code may raise anything
            lines = str(error).strip().splitlines()
            return f"the network does not run with plain layers ({lines[0] if lines else type(error).__name__})"
        if len(outputs) != len(expected):
            return "the network gives other outputs with plain layers"
        errors = [
            float(relative_error(one.double(), other.double())) for one, other in zip(outputs, expected, strict=True)
        ]
        worst = max(errors, default=0.0)
        return "" if worst <= SAME else f"the network with plain layers differs from it by {worst:.1e}"

    def _called(self, picture: Tensor, entered: Any) -> Any:
        picture = picture.to(torch.float32 if self.dtype == "float32" else torch.float64)
        takes_both = isinstance(self.network, TakesBoth | AsItIs)
        return self.network(picture if entered is None or takes_both else geometric(picture, entered))


def _refuse_volumes(network: nn.Module) -> None:
    for name, module in network.named_modules():
        declared: Any
        for declared in (getattr(module, "in_type", None), getattr(module, "out_type", None)):
            if is_their_type(declared) and declared.gspace.dimensionality > 2:
                kind = type(module).__name__
                raise ExportError(f"{name or kind}: {kind} takes volumes, and only networks of pictures can be checked")


def _replacements(network: nn.Module, *, plain: bool) -> tuple[dict[int, nn.Module], dict[str, str], bool]:
    """({id of a layer: what stands in its place}, {name: why it runs as it is}, whether float32 is needed)."""
    replaced: dict[int, nn.Module] = {}
    reasons: dict[str, str] = {}
    in_float32 = not plain
    for name, module, is_layer in outermost(network):
        if not is_layer:
            if is_theirs(module) and not (plain and (is_sequence(module) or is_branched(module))):
                in_float32 = True  # it makes tensors of float32
                reasons[name] = f"{name or type(module).__name__}: {type(module).__name__} has no plain equivalent here"
            continue
        why = ""
        if has_equivalent(module) and plain:
            try:
                layer = frozen(plain_layer(module, name, None))
                replaced[id(module)] = _taking_both(layer, module)
                continue
            except ExportError as error:
                why = str(error)
        if is_typed_layer(module) or is_theirs(module):
            replaced[id(module)] = _running(module)
            in_float32 = in_float32 or is_theirs(module)
            kind = type(module).__name__
            reasons[name] = why or f"{name or kind}: {kind} has no plain equivalent here"
    return replaced, reasons, in_float32


def _taking_both(layer: Any, module: Any) -> nn.Module:
    """`layer` that takes GeometricTensors too, with the types of `module` in their words, which code may ask for."""
    in_type, out_type = getattr(module, "in_type", None), getattr(module, "out_type", None)
    if is_their_type(in_type) and is_their_type(out_type):
        layer.in_type, layer.out_type = in_type, out_type
        if not isinstance(layer, nn.Identity):
            layer.__class__ = mixed(TakesBoth, type(layer))  # type: ignore[arg-type]  # classes are hashable
    plain: nn.Module = layer
    return plain


def _running(module: nn.Module) -> nn.Module:
    """A copy in float32 and eval mode, of a convolution with its filter expanded anew and without its bases."""
    if has_filter(module):
        running = as_in_eval(module)
        running._modules = {}
        running._parameters = {name: _detached(each) for name, each in module._parameters.items()}
        running._buffers = {name: _detached(each) for name, each in running._buffers.items()}
    else:
        running = as_in_eval(module)
        running.requires_grad_(requires_grad=False)
    if is_typed_layer(running):
        mixin = AtEachPixel if _is_of_each_pixel(running) else AsItIs
        running.__class__ = mixed(mixin, type(running))  # type: ignore[arg-type]  # classes are hashable
    return running


def _is_of_each_pixel(module: Any) -> bool:
    """Whether a module of theirs is known to be a function of each pixel by itself, and is one on a random picture."""
    if not is_theirs(module) or type(module).__name__ not in _OF_EACH_PIXEL:
        return False
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, module.in_type.size, 4, 3, generator=generator)
    order = torch.randperm(12, generator=generator)
    there = pixels.flatten(2)[..., order].unflatten(2, (4, 3))
    output, moved = (module(geometric(each.clone(), module.in_type)).tensor for each in (pixels, there))
    if moved.shape != (1, module.out_type.size, 4, 3):
        return False
    return float(relative_error(moved, output.flatten(2)[..., order].unflatten(2, (4, 3)))) <= _SAME_PIXELS


def _detached(tensor: Any) -> Any:
    if tensor is None:
        return None
    values = tensor.detach().clone()
    return nn.Parameter(values, requires_grad=False) if isinstance(tensor, nn.Parameter) else values


def _to_float32(network: nn.Module) -> None:
    """All but what runs as it is, which is of float32 and is never cast."""
    inside: set[int] = set()
    for module in list(network.modules()):
        if isinstance(module, AsItIs):
            inside.update(map(id, module.modules()))
        if id(module) not in inside:
            by_itself(module, nn.Module.float)


def _outputs_in(output: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, tensor or GeometricTensor) of every tensor of an output, however deep."""
    if isinstance(output, Tensor) or isinstance(getattr(output, "tensor", None), Tensor):
        yield path or "output", output
        return
    if isinstance(output, dict):
        entries = list(output.items())
    elif isinstance(output, list | tuple):
        entries = list(zip(getattr(output, "_fields", range(len(output))), output, strict=True))
    else:
        names = getattr(output, "__dataclass_fields__", ())
        entries = [(name, getattr(output, name)) for name in names]
    for name, value in entries:
        yield from _outputs_in(value, f"{path}.{name}" if path else str(name))


def _tensor_of(value: Any) -> Tensor:
    tensor: Tensor = value if isinstance(value, Tensor) else value.tensor
    return tensor


@cache
def mixed(mixin: type[nn.Module], kind: type[nn.Module]) -> type[nn.Module]:
    """A class that is both, named like `kind`."""
    return type(kind.__name__, (mixin, kind), {"__module__": kind.__module__})
