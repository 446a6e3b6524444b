"""The report: one HTML file that opens from disk, holds everything but the video, and needs no network.

The page is ``assets/report``: a skeleton, a style sheet and plain scripts, joined here without a build step. What
was found goes in as JSON that no name or label can break out of; the page sets all of it as text, never as markup.
Times in the page are the player's: presentation time minus the source's start.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic
from kinoscope.core.results import Timeline
from kinoscope.views.report_data import display_name, report_data

SCRIPTS = (
    *("data", "items", "search", "clock", "overlay", "player", "view", "paint"),
    *("overview", "pointer", "lanes", "facts", "panels", "keys", "main"),
)
"""The scripts in the order in which they are joined; a script's constants use only what stands before them."""


def write_report(timeline: Timeline, path: Path, video: str | None) -> None:
    """Write a Timeline as one self-contained HTML page.

    Args:
        timeline: what was found; ``timeline.pictures`` and the curve in ``timeline.features`` are shown too.
        path: the file to write.
        video: the video that the page plays: its path relative to the page, or a URL. None when there is none that
            a browser can play: the page then shows the pictures of the shots, and all else works.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(path) as partial:
        partial.write_text(render(timeline, video), encoding="utf-8")


def render(timeline: Timeline, video: str | None) -> str:
    """Give the page as text."""
    assets = files("kinoscope.views") / "assets" / "report"
    script = "\n".join((assets / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    parts = {
        "title": html.escape(display_name(timeline.source)),
        "style": (assets / "style.css").read_text("utf-8"),
        "script": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": _embed(report_data(timeline, video)),
    }
    page = (assets / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _embed(plain: dict[str, Any]) -> str:
    """Write JSON that is safe inside a script element, where only ``<`` could end or change it."""
    return json.dumps(plain, separators=(",", ":")).replace("<", "\\u003c")
