"""The result of ``generate``: clips that a trained generator sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kinoscope.core.media import Pixels
from kinoscope.results.base import Result


@dataclass
class GenerateResult(Result):
    """Generated clips; ``source`` is the folder of the generator.

    Attributes:
        model: name of the generator.
        clips: the number of clips, of ``frames`` frames at ``rate`` frames per second.
        labels: class name of each clip, if the model has classes.
        seconds: time of generation.
        runtime: name of the runtime of the networks.
        psnr: of the reconstruction of a projected clip, in dB; None without one.
        pixels: the clips, (N, T, H, W, 3) uint8 RGB.
    """

    model: str
    clips: int
    frames: int
    rate: float
    seconds: float
    runtime: str
    labels: list[str] = field(default_factory=list)
    psnr: float | None = None
    pixels: Pixels | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "model": self.model,
            "clips": self.clips,
            "frames": self.frames,
            "rate": self.rate,
            "seconds": self.seconds,
            "runtime": self.runtime,
            "labels": self.labels,
            "psnr": self.psnr,
            "written": [str(path) for path in self.written],
        }
