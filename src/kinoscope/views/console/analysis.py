"""Summary of an analysis on one screen of the terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.core.terminal import warn
from kinoscope.core.time import format_clock
from kinoscope.core.validation import pluralize
from kinoscope.results.analysis import Analysis
from kinoscope.views.console import sync
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.clock import duration, origin
from kinoscope.views.formats.plain import one_line
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from rich.console import Console

_EVENT_NOUNS = {
    "shots": "shot",
    "scenes": "scene",
    "objects": "track",
    "faces": "face",
    "speech": "sentence",
    "recognize": "appearance",
    "rules": "alert",
}
_REPORT_COUNTS = {"appearance": ("inferences", "embedding"), "preview": ("frames", "frame")}
"""Task without events and tracks -> the field of its report that is counted, and the noun for it."""

_STATUS_STYLES = {"failed": "bold red", "interrupted": "yellow", "incomplete": "yellow", "skipped": "dim"}


LIBRARY_CHANGES = {
    "added": "added to the library",
    "changed": "updated in the library",
    "moved": "in the library already, now at this path",
    "same": "in the library already",
}
"""Change of a library by an analysis -> the line that reports it."""


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Summary of the results of one task.

    Attributes:
        task: name of the task.
        status: as in its report.
        results: counts, such as ``45 tracks``.
        details: most frequent labels, people or first sentences; the reason if the task did not finish.
        model: the card of the model; empty without one.
        seconds: run time of the task.
    """

    task: str
    status: str
    results: str
    details: str
    model: str
    seconds: float


@render.register
def render_analysis(analysis: Analysis) -> None:
    """Print the summary of an analysis, or its error, and the files written."""
    if analysis.error:
        warn(analysis.error)
    if analysis.timeline:
        print_summary(analysis.timeline)
        resumed = " (done before)" if analysis.resumed else ""
        print(f"{analysis.source}: {analysis.seconds:.1f} s{resumed}")
    if analysis.library_change:
        print(f"  {LIBRARY_CHANGES[analysis.library_change]}")
    for note in analysis.notes:
        print(f"kinoscope: {note}", file=sys.stderr)
    print_paths(analysis.written)


def summary_rows(timeline: Timeline) -> list[SummaryRow]:
    """Return a row for each task, in the order in which they ran."""
    return [_row(timeline, name, report) for name, report in timeline.tasks.items()]


def headline(timeline: Timeline) -> str:
    """Return one line on the source: name, size, duration, frames, and lost frames."""
    source, decode = timeline.source, timeline.decode
    fields = [one_line(str(source.get("path", "video")))]
    if source.get("width"):
        fields.append(f"{source['width']}x{source['height']}")
    if source.get("video_tracks"):
        fields.append(f"video track {source.get('video_track')} of {source['video_tracks']} (from 0)")
    fields += [_format_time(duration(timeline)), pluralize(decode.frames, "frame")]
    lost = (("undecodable", decode.failures), ("damaged", decode.corrupt), ("dropped", decode.dropped))
    fields += [f"{count} {name}" for name, count in lost if count]
    if decode.missing:
        fields.append(f"no frames at {_format_intervals(decode.missing, origin(timeline))}")
    return ", ".join(fields + ([] if decode.complete else ["not read to the end"]))


def _format_intervals(intervals: Sequence[Sequence[float]], zero: float) -> str:
    """Format the first intervals in seconds of playback; those less than half a second apart are merged."""
    merged: list[list[float]] = []
    for start, end in intervals:
        if merged and start - merged[-1][1] < 0.5:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    first = ", ".join(f"{start - zero:.2f}-{end - zero:.2f} s" for start, end in merged[:3])
    return first + (f" and {len(merged) - 3} more" if len(merged) > 3 else "")


def damage_summary(timeline: Timeline) -> str | None:
    """Return one line on why the source was not decoded completely, or None if it was."""
    decode = timeline.decode
    if decode.complete and not (decode.failures or decode.corrupt):
        return None
    name = one_line(str(timeline.source.get("path", "video")))
    if decode.interrupted:
        return f"{name}: interrupted; the results so far are kept"
    reason = f" ({'; '.join(dict.fromkeys(map(one_line, decode.errors[:3])))})" if decode.errors else ""
    if not decode.complete:
        return f"{name} was not read to its end{reason}; the results so far are kept"
    if not decode.failures:
        return f"{name}: {pluralize(decode.corrupt, 'frame')} could be decoded only in part{reason}"
    lost = pluralize(decode.failures, "frame or packet", "frames or packets")
    return f"{name}: {lost} could not be decoded{reason}; --on-error says what to do about them"


