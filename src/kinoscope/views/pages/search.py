"""Results of a search in a library: a table on the terminal, and a page that plays each moment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.files import atomic_write
from kinoscope.views.console.gallery import table
from kinoscope.views.console.library import format_time
from kinoscope.views.formats.plain import one_line
from kinoscope.views.pages.page import compose

if TYPE_CHECKING:
    from rich.console import Console

SCRIPTS = ("player", "clips", "main")
"""As ``compose`` takes them."""


def write_search_page(results: Mapping[str, Any], images: Mapping[int, bytes], path: Path) -> None:
    """Write the results of a search as one self-contained HTML page.

    Args:
        results: ``title``, ``library``, ``videos`` (``name``, ``path``, and in ``film`` the URL of a playable file or
            None) and ``clips`` (``video`` by its index, ``start`` and ``end`` in seconds of playback, ``score``,
            ``why``); optionally ``notes``, lines of text.
        images: JPEG files by the index of the clip.
        path: the file to write.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(results, images), encoding="utf-8")


def render(results: Mapping[str, Any], images: Mapping[int, bytes]) -> str:
    """Return the page as text."""
    encoded = {str(number): base64.b64encode(data).decode() for number, data in images.items()}
    media = "'self' file: blob: http: https:"
    data = {**results, "images": encoded}
    return compose("search", SCRIPTS, str(results["title"]), data, column=True, media=media)


def print_search_results(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the moments of a search: a row per moment."""
    from rich.text import Text

    console, lines = table(console, "video", "from", "to", "score", "matches")
    for clip in results["clips"]:
        matches = "; ".join(f"{match['what']}" for match in clip["why"])
        cells = (clip["name"], format_time(clip["from"]), format_time(clip["to"]), f"{clip['score']:.2f}", matches)
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if lines.rows else f"no matches in {results['library']}")
