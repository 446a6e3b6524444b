"""Predictions of a classifier on the terminal: the most probable classes, and segments over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kinoscope.core.terminal import warn
from kinoscope.core.time import format_clock
from kinoscope.results.classify import ClassifyResult
from kinoscope.views.console.render import render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

BAR_WIDTH = 24
"""Characters of a bar of 100 %."""
BAR_FULL, BAR_EMPTY = "█", "─"


@render.register
def render_classes(result: ClassifyResult) -> None:
    """Print the classes of a source, or its error."""
    if result.error:
        warn(result.error)
    else:
        print_classes(result)


def print_classes(result: ClassifyResult, console: Console | None = None) -> None:
    """Print the most probable classes of a source and, for a long one, the segments over time."""
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole()
    console.print(Text(one_line(result.source), "bold"), soft_wrap=True)
    top = result.top
    name_width = max((len(one_line(name)) for name, _ in top), default=0)
    for name, share in top:
        bar = round(BAR_WIDTH * share)
        line = Text(f"  {one_line(name):<{name_width}}  {100 * share:5.1f} %  ")
        console.print(line + Text(BAR_FULL * bar, "cyan") + Text(BAR_EMPTY * (BAR_WIDTH - bar), "dim"), soft_wrap=True)
    for event in result.segments:
        span = f"  {format_clock(event.start)} - {format_clock(event.end)}"
        console.print(
            Text(f"{span}  {one_line(event.label):<{name_width}}  {100 * event.score:5.1f} %"), soft_wrap=True
        )
