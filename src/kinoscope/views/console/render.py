"""The text of results on the terminal: ``render`` prints one by its class.

Each module of this package registers the classes that it prints; ``printers`` imports them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

from kinoscope.core.terminal import warn
from kinoscope.results.base import Result


@singledispatch
def render(result: Any) -> None:
    """Print a result as text."""
    raise TypeError(f"no module of views.console prints {type(result).__name__}")


@render.register
def _render_result(result: Result) -> None:
    """Print the error of a result, or the files written."""
    if result.error:
        warn(result.error)
    print_paths(result.written)


def print_paths(paths: Sequence[Path | str]) -> None:
    """Print the written files, indented."""
    for path in paths:
        print(f"  {path}")


def warn_of_unreadable(reasons: Mapping[str, str]) -> None:
    """Print one line for each clip or video that could not be used."""
    for name, reason in reasons.items():
        warn(f"{name}: {reason}")
