"""What was detected, on the terminal: tracks and where they went, how many there were when, or a picture's boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinoscope.core.time import format_clock
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MAX_TRACKS, MAX_COUNT_ROWS = 60, 24
"""Rows that are shown of each table; all of them are in the JSON and the CSV."""


def print_detections(told: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what was found in a source, as ``Detected.to_dict`` tells it."""
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole()
    console.print(Text(one_line(told["source"]), "bold"), soft_wrap=True)
    if "objects" in told:
        _print_table(
            console, ("id", "label", "score", "box: x1, y1, x2, y2"), [_object_cells(row) for row in told["objects"]]
        )
        return
    head = ("id", "label", "from", "to", "stayed", "speed", "heights/s", "path")
    _print_table(console, head, [_track_cells(row) for row in told["tracks"][:MAX_TRACKS]])
    if len(told["tracks"]) > MAX_TRACKS:
        console.print(f"  and {len(told['tracks']) - MAX_TRACKS} more; --json tells all")
    if not all(row.get("counts", True) for row in told["tracks"]):
        console.print("  ?: doubtful, and it never moves; not counted")
    if told["counts"]:
        _print_counts(console, told["counts"])


def _print_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        console.print("  nothing was found")
        return
    table = Table(*head, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for row in rows:
        # Text, not str: a label in square brackets is no markup.
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print(table)


def _object_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return str(row["id"]), row["label"], f"{row['score']:.2f}", ", ".join(f"{v:.0f}" for v in row["box"])


def _track_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    when = format_clock(max(0.0, row["start"]))[:-2], format_clock(max(0.0, row["end"]))[:-2]
    pace = f"{row['speed']:.0f} px/s", f"{row['heights_per_second']:.2f}"
    label = row["label"] if row.get("counts", True) else f"{row['label']} ?"
    return str(row["id"]), label, *when, f"{row['seconds']:.1f} s", *pace, f"{row['length']:.0f} px"


def _print_counts(console: Console, counted: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print the counts of each label: as counted, and the interval; of many, evenly spread ones."""
    labels = sorted(counted, key=lambda label: -max(row["count"] for row in counted[label]))[:6]
    length = len(counted[labels[0]])
    rows = [
        (
            format_clock(max(0.0, counted[labels[0]][n]["time"]))[:-2],
            *(_format_count(counted[label][n]) for label in labels),
        )
        for n in range(0, length, -(-length // MAX_COUNT_ROWS))
    ]
    _print_table(console, ("at", *labels), rows)


def _format_count(row: Mapping[str, Any]) -> str:
    return f"{row['count']} ({row['low']}–{row['high']})"
