"""Concatenate time ranges of several videos into one video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from kinoscope.core.media import Audio, Frame, Pixels, Size
from kinoscope.source import open_source
from kinoscope.source.base import LazyFrame, Source
from kinoscope.source.encode.writer import Writer

AUDIO_RATE = 48_000
"""Samples per second of the written audio."""

MAX_SIDE_PIXELS = 1280
"""Longer side of the written frames in pixels, at most."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of a video, [start, end) in presentation seconds."""

    path: str
    start: Fraction
    end: Fraction


def concatenate(ranges: Sequence[TimeRange], path: Path) -> int:
    """Write time ranges one after another as one video, with audio where they have any; return the number of frames.

    Frames keep their shape: those of another shape than the first's get black bars.

    Raises:
        SourceError: a video cannot be opened.
        OutputError: the file cannot be written, or there is no frame.
    """
    size, count, offset = _output_size(ranges[0].path), 0, Fraction(0)
    with Writer(path, size, audio_rate=AUDIO_RATE) as writer:
        for time_range in ranges:
            with open_source(time_range.path, time_range.start, time_range.end) as source:
                for item in _shifted_items(source, time_range, offset, size):
                    if isinstance(item, Audio):
                        writer.write_audio(item)
                    else:
                        writer.write(item)
                        count += 1
            offset += time_range.end - time_range.start
    return count


def _output_size(path: str) -> Size:
    with open_source(path) as source:
        return source.info.fit(MAX_SIDE_PIXELS)


def _shifted_items(source: Source, time_range: TimeRange, offset: Fraction, size: Size) -> Iterator[Frame | Audio]:
    """Yield the frames and audio of a time range at their times in the written video; silence if there is no audio."""
    shift, has_audio = offset - time_range.start, False
    for item in source.read(audio_rates=(AUDIO_RATE,) if source.info.has_audio else ()):
        if isinstance(item, LazyFrame):
            yield Frame(_letterbox(item, size), item.time + shift, item.index, item.duration)
        else:
            has_audio = True
            yield Audio(item.samples, AUDIO_RATE, item.start + shift)
    if not has_audio:
        yield Audio(np.zeros(round((time_range.end - time_range.start) * AUDIO_RATE), np.float32), AUDIO_RATE, offset)


def _letterbox(lazy_frame: LazyFrame, size: Size) -> Pixels:
    """Return a frame scaled into the middle of a size, with black bars."""
    scale = min(size[0] / lazy_frame.size[0], size[1] / lazy_frame.size[1])
    width, height = (
        max(1, min(available, round(side * scale))) for side, available in zip(lazy_frame.size, size, strict=True)
    )
    pixels = lazy_frame.pixels((width, height))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    padding = ((top, size[1] - height - top), (left, size[0] - width - left), (0, 0))
    return np.pad(pixels, padding)
