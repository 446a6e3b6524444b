"""Clips of one colour each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinoscope.core.results import TaskResult
from kinoscope.source.synthetic.video import SyntheticSource

COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


def film(path: Path, *stretches: tuple[str, float], rate: int = 8) -> Path:
    """Write a video of plain colours, each for some seconds."""
    colours = [COLOURS[name] for name, seconds in stretches for _ in range(round(seconds * rate))]

    def draw(index: int, time: object) -> np.ndarray:
        return np.full((24, 32, 3), colours[index], np.uint8)

    source = SyntheticSource("colours", draw, TaskResult(), (32, 24), len(colours) / rate, rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    return source.write(path, lossless=True)
