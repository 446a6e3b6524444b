"""The best moments of a track, spread over time: what is stored of it for display and for further networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Moment(Protocol):
    """A moment of a track: its time and its quality, above 0."""

    @property
    def time(self) -> float:
        """Time in seconds."""
        ...

    @property
    def quality(self) -> float:
        """Quality, above 0."""
        ...


M = TypeVar("M", bound=Moment)


@dataclass(slots=True)
class TopMoments(Generic[M]):
    """The best moments of a track.

    Attributes:
        max_moments: number of moments stored.
        min_gap_seconds: minimum seconds between two of them, so that they differ.
        moments: the moments, the best first.
    """

    max_moments: int
    min_gap_seconds: float = 1.0
    moments: list[M] = field(default_factory=list)

    def accepts(self, time: float, quality: float) -> bool:
        """Return whether a moment is clearly better than those near it, and among the best of the others."""
        rivals = [moment for moment in self.moments if abs(moment.time - time) < self.min_gap_seconds]
        others = [moment for moment in self.moments if abs(moment.time - time) >= self.min_gap_seconds]
        min_quality = others[-1].quality if len(others) >= self.max_moments else 0.0
        return quality > min_quality and all(quality > 1.1 * moment.quality for moment in rivals)

    def add(self, moment: M) -> None:
        """Store a moment instead of those near it, and drop the worst if there are too many."""
        others = [stored for stored in self.moments if abs(stored.time - moment.time) >= self.min_gap_seconds]
        self.moments = sorted([*others, moment], key=lambda stored: -stored.quality)[: self.max_moments]

    def within(self, start: float, end: float) -> list[M]:
        """Return the moments from ``start`` to ``end`` in seconds, the best first."""
        return [moment for moment in self.moments if start <= moment.time <= end]
