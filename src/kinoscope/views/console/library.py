"""Contents of a library on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kinoscope.core.time import format_clock
from kinoscope.core.validation import pluralize
from kinoscope.results.library import LibraryResult
from kinoscope.views.console.gallery import table
from kinoscope.views.console.render import render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MAX_NAMES = 60
"""Names of a library that are printed; the rest is counted."""


@render.register
def render_library(result: LibraryResult) -> None:
    """Print the contents of a library, or what was removed or cleaned up."""
    plain = result.to_dict()
    if result.videos is not None:
        print_videos(plain["videos"])
    if result.names is not None:
        print_name_counts(result.names)
    if result.check is not None:
        print_library_check(result.check)
    for row in result.shown or ():
        print_video(row)
    for video in result.removed or ():
        print(f"removed {video.path}")


def print_videos(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the videos of a library: a row per video."""
    from rich.text import Text

    console, lines = table(console, "video", "length", "added", "id", "folder")
    lines.columns[-1].overflow = "fold"  # a truncated path would not lead to the file
    for row in rows:
        path = PurePath(row["path"])
        cells = (path.name, format_time(row["duration"]), row["added"][:16], row["id"][:8], str(path.parent))
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if rows else "the library is empty")


def print_name_counts(names: Mapping[str, int], console: Console | None = None) -> None:
    """Print the names that can be searched for, most frequent first."""
    from rich.text import Text

    console, lines = table(console, "name", "count")
    ranked = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
    for name, count in ranked[:MAX_NAMES]:
        lines.add_row(Text(one_line(name)), str(count))
    console.print(lines if names else "its videos have no results")
    if len(ranked) > MAX_NAMES:
        console.print(f"and {len(ranked) - MAX_NAMES} more")


def print_video(row: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the entry of one video: path, digest, counts by task, and names."""
    from rich.text import Text

    console, lines = table(console, "task", "events", "tracks")
    console.print(Text(one_line(f"{row['path']}, {format_time(row['duration'])}"), "bold"), soft_wrap=True)
    console.print(Text(f"sha256 {row['id']}, added {row['added'][:19]} UTC"), soft_wrap=True)
    for task, counts in row["tasks"].items():
        lines.add_row(task, str(counts["events"]), str(counts["tracks"]))
    console.print(lines)
    print_name_counts(row["names"], console)


def print_library_check(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the state of a library: rows by table, what was cleaned up, and missing files."""
    from rich.text import Text

    console, lines = table(console, "table", "rows")
    for name, count in result["rows"].items():
        lines.add_row(name, str(count))
    console.print(lines)
    unfinished = result["swept"]
    tasks = pluralize(unfinished, "unfinished task")
    console.print(f"removed the leftovers of {tasks}" if unfinished else "no leftovers of unfinished tasks")
    for path in result["missing"]:
        console.print(Text(one_line(f"{path} is missing; analyze the file at its new path to move the entry")))


def format_time(seconds: float) -> str:
    """Return a time such as ``01:02.5``, with hours only if there are any."""
    return format_clock(max(0.0, seconds))[:-2].removeprefix("00:")
