"""The result of ``lipsync``: a video whose lips follow other audio."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kinoscope.results.base import Result


@dataclass
class LipSyncResult(Result):
    """A video with painted lips.

    Attributes:
        model: folder of the model.
        frames, painted: the number of its frames, and of those in which the mouth was painted.
        seconds: processing time.
        notes: remarks for viewers.
    """

    model: str
    frames: int = 0
    painted: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "written": [str(path) for path in self.written],
            "model": self.model,
            "frames": self.frames,
            "painted": self.painted,
            "seconds": round(self.seconds, 2),
            "notes": self.notes,
        }
