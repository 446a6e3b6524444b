"""The page of a search: its moments, with a still of each and the videos that play them."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import KinoscopeError
from kinoscope.core.files import hard_link
from kinoscope.core.results import describe_source
from kinoscope.library import Library, SearchHit, StoredVideo, hit_image
from kinoscope.pipeline import inputs
from kinoscope.views.pages.report_data import video_url

if TYPE_CHECKING:
    from kinoscope.results.search import SearchResult

STILL_SIDE = 480
"""Longer side in pixels of the images of the page."""


def write_page(result: SearchResult, library: Library, folder: Path) -> Path:
    """Write found.html, the page that plays the moments of a search, and return its path."""
    from kinoscope.views.pages.search import write_search_page

    videos = list({clip.video.id: clip.video for clip in result.clips}.values())
    numbers = {video.id: number for number, video in enumerate(videos)}
    clips = [_clip_row(clip, numbers[clip.video.id]) for clip in result.clips]
    stills = {n: image for n, clip in enumerate(result.clips) if (image := _still(library, clip))}
    plain = {"title": result.query, "library": Path(result.source).name, "count": result.count, "clips": clips}
    plain["notes"] = result.notes
    plain["videos"] = [{"name": v.name, "path": v.path, "film": _video_url(v, folder)} for v in videos]
    write_search_page(plain, stills, folder / "found.html")
    return folder / "found.html"


def _clip_row(clip: SearchHit, number: int) -> dict[str, Any]:
    """Return a moment as the page reads it; ``number`` is that of its video."""
    why = [
        match.to_dict() | {"start": clip.player_time(match.start), "end": clip.player_time(match.end)}
        for match in clip.why
    ]
    span = {"start": clip.player_time(clip.start), "end": clip.player_time(clip.end)}
    return {"video": number, **span, "score": round(clip.score, 4), "why": why}


def _video_url(video: StoredVideo, folder: Path) -> str | None:
    """Return the URL of a video beside the page, hard-linked if possible; None if no browser can play it."""
    preview = Path(str(video.metadata.get("preview", "")))
    file = next((path for path in (Path(video.path), preview) if _is_playable(path)), None)
    if file is None:
        return None
    target = folder / "videos" / f"{video.id[:12]}{file.suffix.lower()}"
    return f"videos/{target.name}" if hard_link(file, target) else video_url(os.path.relpath(file, folder))


def _is_playable(path: Path) -> bool:
    """Return whether a file is a video that a browser plays, by its content: the library is not trusted on this."""
    from kinoscope.source import open_source

    if not path.is_file():
        return False
    try:
        with open_source(path) as source:
            return inputs.is_playable(describe_source(source.info) | {"path": str(path)})
    except KinoscopeError:
        return False


def _still(library: Library, clip: SearchHit) -> bytes | None:
    """Return a JPEG of a moment, from its file if that exists, else the image that the library holds."""
    # The shortest match is the most specific one.
    spans = [(match.end - match.start, max(match.start, clip.start), min(match.end, clip.end)) for match in clip.why]
    _, start, end = min(spans, default=(0, clip.start, clip.end))
    return _frame(clip.video.path, (start + end) / 2) or hit_image(library, clip)


def _frame(path: str, time: float) -> bytes | None:
    from kinoscope.imaging.thumbnail import thumbnail
    from kinoscope.source import open_source

    if not exists(path):
        return None
    try:
        with open_source(path, start=Fraction(time)) as source:
            for frame in source.frames(source.info.fit(STILL_SIDE)):
                return thumbnail(frame.pixels, (0, 0, *frame.size), margin=0, max_side=STILL_SIDE, quality=80)
    except KinoscopeError:
        return None
    return None


def exists(path: str) -> bool:
    """Return whether a path is a file or a folder, and no pipe or device, on which reading could block."""
    return Path(path).is_file() or Path(path).is_dir()
