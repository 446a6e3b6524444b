"""Results of a search in a library: a page that plays each moment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.views.pages.page import compose

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
