"""Exports of a search: its moments as a cut list for editors, or concatenated to one video."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import SourceError
from kinoscope.library import SearchHit
from kinoscope.pipeline.search_page import exists
from kinoscope.views.formats.cut_list import Cut, write_edl, write_otio

if TYPE_CHECKING:
    from kinoscope.results.search import SearchResult

MIN_CUT_SECONDS = 1.0
"""Minimum duration of a cut; shorter moments are extended equally on both sides."""

MAX_FRAME_RATE = 10_000
"""Frames per second; a higher rate in a library is ignored as implausible."""


def _cuts(result: SearchResult) -> list[Cut]:
    return [_cut(clip) for clip in result.clips]


def _cut(clip: SearchHit) -> Cut:
    start, end = _span(clip)
    metadata, zero = clip.video.metadata, clip.video.start
    rate = _rate(metadata.get("rate"))
    note = "; ".join(match.what for match in clip.why)
    times = start - zero, end - zero, clip.video.duration, zero
    return Cut(clip.video.path, clip.video.name, *times, rate, bool(metadata.get("has_audio")), note)


def _rate(text: Any) -> Fraction | None:
    try:
        return Fraction(str(text)) if text and 0 < Fraction(str(text)) <= MAX_FRAME_RATE else None
    except (ValueError, ZeroDivisionError):
        return None


def _span(clip: SearchHit) -> tuple[float, float]:
    """Return the start and end of a cut in presentation seconds: at least ``MIN_CUT_SECONDS``, inside the video."""
    margin = max(0.0, MIN_CUT_SECONDS - (clip.end - clip.start)) / 2
    low, high = clip.video.start, clip.video.start + max(clip.video.duration, clip.end - clip.video.start)
    return max(low, clip.start - margin), min(high, clip.end + margin)


def _write_otio(result: SearchResult, path: Path) -> Path:
    write_otio(_cuts(result), result.query, path)
    return path


def _write_edl(result: SearchResult, path: Path) -> Path:
    write_edl(_cuts(result), result.query, path)
    return path


def _write_video(result: SearchResult, path: Path) -> Path:
    from kinoscope.source.encode.concat import TimeRange, concatenate

    available = [clip for clip in result.clips if exists(clip.video.path)]
    if not available:
        raise SourceError("none of the videos exists any more, so there is nothing to concatenate; analyze them again")
    concatenate([TimeRange(clip.video.path, *map(Fraction, _span(clip))) for clip in available], path)
    return path


EXPORTS: dict[str, Callable[[SearchResult, Path], Path]] = {
    "otio": _write_otio,
    "edl": _write_edl,
    "mp4": _write_video,
}
"""Format -> what writes the moments: a cut list for editors, or one video."""
