"""What was found, on one screen of the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinoscope.core.results import Event, TaskReport, Timeline, Track
from kinoscope.core.time import format_clock
from kinoscope.core.validation import pluralize
from kinoscope.views.console import sync
from kinoscope.views.formats.clock import duration, origin
from kinoscope.views.formats.plain import one_line

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
"""Tasks that leave neither events nor tracks: what their report counts, and as what."""

_STATUS_STYLES = {"failed": "bold red", "interrupted": "yellow", "incomplete": "yellow", "skipped": "dim"}


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """What one task found, in words.

    Attributes:
        task: its name; ``status`` as in its report.
        found: how much of what, such as ``45 tracks``.
        details: the most of it: top labels, people, first sentences; the reason where it did not end well.
        model: the card that was used; empty where none was.
        seconds: its share of the time.
    """

    task: str
    status: str
    found: str
    details: str
    model: str
    seconds: float


def summary_rows(timeline: Timeline) -> list[SummaryRow]:
    """Give a row for each task that was run, in the order of the runs."""
    return [_row(timeline, name, report) for name, report in timeline.tasks.items()]


def headline(timeline: Timeline) -> str:
    """Give one line on the source: name, size, rate, length, frames, and what was lost of them."""
    source, decode = timeline.source, timeline.decode
    facts = [one_line(str(source.get("path", "video")))]
    if source.get("width"):
        facts.append(f"{source['width']}x{source['height']}")
    if source.get("video_tracks"):
        facts.append(f"video track {source.get('video_track')} of {source['video_tracks']} (from 0)")
    facts += [_format_time(duration(timeline)), pluralize(decode.frames, "frame")]
    lost = (("broken", decode.failures), ("damaged", decode.corrupt), ("dropped", decode.dropped))
    facts += [f"{count} {name}" for name, count in lost if count]
    if decode.missing:
        facts.append(f"no frames at {_format_intervals(decode.missing, origin(timeline))}")
    return ", ".join(facts + ([] if decode.complete else ["not read to the end"]))


def _format_intervals(stretches: Sequence[Sequence[float]], zero: float) -> str:
    """Name the first stretches in seconds of the player; those less than half a second apart are one."""
    near: list[list[float]] = []
    for start, end in stretches:
        if near and start - near[-1][1] < 0.5:
            near[-1][1] = end
        else:
            near.append([start, end])
    shown = ", ".join(f"{start - zero:.2f}-{end - zero:.2f} s" for start, end in near[:3])
    return shown + (f" and {len(near) - 3} more" if len(near) > 3 else "")


def damage_summary(timeline: Timeline) -> str | None:
    """Return one line on why not all of the source was read, or None where all was."""
    decode = timeline.decode
    if decode.complete and not (decode.failures or decode.corrupt):
        return None
    name = one_line(str(timeline.source.get("path", "video")))
    if decode.interrupted:
        return f"{name}: interrupted; what was found until then is kept"
    why = f" ({'; '.join(dict.fromkeys(map(one_line, decode.errors[:3])))})" if decode.errors else ""
    if not decode.complete:
        return f"{name} was not read to its end{why}; what was found until then is kept"
    if not decode.failures:
        return f"{name}: {pluralize(decode.corrupt, 'frame')} could be decoded in part only{why}"
    lost = pluralize(decode.failures, "frame or packet", "frames or packets")
    return f"{name}: {lost} could not be decoded{why}; --on-error says what to do about them"


def print_summary(timeline: Timeline, console: Console | None = None) -> None:
    """Print the headline and a table of what each task found."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole(highlight=True)
    console.print(Text(headline(timeline), "bold"), soft_wrap=True)
    table = Table("task", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("found", no_wrap=True)
    table.add_column("most of it", ratio=1)
    table.add_column("model", overflow="fold")
    table.add_column("seconds", justify="right")
    for row in summary_rows(timeline):
        # Text, not str: a label in square brackets is no markup.
        cells = (row.task, row.found, row.details, row.model, f"{row.seconds:.1f}")
        table.add_row(*(Text(one_line(cell)) for cell in cells), style=_STATUS_STYLES.get(row.status))
    if table.rows:
        if len(timeline.tasks) > 1:
            table.add_section()
            table.add_row("all", "", "", "", f"{sum(report.seconds for report in timeline.tasks.values()):.1f}")
        console.print(table)


def _row(timeline: Timeline, name: str, report: TaskReport) -> SummaryRow:
    events, tracks = timeline.events_of(name), timeline.tracks_of(name)
    if name == "sync" and report.status == "ok":
        return _sync_row(timeline, report)
    details = "; ".join(_details(events, tracks, origin(timeline)))
    if report.status != "ok":
        details = "; ".join(filter(None, (one_line(report.reason or ""), details)))
    found = _count_results(name, report, events, tracks)
    return SummaryRow(name, report.status, found, details, report.model or "", report.seconds)


def _sync_row(timeline: Timeline, report: TaskReport) -> SummaryRow:
    found = pluralize(len(sync.offset_rows(timeline)), "offset")
    return SummaryRow("sync", report.status, found, sync.summary(timeline), report.model or "", report.seconds)


def _count_results(name: str, report: TaskReport, events: Sequence[Event], tracks: Sequence[Track]) -> str:
    people = len({track.identity for track in tracks} - {None})
    parts = [pluralize(len(tracks), "track") if tracks else "", pluralize(people, "person", "people") if people else ""]
    if name in _REPORT_COUNTS and not events and not tracks:
        key, noun = _REPORT_COUNTS[name]
        parts.append(pluralize(getattr(report, key, None) or report.extra.get(key, 0), noun))
    elif events or not tracks:
        parts.append(pluralize(len(events), _EVENT_NOUNS.get(name, "event")))
    if report.status != "ok":
        return report.status if not events and not tracks else f"{report.status}: {_join(parts)}"
    return _join(parts)


def _details(events: Sequence[Event], tracks: Sequence[Track], zero: float) -> Iterable[str]:
    """Give what is most telling: people or labels of tracks, sentences, labels or times of events."""
    if tracks:
        yield _format_counts(Counter(track.identity or track.label for track in tracks))
    reasons = Counter(str(event.extra["reason"]) for event in events if event.text is None and "reason" in event.extra)
    if sentences := [one_line(event.text) for event in events if event.text]:
        yield " ".join(f"“{_shorten(sentence)}”" for sentence in sentences[:2])
    for reason, count in reasons.items():
        yield f"{count} not understood: {one_line(reason)}"
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
    """Give the labels that last longest together, with their seconds."""
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
    """Give minutes and seconds, with hours where there are any."""
    return format_clock(time)[:-4].removeprefix("00:")


def _shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _join(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts))
