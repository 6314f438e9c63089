"""Theory and measurement, held against each other."""

import functools
import math

import torch

from equivariance.checking.subject import Subject
from equivariance.following.kinds import TOLERANCES
from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.measurement.any_network import Seen
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from equivariance.theory.proof import Part, Proof


def notes_of(subject: Subject, dtype: str) -> tuple[str, ...]:
    """What a reader should know besides."""
    found = [f"{note[:1].upper()}{note[1:]}." for note in subject.notes]
    if not subject.elements:
        found.append(
            f"{subject.group.name.upper()} has no quarter turn, half turn or mirror that moves pixels to pixels."
        )
    if subject.dtype != dtype and not any("float32" in note for note in subject.notes):
        found.append("Worked out in float32: the network makes numbers of that precision itself.")
    return tuple(found)


class Decision:
    """Theory and measurement together; neither is believed against the other.

    elements: status by name. doubts: where the two disagree, in words. source: what was measured on, in words.
    precision: what the rounding of an exact network is the rounding of.
    """

    def __init__(
        self, subject: Subject, proof: Proof, seen: Seen | None, source: str, notes: tuple[str, ...] = ()
    ) -> None:
        self.notes = notes
        self.subject, self.proof, self.seen, self.source = subject, proof, seen, source
        loose = proof.loosest > TOLERANCES[torch.float64]
        self._level = ROUNDING_LEVEL["float32" if loose else subject.dtype]
        self.precision = "the weights" if loose and subject.dtype == "float64" else subject.dtype
        self.doubts: list[str] = []
        self.elements = {element.name: self._status(element.name) for element in subject.elements}

    def _status(self, name: str) -> str:
        theory = self.proof.elements[name]
        if self.seen is None:
            return theory
        error = self.largest(name)
        if error is None:
            return theory if theory == BROKEN else UNDECIDED
        if self.seen.insensitive or math.isnan(error):
            return UNDECIDED  # the same for every picture, or no number: it shows nothing
        strict = ROUNDING_LEVEL[self.subject.dtype]
        is_rounding = error <= (strict if theory == BROKEN else self._level)
        if theory == EXACT and not is_rounding:
            self.doubts.append(
                f"theory proves {label_of(name)} exact, but the measurement finds an error of {error:.1e}"
            )
            return UNDECIDED
        if theory == BROKEN and is_rounding:
            self.doubts.append(
                f"theory finds {label_of(name)} broken, but every measured error is rounding (at most {error:.1e})"
            )
            return UNDECIDED
        return EXACT if is_rounding else BROKEN

    def largest(self, name: str) -> float | None:
        """The largest error that counts: of the outputs, and of layers that theory takes for exact."""
        assert self.seen is not None
        errors = [self.seen.largest(name)]
        if self.proof.elements[name] == EXACT:
            errors += [each.get(name) for each in self.seen.layers.values()]
        return largest_of(errors)

    @functools.cached_property
    def verdict(self) -> str:
        """ "exact", "approximate", "not equivariant" or "undecided"."""
        statuses = set(self.elements.values())
        if BROKEN in statuses:
            by_grid = self.proof.verdict == "approximate" or any(part.is_broken for part in self.proof.parts)
            return "approximate" if by_grid and not self.proof.by_weights else "not equivariant"
        return "undecided" if UNDECIDED in statuses or not statuses else "exact"

    @property
    def evidence(self) -> str:
        """What the verdict rests on: "theory and measurement", "measurement alone" or "theory alone"."""
        if self.seen is None:
            return "theory alone"
        decided = all(status != UNDECIDED for status in self.proof.elements.values()) and self.proof.elements
        return "theory and measurement" if decided and not self.doubts else "measurement alone"

    @property
    def resampled(self) -> float | None:
        """The largest error under turns that resample, of a group that has no others."""
        return None if self.seen is None else largest_of(map(self.seen.largest, self.measured_elements))

    @property
    def measured_elements(self) -> tuple[str, ...]:
        """Names of the elements that outputs were compared under."""
        if self.subject.elements:
            return tuple(self.elements)
        return tuple(sorted({name for errors in self.seen.outputs.values() for name in errors})) if self.seen else ()

    @property
    def broken(self) -> tuple[Part, ...]:
        """The layers that break, in order; empty where the verdict does not say that one does."""
        return self.proof.broken_parts if self.verdict in ("approximate", "not equivariant") else ()

    @property
    def found(self) -> float | None:
        """The largest error of the outputs."""
        return None if self.seen is None else largest_of(map(self.seen.largest, self.elements))
