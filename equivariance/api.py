"""The library's front door: anyone's network in, a report out."""

import time
from collections.abc import Mapping
from typing import Any

from torch import nn

from equivariance.checking.comparing import measured, shows_nothing_broken
from equivariance.checking.decision import Decision, notes_of
from equivariance.checking.pictures import channels_of, odd_pictures, pictures_of, read_picture, sides_of
from equivariance.checking.precision import in_some_precision
from equivariance.checking.random_states import untouched
from equivariance.checking.reporting import report_of
from equivariance.checking.sizes import size_of
from equivariance.checking.subject import Asked, Subject
from equivariance.errors import SizeError
from equivariance.groups.fields import FieldType, scalars
from equivariance.groups.fields import regular as regular_fields
from equivariance.groups.point_groups import PointGroup, group_called
from equivariance.report import Report
from equivariance.theory.grids import UNDECIDED

__all__ = ["assert_equivariant", "check", "exact_sizes", "predict", "regular", "scalars"]


def regular(group: str | PointGroup, count: int) -> FieldType:
    """`count` regular fields of a group: one channel for each element, field after field.

    Raises GroupError for a name that is no group's.

    >>> regular("C4", 8).channels
    32
    """
    return regular_fields(group_called(group) if isinstance(group, str) else group, count)


def check(
    network: nn.Module,
    picture: Any,
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
    dtype: str = "float64",
) -> Report:
    """Whether `network` is equivariant at a size or on a picture: theory's word, confirmed by measurement.

    network: any `nn.Module` that takes (B, C, H, W), pictures of values 0..1; nothing of it is changed.
    picture: a side in pixels, (height, width), a tensor (C, H, W) or (B, C, H, W), a PIL image, or a path.
    group: read from the layers where they say it, else "C4". fields: how layers' channels transform, by name or
    pattern. output: "invariant", "maps" (turned back in space), "regular", or the type of its channels; by default maps
    where the output has height and width, else invariant. channels: of the picture, read from the network where they
    are not given. dtype: of the measurement, "float64" or "float32".

    Raises NetworkError, SizeError or GroupError, in one sentence.

    >>> import torch
    >>> check(torch.nn.Conv2d(1, 1, 1), 9).verdict
    'exact'
    """
    begun, asked = time.perf_counter(), Asked(network, group, fields, output, channels)

    def of(precision: str) -> Report:
        given, source = read_picture(picture)
        sides = size_of(picture) if given is None else sides_of(given)
        subject = Subject.of(asked, precision, [sides], channels_of(given))
        pictures, words = pictures_of(given, source, sides, subject)
        proof = subject.program.proof(*sides)
        seen = measured(subject, proof, pictures, output)
        notes = notes_of(subject, dtype)
        if UNDECIDED in proof.elements.values() and shows_nothing_broken(seen, subject):
            more = odd_pictures(sides, subject, pictures[0].dtype)
            seen = seen.with_more(measured(subject, proof, more, output))
            notes = (*notes, f"Measured on {len(more)} pictures of other kinds too, since theory cannot decide.")
        return report_of(Decision(subject, proof, seen, words, notes), time.perf_counter() - begun)

    return untouched(lambda: in_some_precision(dtype, of))


def predict(
    network: nn.Module,
    size: int | tuple[int, int],
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
) -> Report:
    """Theory alone, at a side or (height, width) in pixels: no picture is measured. The rest as of `check`.

    >>> import torch
    >>> predict(torch.nn.MaxPool2d(2), 7, channels=1).verdict
    'approximate'
    """
    begun, asked = time.perf_counter(), Asked(network, group, fields, output, channels)

    def of(precision: str) -> Report:
        sides = size_of(size)
        subject = Subject.of(asked, precision, [sides])
        proof, notes = subject.program.proof(*sides), notes_of(subject, "float64")
        return report_of(Decision(subject, proof, None, "no picture", notes), time.perf_counter() - begun)

    return untouched(lambda: in_some_precision("float64", of))


def exact_sizes(
    network: nn.Module,
    smallest_px: int,
    largest_px: int,
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """The sides in pixels, smallest and largest included, at which theory proves the network exact.

    Each side has been recorded itself; of square pictures, so that "height" and "width" are alike. The rest as of
    `check`. Raises SizeError where the network takes none of the sides.

    >>> import torch
    >>> exact_sizes(torch.nn.MaxPool2d(2), 6, 9, channels=1)
    {'height': (6, 8), 'width': (6, 8)}
    """

    asked = Asked(network, group, fields, output, channels)

    def of(precision: str) -> dict[str, tuple[int, ...]]:
        (smallest, _), (largest, _) = size_of(smallest_px), size_of(largest_px)
        if smallest > largest:
            raise SizeError(f"The smallest side, {smallest} px, is larger than the largest, {largest} px.")
        subject = Subject.of(asked, precision, [(largest, largest), (smallest, smallest)])
        sides = [side for side in range(smallest, largest + 1) if subject.program.is_exact(side, side)]
        return {"height": tuple(sides), "width": tuple(sides)}

    return untouched(lambda: in_some_precision("float64", of))


def assert_equivariant(network: nn.Module, picture: Any, **options: Any) -> None:
    """Raise AssertionError with the report's sentences unless `check` (same arguments) finds the network exact.

    >>> import torch
    >>> assert_equivariant(torch.nn.MaxPool2d(2), 8, channels=1)
    """
    __tracebackhide__ = True
    report = check(network, picture, **options)
    if report.verdict != "exact":
        raise AssertionError(repr(report))
