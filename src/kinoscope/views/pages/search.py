"""What was found in a library: a table on the terminal, and a page of moments that plays each of them."""

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


def write_search_page(found: Mapping[str, Any], pictures: Mapping[int, bytes], path: Path) -> None:
    """Write what was found as one self-contained HTML page.

    Args:
        found: ``title``, ``library``, ``videos`` (``name``, ``path``, and in ``film`` what a browser can play) and
            ``clips`` (``video`` by its number, ``start`` and ``end`` as players count, ``score``, ``why``); and maybe
            ``notes``, lines on the answer.
        pictures: JPEG files by the number of the clip.
        path: the file to write.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(found, pictures), encoding="utf-8")


def render(found: Mapping[str, Any], pictures: Mapping[int, bytes]) -> str:
    """Give the page as text."""
    images = {str(number): base64.b64encode(data).decode() for number, data in pictures.items()}
    media = "'self' file: blob: http: https:"
    data = {**found, "images": images}
    return compose("found", SCRIPTS, str(found["title"]), data, column=True, media=media)


def print_search_results(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the moments that were found: a row each."""
    from rich.text import Text

    console, lines = table(console, "video", "from", "to", "score", "why")
    for clip in found["clips"]:
        why = "; ".join(f"{reason['what']}" for reason in clip["why"])
        cells = (clip["name"], format_time(clip["from"]), format_time(clip["to"]), f"{clip['score']:.2f}", why)
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if lines.rows else f"nothing in {found['library']} is like that")
