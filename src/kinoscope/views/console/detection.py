"""Detections on the terminal: tracks with their trajectories, counts over time, or the boxes of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinoscope.core.terminal import warn
from kinoscope.core.time import format_clock
from kinoscope.results.detect import DetectResult
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MAX_TRACKS, MAX_COUNT_ROWS = 60, 24
"""Rows that are printed of each table; the JSON and the CSV contain all."""


@render.register
def render_detections(result: DetectResult) -> None:
    """Print the objects of a source, or its error, and the files written."""
    if result.error:
        warn(result.error)
    else:
        print_detections(result.to_dict())
    print_paths(result.written)


def print_detections(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the detections of a source, from ``DetectResult.to_dict``."""
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole()
    console.print(Text(one_line(result["source"]), "bold"), soft_wrap=True)
    if "objects" in result:
        _print_table(
            console, ("id", "label", "score", "box: x1, y1, x2, y2"), [_object_cells(row) for row in result["objects"]]
        )
        return
    columns = ("id", "label", "from", "to", "duration", "speed", "heights/s", "path")
    _print_table(console, columns, [_track_cells(row) for row in result["tracks"][:MAX_TRACKS]])
    if len(result["tracks"]) > MAX_TRACKS:
        console.print(f"  and {len(result['tracks']) - MAX_TRACKS} more; --json lists all")
    if not all(row.get("counts", True) for row in result["tracks"]):
        console.print("  ?: doubtful and stationary; not counted")
    if result["counts"]:
        _print_counts(console, result["counts"])


def _print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        console.print("  no detections")
        return
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for row in rows:
        # Text, not str: square brackets in a label are not markup.
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print(table)


def _object_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return str(row["id"]), row["label"], f"{row['score']:.2f}", ", ".join(f"{v:.0f}" for v in row["box"])


def _track_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    times = format_clock(max(0.0, row["start"]))[:-2], format_clock(max(0.0, row["end"]))[:-2]
    speeds = f"{row['speed']:.0f} px/s", f"{row['heights_per_second']:.2f}"
    label = row["label"] if row.get("counts", True) else f"{row['label']} ?"
    return str(row["id"]), label, *times, f"{row['seconds']:.1f} s", *speeds, f"{row['length']:.0f} px"


def _print_counts(console: Console, counts: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print the counts of each label with their intervals, at most ``MAX_COUNT_ROWS`` times spaced evenly."""
    labels = sorted(counts, key=lambda label: -max(row["count"] for row in counts[label]))[:6]
    length = len(counts[labels[0]])
    rows = [
        (
            format_clock(max(0.0, counts[labels[0]][n]["time"]))[:-2],
            *(_format_count(counts[label][n]) for label in labels),
        )
        for n in range(0, length, -(-length // MAX_COUNT_ROWS))
    ]
    _print_table(console, ("at", *labels), rows)


def _format_count(row: Mapping[str, Any]) -> str:
    return f"{row['count']} ({row['low']}–{row['high']})"
