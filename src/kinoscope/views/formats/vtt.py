"""Speech as WebVTT (https://www.w3.org/TR/webvtt1/). Markup characters in the text are escaped."""

from __future__ import annotations

import html
from pathlib import Path

from kinoscope.core.files import atomic_write
from kinoscope.core.time import format_clock
from kinoscope.views.formats.subtitles import Cue, cues
from kinoscope.views.timeline import Timeline


def render(timeline: Timeline) -> str:
    """Return the content of the file; times count from the source's start."""
    return "\n".join(["WEBVTT\n", *map(_block, cues(timeline))])


def write(timeline: Timeline, path: Path) -> None:
    """Write the speech as WebVTT."""
    with atomic_write(path) as temporary:
        temporary.write_text(render(timeline), encoding="utf-8", newline="\n")


def _block(cue: Cue) -> str:
    text = html.escape("\n".join(cue.lines), quote=False)
    return f"{format_clock(cue.start)} --> {format_clock(cue.end)}\n{text}\n"
