"""The result of ``predict``: the frames that a network expects next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kinoscope.core.media import Pixels
from kinoscope.results.base import Result


@dataclass
class PredictResult(Result):
    """Predicted frames of a video.

    Attributes:
        model: folder of the predictor.
        read, frames: the number of frames read, and of frames predicted.
        rate: frames per second of both.
        seconds: processing time.
        notes: remarks for viewers.
        pixels: the predicted frames in the size of the video, (T, H, W, 3) uint8 RGB.
    """

    model: str
    read: int
    frames: int
    rate: float
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    pixels: Pixels | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "written": [str(path) for path in self.written],
            "model": self.model,
            "read": self.read,
            "frames": self.frames,
            "rate": self.rate,
            "seconds": round(self.seconds, 2),
            "notes": self.notes,
        }
