"""HTML of a timeline in a notebook: a table of the tasks, and the images of tracks and shots."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from kinoscope.views.console.analysis import summary_rows

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline

MAX_IMAGES = 24
"""Images shown, so that a notebook stays small."""

COLUMNS = ("task", "status", "results", "details", "model")


def timeline_html(timeline: Timeline) -> str:
    """Return a timeline as HTML: its source, a row for each task, and the first images."""
    path = escape(str(timeline.source.get("path", "timeline")))
    rows = "".join(_row([getattr(row, name) for name in COLUMNS], "td") for row in summary_rows(timeline))
    table = f"<table><thead>{_row(COLUMNS, 'th')}</thead><tbody>{rows}</tbody></table>"
    return f"<div><p><b>{path}</b>: {timeline.decode.frames} frames</p>{table}{_images(timeline)}</div>"


def _row(cells: tuple[str, ...] | list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"


def _images(timeline: Timeline) -> str:
    """Return the first images of the timeline, in the page itself, each with its name as tooltip."""
    shown = sorted(timeline.images.items())[:MAX_IMAGES]
    tags = "".join(
        f'<img src="data:image/jpeg;base64,{b64encode(data).decode()}" height="96" title="{escape(name)}" '
        f'alt="{escape(name)}" style="margin:2px">'
        for name, data in shown
    )
    more = len(timeline.images) - len(shown)
    return f"<p>{tags}{f' and {more} more' if more else ''}</p>" if shown else ""
