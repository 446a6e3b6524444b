"""Progress bar with the remaining time, on standard error if it is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.terminal import escape_control

MIN_REDRAW_SECONDS = 0.1
"""Seconds between two redraws: frames are processed far faster than a terminal can be read."""


@contextmanager
def bar(title: str, quiet: bool = False) -> Iterator[ProgressCallback | None]:
    """Show a progress bar while the block runs, and yield its callback: (seconds done, total seconds or None).

    Yields None, and shows nothing, if ``quiet`` or if standard error is not a terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from kinoscope.views.console.data_console import DataConsole

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    clocks = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *clocks, console=DataConsole(stderr=True), transient=True) as progress:
        line = progress.add_task(escape_control(title), total=None)
        last = 0.0

        def report(done: float, total: float | None) -> None:
            nonlocal last
            if (now := time.monotonic()) - last >= MIN_REDRAW_SECONDS:
                last = now
                progress.update(line, completed=done, total=total)

        yield report
