"""The best few moments of a track, spread over time: what is kept of it for people and networks to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Moment(Protocol):
    """A moment of a track: when it was, and how good, above 0."""

    @property
    def time(self) -> float:
        """In seconds."""
        ...

    @property
    def value(self) -> float:
        """How good it is."""
        ...


M = TypeVar("M", bound=Moment)


@dataclass(slots=True)
class TopMoments(Generic[M]):
    """The best moments of a track.

    Attributes:
        most: moments kept.
        apart: least seconds between two of them: they should differ.
        kept: the moments, the best first.
    """

    most: int
    apart: float = 1.0
    kept: list[M] = field(default_factory=list)

    def wants(self, time: float, value: float) -> bool:
        """Whether a moment is worth keeping: clearly better than those near it, and among the best of the others."""
        rivals = [moment for moment in self.kept if abs(moment.time - time) < self.apart]
        others = [moment for moment in self.kept if abs(moment.time - time) >= self.apart]
        least = others[-1].value if len(others) >= self.most else 0.0
        return value > least and all(value > 1.1 * moment.value for moment in rivals)

    def add(self, moment: M) -> None:
        """Keep a moment instead of those near it, and of the worst if there are too many."""
        others = [kept for kept in self.kept if abs(kept.time - moment.time) >= self.apart]
        self.kept = sorted([*others, moment], key=lambda kept: -kept.value)[: self.most]

    def within(self, start: float, end: float) -> list[M]:
        """Give the moments of a stretch of time, the best first."""
        return [moment for moment in self.kept if start <= moment.time <= end]
