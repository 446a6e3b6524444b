"""Converted files on the terminal."""

from __future__ import annotations

from kinoscope.results.convert import ConvertResult
from kinoscope.views.console.render import render


@render.register
def render_convert(result: ConvertResult) -> None:
    """Print the path of each written file on a line of its own, for other programs."""
    for path in result.written:
        print(path)
