"""Save a clip in memory as a video, an animation or numbered images."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.media import Frame, Pixels
from kinoscope.source.encode.writer import Writer


def save_clip(path: str | Path, clip: Pixels, rate: float, generated_by: str | None = None, **options: Any) -> None:
    """Write a clip (T, H, W, 3) as a video, a GIF, or numbered images, according to the suffix.

    Args:
        path: of the file, or a pattern of names.
        clip: (T, H, W, 3) uint8 RGB.
        rate: frames per second.
        generated_by: see ``Writer``.
        options: further options of ``Writer``.

    Raises:
        OptionError: the suffix is unknown.
        OutputError: it cannot be written.
    """
    step = 1 / Fraction(rate).limit_denominator(1001)
    height, width = clip.shape[1:3]
    with Writer(path, (width, height), 1 / step, generated_by=generated_by, **options) as writer:
        for index, pixels in enumerate(clip):
            writer.write(Frame(pixels, index * step, index))
