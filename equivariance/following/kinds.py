"""How the channels of every tensor transform: field types carried through a recording, and weights checked for them.

A type comes from where a layer declares it, or is found: the layout in which a kernel commutes with the group. What
cannot be found is unknown and stays so until a layer declares its output; it is never taken for scalar.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence

import torch
from torch import Tensor

from equivariance.groups.fields import FieldType, Interleaved, Regular, Scalar, scalars, transformed_kernel
from equivariance.groups.point_groups import Element, PointGroup

TOLERANCES = {torch.float64: 1e-9, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
_FEW_ROWS = 16  # of a kernel, looked at before all of it
Looked = tuple[FieldType | None, dict[str, float], bool, float]


class Kinds:
    """The types of one recording; `errors[operation][element]` says by how much weights differ from their transform.

    uneven: the same of numbers that depend on the place. They are in the skeleton as they are, so that it tells whether
    the network commutes; here is only why.
    """

    def __init__(
        self,
        group: PointGroup,
        elements: Sequence[Element],
        kept: dict[Hashable, Looked] | None = None,
        stored: torch.dtype | None = None,
    ) -> None:
        self.group, self.elements, self._stored = group, tuple(elements), stored
        self.closed = closed(self.elements)
        self.loosest, self._last = 0.0, 0.0  # the largest difference that was taken for rounding
        self._kept = {} if kept is None else kept
        self.errors: dict[int, dict[str, float]] = {}
        self.of_places: set[int] = set()  # operations whose kernels differ from place to place
        self.uneven: dict[int, dict[str, float]] = {}

    def note(self, operation: int, errors: Mapping[str, float], *, of_places: bool = False) -> None:
        """Weights of an operation that differ from their own transform; `of_places`: along height and width too."""
        if not errors:
            return
        if of_places:
            self.of_places.add(operation)
        found = self.errors.setdefault(operation, {})
        for name, error in errors.items():
            found[name] = max(error, found.get(name, 0.0))

    def looked_at(self, operation: int, key: Hashable, look: Callable[[], FieldType | None]) -> FieldType | None:
        """What `look` finds and notes of an operation; once for each key, which says whose weights they are."""
        if key is None:
            return look()
        key = (key, self.elements)
        if key not in self._kept:
            before, were_of_places = self.errors.pop(operation, {}), operation in self.of_places
            self.of_places.discard(operation)
            loosest, self.loosest = self.loosest, 0.0
            found = look()
            self._kept[key] = (found, self.errors.pop(operation, {}), operation in self.of_places, self.loosest)
            self.loosest = loosest
            self.note(operation, before, of_places=were_of_places)
        fields, errors, of_places, loosest = self._kept[key]
        self.loosest = max(self.loosest, loosest)
        self.note(operation, errors, of_places=of_places)
        return fields

    def of_kernel(
        self, operation: int, kernel: Tensor, in_type: FieldType | None, wanted: FieldType | None = None
    ) -> FieldType | None:
        """The type of the output of a kernel (C_out, C_in, k, k); errors are noted where no layout commutes."""
        if in_type is None or in_type.channels != kernel.shape[1]:
            return None
        tolerance = self._tolerance(kernel)
        best: dict[str, float] = {}
        layouts = self.layouts(kernel.shape[0], in_type)
        if wanted is not None and wanted.channels == kernel.shape[0]:
            layouts = [wanted]
        for out_type in layouts:
            errors = self.kernel_errors(kernel, in_type, out_type, tolerance)
            if not errors:
                self.loosest = max(self.loosest, self._last)
                return out_type
            if not best or max(errors.values()) < max(best.values()):
                best = errors
        self.note(operation, best, of_places=tuple(kernel.shape[2:]) != (1, 1))
        return layouts[-1]

    def layouts(self, channels: int, in_type: FieldType | None = None) -> list[FieldType]:
        """The types that this many channels may have, the likeliest first."""
        found = [in_type] if in_type is not None and in_type.channels == channels and not in_type.is_scalar else []
        order = 0 if self.group.rotations is None else self.group.order
        if order > 1 and channels % order == 0:
            count = channels // order
            found.append(FieldType(((Regular(self.group), count),)))
            if count > 1:
                found.append(FieldType(((Interleaved(Regular(self.group), count), 1),)))
        found.append(scalars(channels))
        return list(dict.fromkeys(found))

    def kernel_errors(
        self, kernel: Tensor, in_type: FieldType, out_type: FieldType, tolerance: float | None = None
    ) -> dict[str, float]:
        """{element: ‖ρ_out(g) W ρ_in(g)⁻¹ − W‖ / ‖W‖} where it is more than `tolerance`."""
        tolerance = self._tolerance(kernel) if tolerance is None else tolerance
        few = self._few_rows(out_type)
        if few is not None and kernel.shape[0] > 2 * few.channels:
            errors = self._kernel_errors(kernel[: few.channels], in_type, few, tolerance)
            if errors:
                return errors
        return self._kernel_errors(kernel, in_type, out_type, tolerance)

    def _kernel_errors(
        self, kernel: Tensor, in_type: FieldType, out_type: FieldType, tolerance: float
    ) -> dict[str, float]:
        kernel = kernel.double()
        size = float(kernel.norm())
        if size == 0:
            return {}
        errors = {}
        self._last = 0.0
        for element in self.elements:
            if not (in_type.has_action(element) and out_type.has_action(element)):
                errors[element.name] = 1.0
                continue
            if element.swaps_axes and kernel.shape[-1] != kernel.shape[-2]:
                errors[element.name] = 1.0
                continue
            moved = transformed_kernel(kernel, element, in_type=in_type, out_type=out_type)
            error = float((moved - kernel).norm()) / size
            self._last = max(self._last, error)
            if error > tolerance:
                errors[element.name] = error
        return errors

    def _tolerance(self, weights: Tensor) -> float:
        """Up to where a relative difference is rounding: of the precision that the weights were stored in."""
        loose = max((TOLERANCES.get(dtype, 0.0) for dtype in (weights.dtype, self._stored) if dtype), default=0.0)
        return loose or TOLERANCES[torch.float64]

    def _few_rows(self, out_type: FieldType) -> FieldType | None:
        """A type of the first few channels, where they are whole fields."""
        if len(out_type.runs) != 1:
            return None
        (representation, count) = out_type.runs[0]
        fields = max(1, _FEW_ROWS // representation.size)
        return FieldType(((representation, fields),)) if fields < count else None

    def vector_errors(self, vector: Tensor, fields: FieldType) -> dict[str, float]:
        """How much one number for each channel differs from its own transform."""
        if fields.is_scalar or vector.numel() != fields.channels:
            return {}
        tolerance = self._tolerance(vector)
        vector = vector.double().reshape(-1)
        size = float(vector.norm())
        errors = {}
        for element in self.elements:
            if not fields.has_action(element):
                errors[element.name] = 1.0
            elif size and (error := float((fields.act(vector, element, dim=0) - vector).norm()) / size) > tolerance:
                errors[element.name] = error
        return errors


def closed(elements: Sequence[Element]) -> tuple[Element, ...]:
    """All products of some elements, the identity first."""
    found = [Element()]
    for one in found:
        found += [product for each in elements if (product := each.after(one)) not in found]
    return tuple(found)


def permutes(fields: FieldType | None) -> bool:
    """Whether elements only exchange channels, so that functions of each number by itself commute with them."""
    return fields is not None and all(
        isinstance(representation, Scalar | Regular | Interleaved) or getattr(representation, "is_permutation", False)
        for representation, _ in fields.runs
    )
