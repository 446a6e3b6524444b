"""Identities of a gallery, and recognized identities, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinoscope.core.terminal import warn
from kinoscope.core.time import format_clock
from kinoscope.core.validation import pluralize
from kinoscope.results.enroll import EnrollResult
from kinoscope.results.gallery import GalleryResult
from kinoscope.results.recognize import RecognizeResult
from kinoscope.views.console.evaluation import percent
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

RECOGNIZED_BY = {"face": "face", "group": "its group", "person": "appearance", "object": "appearance"}
"""Value of ``known_by`` -> how it is printed."""


def table(console: Console | None, *columns: str) -> tuple[Console, Any]:
    """Return a console, by default of standard output, and an empty table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from kinoscope.views.console.data_console import DataConsole

    return console or DataConsole(), Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def print_names(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the identities of a gallery: a row per name and kind."""
    from rich.text import Text

    console, lines = table(console, "name", "kind", "samples", "best quality", "sources")
    for row in rows:
        cells = (row["name"], row["kind"], str(row["samples"]), f"{row['best']:.2f}", ", ".join(row["sources"]))
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    console.print(lines if rows else "the gallery is empty")


@render.register
def render_enrollment(result: EnrollResult) -> None:
    """Print how many samples a name got, and those that a person should check."""
    samples = pluralize(len(result.samples), "sample")
    already = f" ({result.already} {'was' if result.already == 1 else 'were'} there already)" if result.already else ""
    print(f"{result.source}: {result.name} got {samples} of kind {result.kind}{already}")
    for note in result.notes:
        warn(note)


@render.register
def render_gallery(result: GalleryResult) -> None:
    """Print the names in a gallery, or what an action changed or measured, and the files written."""
    if result.names is not None:
        print_names(result.names)
    elif result.check is not None:
        print_gallery_check(result.check)
    elif result.renamed is not None:
        print(f"{result.renamed[0]} is now {result.renamed[1]} ({pluralize(result.samples or 0, 'sample')})")
    elif result.removed is not None:
        print(f"removed {', '.join(result.removed)} ({pluralize(result.samples or 0, 'sample')})")
    print_paths(result.written)


@render.register
def render_recognition(result: RecognizeResult) -> None:
    """Print the identities in a source, or its error."""
    if result.error:
        warn(result.error)
    else:
        print_recognition(result.to_dict())


def print_recognition(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the recognized identities of a source with times and confidence, and the unknown ones."""
    from rich.text import Text

    console, lines = table(console, "identity", "from", "to", "confidence", "distance", "matched by")
    for row in result["seen"]:
        cells = (
            row["name"],
            *_format_times(row),
            percent(row["score"]),
            f"{row['distance']:.2f}",
            RECOGNIZED_BY[row["known_by"]],
        )
        lines.add_row(*(Text(one_line(cell)) for cell in cells))
    for row in result["strangers"]:
        distance = "" if row["distance"] is None else f"{row['distance']:.2f}"
        nearest = f"nearest: {row['nearest']}" if row["nearest"] else ""
        cells = (f"unknown ({row['name']})", *_format_times(row), "", distance, nearest)
        lines.add_row(*(Text(one_line(cell)) for cell in cells), style="dim")
    console.print(Text(one_line(result["source"]), "bold"), soft_wrap=True)
    console.print(lines if lines.rows else "  no identities")


def _format_times(row: Mapping[str, Any]) -> tuple[str, str]:
    return format_clock(max(0.0, row["start"]))[:-2], format_clock(max(0.0, row["end"]))[:-2]


def print_gallery_check(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the verification errors of a gallery: false accepts and false rejects by threshold."""
    from rich.text import Text

    console, lines = table(console, "threshold", "distance", "false accepts", "false rejects")
    for name, row in (
        ("default", result["default"]),
        (f"for FAR {result['at_far']['far_wanted']:g}", result["at_far"]),
    ):
        rates = [_format_rate(row[rate], row[f"{rate}_interval"]) for rate in ("far", "frr")]
        lines.add_row(*(Text(cell) for cell in (name, f"{row['threshold']:.3f}", *rates)))
    error = "" if result["equal_error"] is None else f"; equal error rate {percent(result['equal_error'])}"
    console.print(f"{result['kind']}: {result['genuine']} genuine and {result['impostor']} impostor pairs{error}")
    console.print(lines)


def _format_rate(share: float | None, interval: Sequence[float | None]) -> str:
    if share is None:
        return "–"
    bounds = "too few names" if interval[0] is None else f"{percent(interval[0])} to {percent(interval[1])}"
    return f"{percent(share)} ({bounds})"
