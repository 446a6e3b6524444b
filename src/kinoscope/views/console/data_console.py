"""Rich's console for text that comes from data: nothing in it is markup, a smiley or a control sequence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kinoscope.core.terminal import escape_control


class DataConsole(Console):
    """A console that shows the control characters of what it prints; those of its own (colours, bars) work.

    Args:
        stderr: whether it prints to standard error.
        highlight: whether numbers are coloured.
    """

    def __init__(self, stderr: bool = False, highlight: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, highlight=highlight, markup=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Leave it to the caller that nobody reads on; Rich would end the process."""
        raise BrokenPipeError

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of something, with visible text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_control(segment.text), segment.style)
