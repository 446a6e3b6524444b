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
from kinoscope.views.extras import need
from kinoscope.views.plain import one_line

USUAL = Fraction(25)
"""Frames a second where a video does not say."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of a video.

    Attributes:
        path, name: of its file. note: why it was cut out.
        start, end: in seconds, as players count. duration: of the whole video. zero: presentation time of players' 0.
        rate: frames per second, None if unknown. has_sound: whether there is sound to cut along.
    """

    path: str
    name: str
    start: float
    end: float
    duration: float
    zero: float = 0.0
    rate: Fraction | None = None
    has_sound: bool = False
    note: str = ""


def write_otio(cuts: Sequence[Cut], title: str, path: Path) -> None:
    """Write a cut list as ``.otio``: one video track of clips, each in frames of its own rate.

    Raises:
        MissingExtra: OpenTimelineIO is not installed.
        OutputError: the file cannot be written.
    """
    otio = need("opentimelineio")
    whole = otio.schema.Timeline(name=one_line(title))
    track = otio.schema.Track(name="moments", kind=otio.schema.TrackKind.Video)
    track.extend(_clip(otio, cut) for cut in cuts)
    whole.tracks.append(track)
    with atomic(path) as temporary:
        temporary.write_text(whole.to_json_string(), encoding="utf-8")


def _clip(otio: Any, cut: Cut) -> Any:
    rate = float(cut.rate or USUAL)

    def span(start: float, end: float) -> Any:
        first = _frame(start, rate)
        last = max(_frame(end, rate), first + 1)
        at, length = (otio.opentime.RationalTime(frames, rate) for frames in (first, last - first))
        return otio.opentime.TimeRange(at, length)

    media = otio.schema.ExternalReference(one_line(cut.path), span(0, max(cut.duration, cut.end)))
    return otio.schema.Clip(one_line(cut.name), media, span(cut.start, cut.end), {"kinoscope": {"why": cut.note}})


def write_edl(cuts: Sequence[Cut], title: str, path: Path) -> None:
    """Write a cut list as ``.edl``: CMX 3600, non-drop time code in frames of the first video's rate.

    Raises:
        OutputError: the file cannot be written.
    """
    base = round(next((cut.rate for cut in cuts if cut.rate), USUAL)) or 25
    lines = [f"TITLE: {one_line(title)[:70]}", "FCM: NON-DROP FRAME", ""]
    at = 0
    for number, cut in enumerate(cuts, 1):
        first = _frame(cut.start, base)
        last = max(_frame(cut.end, base), first + 1)
        codes = (_code(frames, base) for frames in (first, last, at, at + last - first))
        lines.append(f"{number:03d}  AX       {'B' if cut.has_sound else 'V':<5} C        {' '.join(codes)}")
        lines.append(f"* FROM CLIP NAME: {one_line(cut.name)}")
        lines += [f"* SOURCE FILE: {one_line(cut.path)}", f"* COMMENT: {one_line(cut.note)}", ""]
        at += last - first
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8", newline="\r\n")


def _frame(seconds: float, rate: float) -> int:
    """Give the frame nearest to a time, the later of two that are as near."""
    return math.floor(seconds * rate + 0.5)


def _code(frames: int, base: int) -> str:
    """Give a time code ``HH:MM:SS:FF``."""
    seconds, rest = divmod(frames, base)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"
