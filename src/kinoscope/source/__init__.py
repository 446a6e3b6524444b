"""Everything that can be watched, behind one call.

``open_source`` takes a video file, a URL, a camera, a picture, a folder or pattern of pictures, or a synthetic video.
"""

from __future__ import annotations

from pathlib import Path

from kinoscope.core.time import Seconds, parse_time
from kinoscope.source.base import Picture, Source

__all__ = ["Picture", "Source", "open_source"]


def open_source(
    path: str | Path,
    start: str | Seconds | None = None,
    end: str | Seconds | None = None,
    rate: Seconds | None = None,
    on_error: str = "skip",
) -> Source:
    """Open something to watch."""
    if str(path).startswith("synthetic:"):
        from kinoscope.source.synthetic import from_address

        return from_address(str(path))
    from kinoscope.source.video import VideoSource

    first, last = (None if time is None else parse_time(time) for time in (start, end))
    return VideoSource(str(path), first, last, None if rate is None else parse_time(rate), on_error)