def print_summary(timeline: Timeline, console: Console | None = None) -> None:
    """Print the headline and a table of the results of each task."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole(highlight=True)
    console.print(Text(headline(timeline), "bold"), soft_wrap=True)
    table = Table("task", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("results", no_wrap=True)
    table.add_column("details", ratio=1)
    table.add_column("model", overflow="fold")
    table.add_column("seconds", justify="right")
    for row in summary_rows(timeline):
        # Text, not str: square brackets in a label are not markup.
        cells = (row.task, row.results, row.details, row.model, f"{row.seconds:.1f}")
        table.add_row(*(Text(one_line(cell)) for cell in cells), style=_STATUS_STYLES.get(row.status))
    if table.rows:
        if len(timeline.tasks) > 1:
            table.add_section()
            table.add_row("all", "", "", "", f"{sum(report.seconds for report in timeline.tasks.values()):.1f}")
        console.print(table)


def _row(timeline: Timeline, name: str, report: TaskReport) -> SummaryRow:
    events, tracks = timeline.events(name), timeline.tracks(name)
    if name == "sync" and report.status == "ok":
        return _sync_row(timeline, report)
    details = "; ".join(_details(events, tracks, origin(timeline)))
    if report.status != "ok":
        details = "; ".join(filter(None, (one_line(report.reason or ""), details)))
    results = _count_results(name, report, events, tracks)
    return SummaryRow(name, report.status, results, details, report.model or "", report.seconds)


def _sync_row(timeline: Timeline, report: TaskReport) -> SummaryRow:
    results = pluralize(len(sync.offset_rows(timeline)), "offset")
    return SummaryRow("sync", report.status, results, sync.summary(timeline), report.model or "", report.seconds)


def _count_results(name: str, report: TaskReport, events: Sequence[Event], tracks: Sequence[Track]) -> str:
    people = len({track.identity for track in tracks} - {None})
    counts = [
        pluralize(len(tracks), "track") if tracks else "",
        pluralize(people, "person", "people") if people else "",
    ]
    if name in _REPORT_COUNTS and not events and not tracks:
        key, noun = _REPORT_COUNTS[name]
        counts.append(pluralize(getattr(report, key, None) or report.extra.get(key, 0), noun))
    elif events or not tracks:
        counts.append(pluralize(len(events), _EVENT_NOUNS.get(name, "event")))
    if report.status != "ok":
        return report.status if not events and not tracks else f"{report.status}: {_join(counts)}"
    return _join(counts)


def _details(events: Sequence[Event], tracks: Sequence[Track], zero: float) -> Iterable[str]:
    """Yield the details of a task: people or labels of tracks, sentences, labels or times of events."""
    if tracks:
        yield _format_counts(Counter(track.identity or track.label for track in tracks))
    reasons = Counter(str(event.extra["reason"]) for event in events if event.text is None and "reason" in event.extra)
    if sentences := [one_line(event.text) for event in events if event.text]:
        yield " ".join(f"“{_shorten(sentence)}”" for sentence in sentences[:2])
    for reason, count in reasons.items():
        yield f"{count} not transcribed: {one_line(reason)}"
    if sentences or reasons:
        return
    if len({event.label for event in events}) > 1 and events[0].task == "rules":
        yield _format_counts(Counter(event.label for event in events))
    elif len({event.label for event in events}) > 1:
        yield _format_durations(events)
    elif events:
        more = ", …" if len(events) > 4 else ""
        label = one_line(events[0].label)
        yield f"{label} at " + ", ".join(_format_time(event.start - zero) for event in events[:4]) + more


def _format_durations(events: Sequence[Event]) -> str:
    """Return the labels with the greatest total duration, with their seconds."""
    seconds: Counter[str] = Counter()
    for event in events:
        seconds[event.label] += event.end - event.start  # type: ignore[assignment]
    return ", ".join(f"{one_line(label)} {total:.0f} s" for label, total in seconds.most_common(4))


def _format_counts(counts: Counter[str]) -> str:
    more = ", …" if len(counts) > 5 else ""
    return ", ".join(_with_count(one_line(label), count) for label, count in counts.most_common(5)) + more


def _with_count(label: str, count: int) -> str:
    return label if count == 1 else f"{label} ×{count}"


def _format_time(time: float) -> str:
    """Return a time as minutes and seconds, with hours if there are any."""
    return format_clock(time)[:-4].removeprefix("00:")


def _shorten(text: str, max_length: int = 60) -> str:
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


def _join(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts))
