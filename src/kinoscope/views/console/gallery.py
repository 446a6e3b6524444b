"""Who is known, and who was recognised, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinoscope.core.time import format_clock
from kinoscope.views.console.evaluation import percent
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

RECOGNIZED_BY = {"face": "face", "group": "others of its group", "person": "appearance", "object": "appearance"}
"""How it is called by what somebody was known."""


def table(console: Console | None, *columns: str) -> tuple[Console, Any]:
    """Give a console, by default standard output's, and a table for it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from kinoscope.views.console.data_console import DataConsole

    return console or DataConsole(), Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def print_names(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print who is in a gallery: a row a name and kind."""
    from rich.text import Text

    console, lines = table(console, "name", "kind", "samples", "best", "from")
    for row in rows:
        cells = (row["name"], row["kind"], str(row["samples"]), f"{row['best']:.2f}", ", ".join(row["sources"]))
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if rows else "nobody is in it")


def print_recognition(told: Mapping[str, Any], console: Console | None = None) -> None:
    """Print who was recognised in a source, when and how surely, and who was not."""
    from rich.text import Text

    console, lines = table(console, "who", "from", "to", "sure", "distance", "known by")
    for row in told["seen"]:
        cells = (
            row["name"],
            *_format_times(row),
            percent(row["score"]),
            f"{row['distance']:.2f}",
            RECOGNIZED_BY[row["known_by"]],
        )
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    for row in told["strangers"]:
        near = "" if row["distance"] is None else f"{row['distance']:.2f}"
        nearest = f"nearest: {row['nearest']}" if row["nearest"] else ""
        cells = (f"unknown ({row['name']})", *_format_times(row), "", near, nearest)
        lines.add_row(*(Text(one_line(cell)) for cell in cells), style="dim")
    console.print(Text(one_line(told["source"]), "bold"), soft_wrap=True)
    console.print(lines if lines.rows else "  nobody is in it")


def _format_times(row: Mapping[str, Any]) -> tuple[str, str]:
    return format_clock(max(0.0, row["start"]))[:-2], format_clock(max(0.0, row["end"]))[:-2]


def print_gallery_check(told: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how well a gallery tells its people apart."""
    from rich.text import Text

    console, lines = table(console, "threshold", "distance", "false accepts", "false rejects")
    for name, row in (("default", told["default"]), (f"for FAR {told['at_far']['far_wanted']:g}", told["at_far"])):
        rates = [_format_rate(row[rate], row[f"{rate}_interval"]) for rate in ("far", "frr")]
        lines.add_row(*(Text(cell) for cell in (name, f"{row['threshold']:.3f}", *rates)))
    error = "" if told["equal_error"] is None else f"; equal error rate {percent(told['equal_error'])}"
    console.print(f"{told['kind']}: {told['genuine']} genuine and {told['impostor']} impostor pairs{error}")
    console.print(lines)


def _format_rate(share: float | None, interval: Sequence[float | None]) -> str:
    if share is None:
        return "–"
    between = "too few names" if interval[0] is None else f"{percent(interval[0])} to {percent(interval[1])}"
    return f"{percent(share)} ({between})"
