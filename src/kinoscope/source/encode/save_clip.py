"""Pictures of a clip that are at hand, written as a video, an animation or numbered pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.media import Frame, Pixels
from kinoscope.source.encode.writer import Writer


def save_clip(path: str | Path, clip: Pixels, rate: float, generated_by: str | None = None, **options: Any) -> None:
    """Write a clip (T, H, W, 3) as a video, a gif, or numbered pictures, as the name says.

    Args:
        rate: pictures a second. made_by: see ``Writer``, as for ``options``.

    Raises:
        OptionError: the ending is none of the known ones.
        OutputError: it cannot be written.
    """
    step = 1 / Fraction(rate).limit_denominator(1001)
    height, width = clip.shape[1:3]
    with Writer(path, (width, height), 1 / step, generated_by=generated_by, **options) as writer:
        for index, pixels in enumerate(clip):
            writer.write(Frame(pixels, index * step, index))
