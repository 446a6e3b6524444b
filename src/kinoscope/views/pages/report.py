"""The report: one HTML file that opens from disk, holds everything but the video, and needs no network.

The page is ``assets/report``; see ``kinoscope.views.pages.page``. Times in it are the player's: presentation time
minus the source's start.
"""

from __future__ import annotations

from pathlib import Path

from kinoscope.core.files import atomic_write
from kinoscope.core.results import Timeline
from kinoscope.views.pages.page import compose
from kinoscope.views.pages.report_data import display_name, report_data

SCRIPTS = (
    *("data", "items", "search", "clock", "overlay", "player", "view", "paint"),
    *("overview", "pointer", "lanes", "sound", "facts", "panels", "keys", "main"),
)
"""The scripts in the order in which they are joined; a script's constants use only what stands before them."""


def write_report(timeline: Timeline, path: Path, video: str | None) -> None:
    """Write a Timeline as one self-contained HTML page.

    Args:
        timeline: what was found; ``timeline.images`` and the curve in ``timeline.features`` are shown too.
        path: the file to write.
        video: the video that the page plays: its path relative to the page, or a URL. None when there is none that
            a browser can play: the page then shows the pictures of the shots, and all else works.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(timeline, video), encoding="utf-8")


def render(timeline: Timeline, video: str | None) -> str:
    """Give the page as text."""
    data = report_data(timeline, video)
    return compose("report", SCRIPTS, display_name(timeline.source), data, media="'self' file: blob: http: https:")
