"""A timeline as ``events.csv``, ``tracks.csv`` and ``trajectories.csv`` (RFC 4180, UTF-8), for spreadsheets.

A string that a spreadsheet would evaluate as a formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
return) is prefixed with an apostrophe. Numbers are written as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.views.formats.tables import (
    BOX_COLUMNS,
    EVENT_COLUMNS,
    TRAJECTORY_COLUMNS,
    box_rows,
    event_rows,
    trajectory_rows,
)
from kinoscope.views.timeline import Timeline

FILES = ("events.csv", "tracks.csv", "trajectories.csv")


def write(timeline: Timeline, folder: Path) -> None:
    """Write the tables into ``folder``."""
    _write(folder / "events.csv", EVENT_COLUMNS, event_rows(timeline))
    _write(folder / "tracks.csv", BOX_COLUMNS, box_rows(timeline))
    _write(folder / "trajectories.csv", TRAJECTORY_COLUMNS, trajectory_rows(timeline))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_escape_formula(value) for value in row] for row in rows)


def _escape_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
