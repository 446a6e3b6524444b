"""Results of a search on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kinoscope.core.terminal import warn
from kinoscope.results.search import SearchResult
from kinoscope.views.console.gallery import table
from kinoscope.views.console.library import format_time
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console


@render.register
def render_search(result: SearchResult) -> None:
    """Print the notes and the moments of a search, and the files written."""
    for note in result.notes:
        warn(note)
    print_search_results(result.to_dict())
    print_paths(result.written)


def print_search_results(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the moments of a search: a row per moment."""
    from rich.text import Text

    console, lines = table(console, "video", "from", "to", "score", "matches")
    for clip in results["clips"]:
        matches = "; ".join(f"{match['what']}" for match in clip["why"])
        cells = (clip["name"], format_time(clip["from"]), format_time(clip["to"]), f"{clip['score']:.2f}", matches)
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if lines.rows else f"no matches in {results['library']}")
