"""The result of ``bench``: time and memory of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinoscope.results.base import Result


@dataclass
class BenchResult(Result):
    """The time and memory of an analysis of ``source``.

    Attributes:
        frames: frames that were decoded.
        wall_seconds: from opening the source to the end.
        cpu_seconds: of all threads of the process.
        peak_megabytes: peak memory of the process.
        parts: CPU seconds of each task, of loading the models and of decoding; None if they were not measured.
    """

    frames: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_megabytes: int = 0
    parts: dict[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types; ``where`` holds the parts."""
        plain = {"source": self.source, "frames": self.frames, "wall_s": self.wall_seconds, "cpu_s": self.cpu_seconds}
        plain["peak_mb"] = self.peak_megabytes
        return plain if self.parts is None else plain | {"where": self.parts}
