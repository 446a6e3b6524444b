r"""Speech as SubRip.

SubRip has no escapes. Text that players would interpret as markup is neutralized: ``<script`` becomes ``< script``,
``{\an8}`` becomes ``{ \an8}``, and an arrow ``-->`` becomes ``→``.
"""

from __future__ import annotations

import re
from pathlib import Path

from kinoscope.core.files import atomic_write
from kinoscope.core.time import format_clock
from kinoscope.views.formats.subtitles import Cue, cues, replace_arrows
from kinoscope.views.timeline import Timeline


def render(timeline: Timeline) -> str:
    """Return the content of the file; times count from the source's start."""
    return "\n".join(_block(number, cue) for number, cue in enumerate(cues(timeline), 1))


def write(timeline: Timeline, path: Path) -> None:
    """Write the speech as SubRip."""
    with atomic_write(path) as temporary:
        temporary.write_text(render(timeline), encoding="utf-8", newline="\n")


def _block(number: int, cue: Cue) -> str:
    times = f"{format_clock(cue.start, ',')} --> {format_clock(cue.end, ',')}"
    return "\n".join([str(number), times, *map(_neutralize, cue.lines), ""])


def _neutralize(line: str) -> str:
    return re.sub(r"<(?=[/!a-zA-Z])", "< ", replace_arrows(line)).replace("{\\", "{ \\")
