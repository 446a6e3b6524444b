"""Small lossless clips whose every frame says its number, and a cache of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.media import Frame, Pixels
from kinoscope.source.encode.writer import Writer
from kinoscope.training.data.dataset import Example


def pictures(count: int, shade: int = 0, width: int = 16, height: int = 12) -> list[Pixels]:
    """Return frames whose red is their number, whose green is ``shade`` and whose blue grows to the right."""
    made = np.zeros((count, height, width, 3), np.uint8)
    made[..., 0] = np.arange(count)[:, None, None]
    made[..., 1] = shade
    made[..., 2] = 8 * np.arange(width)
    return list(made)


def write_clip(
    path: Path, count: int = 20, rate: int = 10, shade: int = 0, times: Sequence[Fraction] | None = None
) -> Path:
    """Write a video of ``pictures`` at a rate, or at times of their own."""
    with Writer(path, (16, 12), rate, lossless=True, preset="ultrafast") as writer:
        for index, picture in enumerate(pictures(count, shade)):
            writer.write(Frame(picture, Fraction(index, rate) if times is None else times[index]))
    return path


def example(path: Path, *labels: str, **rest: Any) -> Example:
    return Example(str(path), labels or ("a",), **rest)


def numbers(pixels: Pixels) -> list[int]:
    """Return the number of each frame of a clip (T, H, W, 3)."""
    return pixels[:, 2, 2, 0].tolist()
