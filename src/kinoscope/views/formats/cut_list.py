"""A cut list: moments of several videos one after another, for video editors.

As OpenTimelineIO (https://opentimeline.io) or as an edit decision list, CMX 3600, which older editors read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic
from kinoscope.core.optional import require_extra
from kinoscope.views.formats.plain import file_url, one_line

DEFAULT_RATE = Fraction(25)
"""Frames a second where a video does not say."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of a video.

    Attributes:
        path, name: of its file. note: why it was cut out.
        start, end: in seconds, as players count. duration: of the whole video. zero: presentation time of players' 0.
        rate: frames per second, None if unknown. has_audio: whether there is sound to cut along.
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
    whole = otio.schema.Timeline(name=one_line(title))
    track = otio.schema.Track(name="moments", kind=otio.schema.TrackKind.Video)
    track.extend(_clip(otio, cut) for cut in cuts)
    whole.tracks.append(track)
    with atomic(path) as temporary:
        temporary.write_text(whole.to_json_string(), encoding="utf-8")


def _clip(otio: Any, cut: Cut) -> Any:
    rate = float(cut.rate or DEFAULT_RATE)

    def span(start: float, end: float) -> Any:
        first = _nearest_frame(start, rate)
        last = max(_nearest_frame(end, rate), first + 1)
        at, length = (otio.opentime.RationalTime(frames, rate) for frames in (first, last - first))
        return otio.opentime.TimeRange(at, length)

    media = otio.schema.ExternalReference(file_url(cut.path), span(0, max(cut.duration, cut.end)))
    return otio.schema.Clip(one_line(cut.name), media, span(cut.start, cut.end), {"kinoscope": {"why": cut.note}})


def write_edl(cuts: Sequence[Cut], title: str, path: Path) -> None:
    """Write a cut list as ``.edl``: CMX 3600, in frames of the first video's rate.

    Time code is drop-frame at 29.97 and 59.94 frames a second, where it then keeps up with the clock.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = timecode_rate(next((cut.rate for cut in cuts if cut.rate), DEFAULT_RATE))
    lines = [f"TITLE: {one_line(title)[:70]}", f"FCM: {'DROP' if dropped_frames(rate) else 'NON-DROP'} FRAME", ""]
    at = 0
    for number, cut in enumerate(cuts, 1):
        first = _nearest_frame(cut.start, float(rate))
        last = max(_nearest_frame(cut.end, float(rate)), first + 1)
        codes = (timecode(frames, rate) for frames in (first, last, at, at + last - first))
        lines.append(f"{number:03d}  AX       {'B' if cut.has_audio else 'V':<5} C        {' '.join(codes)}")
        lines.append(f"* FROM CLIP NAME: {one_line(cut.name)}")
        lines += [f"* SOURCE FILE: {one_line(cut.path)}", f"* COMMENT: {one_line(cut.note)}", ""]
        at += last - first
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8", newline="\r\n")


def _nearest_frame(seconds: float, rate: float) -> int:
    """Give the frame nearest to a time, the later of two that are as near."""
    return math.floor(seconds * rate + 0.5)


def timecode_rate(rate: Fraction) -> Fraction:
    """Return the rate of frames in which a time code counts: whole, or n * 1000/1001 where the video's is nearer to it.

    A rate that no time code has, such as 12.5, becomes the nearest that one has, so that times stay right.
    """
    base = max(1, round(rate))
    whole, slowed = Fraction(base), Fraction(base * 1000, 1001)
    if base % 24 and base % 30:  # only rates of film and of NTSC are slowed down
        return whole
    return min(whole, slowed, key=lambda one: abs(one - rate))


def dropped_frames(rate: Fraction) -> int:
    """Return the numbers that drop-frame time code leaves out in nine minutes of ten: of 29.97 and its multiples."""
    base = round(rate)
    return base // 15 if rate.denominator == 1001 and base % 30 == 0 else 0


def timecode(frames: int, rate: Fraction) -> str:
    """Return a time code ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` if it is drop-frame (SMPTE ST 12-1)."""
    base, left_out = round(rate), dropped_frames(rate)
    if left_out:
        minute = 60 * base - left_out
        tens, rest = divmod(frames, 10 * minute + left_out)
        frames += left_out * (9 * tens + max(0, rest - left_out) // minute)
    seconds, rest = divmod(frames, base)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{';' if left_out else ':'}{rest:02d}"
