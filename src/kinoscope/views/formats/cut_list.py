"""Cut lists: segments of several videos in sequence, for video editors.

Written as OpenTimelineIO (https://opentimeline.io) or as an edit decision list (CMX 3600), which older editors read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.core.optional import require_extra
from kinoscope.views.formats.plain import file_url, one_line

DEFAULT_RATE = Fraction(25)
"""Frames per second of a video that does not declare its rate."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment of a video.

    Attributes:
        path, name: of the video file.
        start, end: of the segment, in seconds from the start of playback.
        duration: of the whole video, in seconds.
        zero: presentation time in seconds at which playback starts.
        rate: frames per second, None if unknown.
        has_audio: whether the video has an audio track, which is cut too.
        note: why the segment was selected.
    """

    path: str
    name: str
    start: float
    end: float
    duration: float
    zero: float = 0.0
    rate: Fraction | None = None
    has_audio: bool = False
    note: str = ""


def write_otio(cuts: Sequence[Cut], title: str, path: Path) -> None:
    """Write a cut list as ``.otio``: one video track of clips, each in frames of its own rate.

    Raises:
        MissingExtra: OpenTimelineIO is not installed.
        OutputError: the file cannot be written.
    """
    otio = require_extra("opentimelineio", "export")
    timeline = otio.schema.Timeline(name=one_line(title))
    track = otio.schema.Track(name="moments", kind=otio.schema.TrackKind.Video)
    track.extend(_clip(otio, cut) for cut in cuts)
    timeline.tracks.append(track)
    with atomic_write(path) as temporary:
        temporary.write_text(timeline.to_json_string(), encoding="utf-8")


def _clip(otio: Any, cut: Cut) -> Any:
    rate = float(cut.rate or DEFAULT_RATE)

    def span(start: float, end: float) -> Any:
        first = _nearest_frame(start, rate)
        last = max(_nearest_frame(end, rate), first + 1)
        begin, length = (otio.opentime.RationalTime(frames, rate) for frames in (first, last - first))
        return otio.opentime.TimeRange(begin, length)

    media = otio.schema.ExternalReference(file_url(cut.path), span(0, max(cut.duration, cut.end)))
    return otio.schema.Clip(one_line(cut.name), media, span(cut.start, cut.end), {"kinoscope": {"why": cut.note}})


def write_edl(cuts: Sequence[Cut], title: str, path: Path) -> None:
    """Write a cut list as ``.edl``: CMX 3600, in frames of the first video's rate.

    Timecode is drop-frame at 29.97 and 59.94 frames per second, so that it stays in step with the clock.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = timecode_rate(next((cut.rate for cut in cuts if cut.rate), DEFAULT_RATE))
    lines = [f"TITLE: {one_line(title)[:70]}", f"FCM: {'DROP' if dropped_frames(rate) else 'NON-DROP'} FRAME", ""]
    position = 0
    for number, cut in enumerate(cuts, 1):
        first = _nearest_frame(cut.start, float(rate))
        last = max(_nearest_frame(cut.end, float(rate)), first + 1)
        codes = (timecode(frames, rate) for frames in (first, last, position, position + last - first))
        lines.append(f"{number:03d}  AX       {'B' if cut.has_audio else 'V':<5} C        {' '.join(codes)}")
        lines.append(f"* FROM CLIP NAME: {one_line(cut.name)}")
        lines += [f"* SOURCE FILE: {one_line(cut.path)}", f"* COMMENT: {one_line(cut.note)}", ""]
        position += last - first
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8", newline="\r\n")


def _nearest_frame(seconds: float, rate: float) -> int:
    """Return the frame nearest to a time, the later of two equally near ones."""
    return math.floor(seconds * rate + 0.5)


def timecode_rate(rate: Fraction) -> Fraction:
    """Return the timecode rate for a frame rate: an integer, or n * 1000/1001 if that is nearer.

    A rate without a timecode, such as 12.5, becomes the nearest one that has one, so that times stay correct.
    """
    base = max(1, round(rate))
    integer, ntsc = Fraction(base), Fraction(base * 1000, 1001)
    if base % 24 and base % 30:  # only rates of film and of NTSC are slowed down
        return integer
    return min(integer, ntsc, key=lambda candidate: abs(candidate - rate))


def dropped_frames(rate: Fraction) -> int:
    """Return how many frame numbers drop-frame timecode skips in nine minutes of ten: at 29.97 and its multiples."""
    base = round(rate)
    return base // 15 if rate.denominator == 1001 and base % 30 == 0 else 0


def timecode(frames: int, rate: Fraction) -> str:
    """Return a timecode ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` if it is drop-frame (SMPTE ST 12-1)."""
    base, skipped = round(rate), dropped_frames(rate)
    if skipped:
        minute = 60 * base - skipped
        tens, rest = divmod(frames, 10 * minute + skipped)
        frames += skipped * (9 * tens + max(0, rest - skipped) // minute)
    seconds, rest = divmod(frames, base)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{';' if skipped else ':'}{rest:02d}"
