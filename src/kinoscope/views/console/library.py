"""What is in a library, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kinoscope.core.time import format_clock
from kinoscope.views.console.gallery import table
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MAX_NAMES = 60
"""Names that are listed of a library; of more, how many more."""


def print_videos(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the videos of a library: a row each."""
    from rich.text import Text

    console, lines = table(console, "video", "length", "added", "id", "folder")
    lines.columns[-1].overflow = "fold"  # of a path that is cut off, nobody finds the file
    for row in rows:
        path = PurePath(row["path"])
        cells = (path.name, format_time(row["duration"]), row["added"][:16], row["id"][:8], str(path.parent))
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if rows else "there is no video in it")


def print_name_counts(names: Mapping[str, int], console: Console | None = None) -> None:
    """Print what can be asked for, the most frequent first."""
    from rich.text import Text

    console, lines = table(console, "name", "times")
    ranked = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
    for name, count in ranked[:MAX_NAMES]:
        lines.add_row(Text(one_line(name)), str(count))
    console.print(lines if names else "nothing was found in its videos")
    if len(ranked) > MAX_NAMES:
        console.print(f"and {len(ranked) - MAX_NAMES} more")


def print_video(row: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what a library knows of one video."""
    from rich.text import Text

    console, lines = table(console, "task", "events", "tracks")
    console.print(Text(one_line(f"{row['path']}, {format_time(row['duration'])}"), "bold"), soft_wrap=True)
    console.print(Text(f"sha256 {row['id']}, added {row['added'][:19]} UTC"), soft_wrap=True)
    for task, counts in row["tasks"].items():
        lines.add_row(task, str(counts["events"]), str(counts["tracks"]))
    console.print(lines)
    print_name_counts(row["names"], console)


def print_library_check(told: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how a library is."""
    from rich.text import Text

    console, lines = table(console, "table", "rows")
    for name, count in told["rows"].items():
        lines.add_row(name, str(count))
    console.print(lines)
    left = told["swept"]
    console.print(f"swept up what {left} unfinished tasks left" if left else "nothing unfinished was left in it")
    for path in told["missing"]:
        console.print(Text(one_line(f"{path} is no more where it was; analyze it at its new place to move it")))


def format_time(seconds: float) -> str:
    """Write a time without the hours where there are none: ``01:02.5``."""
    written = format_clock(max(0.0, seconds))[:-2]
    return written.removeprefix("00:")
