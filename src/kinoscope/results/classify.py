"""The result of ``classify``: the classes of a source, and the segments of a long video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinoscope.core.results import Event
from kinoscope.results.base import Result


@dataclass
class ClassifyResult(Result):
    """The classes of one source."""

    @property
    def top(self) -> list[tuple[str, float]]:
        """The most probable classes of the whole source, with their probabilities."""
        if self.timeline is None:
            return []
        return [(name, probability) for name, probability in self.timeline.tasks["classify"].extra["top"]]

    @property
    def segments(self) -> list[Event]:
        """The class over time, of a video that is longer than the model's clips."""
        if self.timeline is None or len(self.timeline.features["classify.times"]) <= 1:
            return []
        return self.timeline.events("classify")

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON; times in seconds."""
        plain: dict[str, Any] = {"source": self.source, "top": [list(pair) for pair in self.top]}
        plain["segments"] = [
            {
                "label": event.label,
                "start": round(event.start, 6),
                "end": round(event.end, 6),
                "score": round(event.score, 4),
            }
            for event in self.segments
        ]
        return plain | ({"error": str(self.error)} if self.error else {})
