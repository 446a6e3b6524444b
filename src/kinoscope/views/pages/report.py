"""The report of an analysis: an HTML page that contains everything except the video.

The page is ``assets/report``; see ``kinoscope.views.pages.page``. Its times are those of a player: presentation time
minus the source's start.
"""

from __future__ import annotations

from pathlib import Path

from kinoscope.core.files import atomic_write
from kinoscope.views.pages.page import compose
from kinoscope.views.pages.report_data import display_name, report_data
from kinoscope.views.timeline import Timeline

SCRIPTS = (
    *("data", "items", "search", "clock", "overlay", "player", "view", "paint"),
    *("overview", "pointer", "lanes", "audio", "metadata", "panels", "keys", "main"),
)
"""The scripts in the order in which they are joined; see ``compose``."""


def write_report(timeline: Timeline, path: Path, video: str | None) -> None:
    """Write a Timeline as one self-contained HTML page.

    Args:
        timeline: the results; ``timeline.images`` and the curves in ``timeline.features`` are shown too.
        path: the file to write.
        video: the video that the page plays: its path relative to the page, or a URL. None if no browser can play it:
            the page then shows the images of the shots, and everything else works.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(timeline, video), encoding="utf-8")


def render(timeline: Timeline, video: str | None) -> str:
    """Return the page as text."""
    data = report_data(timeline, video)
    return compose("report", SCRIPTS, display_name(timeline.source), data, media="'self' file: blob: http: https:")
