"""The result of ``enroll``: the samples that were added to a gallery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.galleries import GallerySample


@dataclass
class EnrollResult(Result):
    """The samples that were added to a gallery. ``source`` is the gallery's file.

    Attributes:
        name: of the person or object.
        kind: face, person or object.
        samples: the new samples.
        already: the number of samples that the gallery had before.
        notes: samples that a person should check.
    """

    name: str
    kind: str
    samples: list[GallerySample] = field(default_factory=list)
    already: int = 0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "gallery": self.source,
            "name": self.name,
            "kind": self.kind,
            "added": [sample.to_dict() for sample in self.samples],
            "already": self.already,
            "notes": self.notes,
        }
