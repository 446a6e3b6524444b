"""Rich console for text that comes from data: markup, emoji codes and control sequences are printed literally."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kinoscope.core.terminal import escape_control


class DataConsole(Console):
    """Console that makes control characters in the text visible; its own (colours, progress bars) still work.

    Args:
        stderr: print to standard error.
        highlight: colour numbers.
    """

    def __init__(self, stderr: bool = False, highlight: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, highlight=highlight, markup=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError for the caller to handle; Rich would end the process."""
        raise BrokenPipeError

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, with control characters of its text made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_control(segment.text), segment.style)
