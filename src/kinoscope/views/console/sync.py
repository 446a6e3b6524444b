"""Audio-visual synchronization as lines of text: offsets, speakers and the repair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinoscope.core.terminal import warn
from kinoscope.results.sync import SyncResult
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line
from kinoscope.views.timeline import Timeline

Row = Mapping[str, Any]
"""An event as a dict, as in ``kinoscope sync --json``."""

MAX_SPANS = 8
"""Intervals of a speaker that are listed."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker, by name or by the number of the face, with the intervals of speech in seconds."""

    name: str
    spans: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """Total duration of speech."""
        return sum(end - start for start, end in self.spans)


@render.register
def render_sync(result: SyncResult) -> None:
    """Print the offset of a source and its speakers, its error, the repair and the files written."""
    if result.timeline:
        print("\n".join(lines(result.to_dict())))
    if result.error:
        warn(result.error)
    if result.left_out:
        warn(f"{result.fixed} is without {', '.join(result.left_out)}: name one that ends in .mkv")
    print_paths(result.written)


def lines(plain: Row) -> list[str]:
    """Return the lines of a result: the offset with its interval, the speakers, and the result of the repair."""
    source = plain["source"]
    if not plain["measurable"]:
        return [f"{source}: {not_measurable(plain['reason'])}"]
    rows = [f"{source}: {line}" for line in _verdict_lines(plain["offsets"])]
    rows += [f"  {line}" for line in _speaking_lines(plain["speaking"])]
    if after := plain.get("after"):
        rows.append(f"repaired: {after['source']}")
        rows += [f"  {line}" for line in lines(after)[: max(1, len(after.get("offsets", ())))]]
    return rows


def summary(timeline: Timeline) -> str:
    """Return one line on the results of the task ``sync``: the offsets, and the duration of each speaker."""
    if not (rows := offset_rows(timeline)):
        return not_measurable(unmeasurable_reason(timeline))
    offsets = [f"{span_prefix(row, rows)}{row['text']}, {format_confidence(row['confidence'])}" for row in rows[:2]]
    speech = [
        f"{one_line(speaker.name)} speaks {speaker.seconds:.0f} s" for speaker in speakers(speaking_rows(timeline))[:4]
    ]
    return "; ".join(offsets + ["…"] * (len(rows) > 2) + speech)


def offset_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """Return the measured offsets as dicts: one for the whole video, or one for each interval between cuts."""
    events = [event for event in timeline.events("sync") if "offset" in event.extra]
    return [
        {"start": e.start, "end": e.end, "label": e.label, "text": e.text, "confidence": e.score} | e.extra
        for e in events
    ]


def speaking_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """Return the intervals of speech as dicts."""
    events = [event for event in timeline.events("sync") if event.label == "speaking"]
    return [{"start": e.start, "end": e.end, "score": e.score, "identity": e.text} | e.extra for e in events]


def unmeasurable_reason(timeline: Timeline) -> str | None:
    """Return why there is no offset: it could not be measured, or the task did not finish."""
    if (report := timeline.tasks.get("sync")) and report.reason:
        return report.reason
    return next((e.text for e in timeline.events("sync") if e.label == "not measurable"), None)


def not_measurable(reason: str | None) -> str:
    """Return a line that says that there is no offset, and why."""
    return "not measurable" + (f": {one_line(reason)}" if reason else "")


def detail(row: Row) -> str:
    """Return the details of an offset: its interval, confidence, evidence and, if any, drift."""
    interval = f"{_format_ms(row['low'])} to {_format_ms(row['high'])} ms"
    speech = f", from {row['evidence']:.1f} s of speech" if "evidence" in row and "hits" not in row else ""
    prefix = "on average " if "drift" in row else ""
    confidence = format_confidence(row["confidence"])
    text = f"{prefix}{_format_ms(row['offset'])} ms, 95 % interval {interval}; {confidence}{speech}"
    if "drift" in row:
        low, high = 100 * row["drift_low"], 100 * row["drift_high"]
        text += f"; drift {100 * row['drift']:+.3f} %, 95 % interval {low:+.3f} to {high:+.3f} %"
    return text


def span_prefix(row: Row, rows: Sequence[Row]) -> str:
    """Return the interval of an offset as a prefix, or an empty string if there is only one offset."""
    return f"{row['start']:.2f}-{row['end']:.2f} s: " if len(rows) > 1 else ""


def format_confidence(confidence: float) -> str:
    """Return a confidence in percent, never 100: no measurement is certain."""
    return "confidence over 99 %" if confidence > 0.99 else f"confidence {100 * confidence:.0f} %"


def speakers(rows: Iterable[Row]) -> list[Speaker]:
    """Group the intervals of speech by speaker, in the order of their first interval."""
    by_name: dict[str, Speaker] = {}
    for row in rows:
        name = speaker_name(row)
        by_name.setdefault(name, Speaker(name, [])).spans.append((row["start"], row["end"]))
    return list(by_name.values())


def speaker_name(row: Row) -> str:
    """Return the name of the speaker, or else the number of the face, or of the track."""
    return row.get("identity") or f"face {row.get('face', row.get('track', 1))}"


def _verdict_lines(rows: Sequence[Row]) -> list[str]:
    return [f"{span_prefix(row, rows)}{row['text']} ({detail(row)})" for row in rows]


def _speaking_lines(rows: Iterable[Row]) -> list[str]:
    return [
        f"{one_line(speaker.name)} speaks for {speaker.seconds:.1f} s: {_format_spans(speaker.spans)}"
        for speaker in speakers(rows)
    ]


def _format_spans(spans: Sequence[tuple[float, float]]) -> str:
    more = ", ..." if len(spans) > MAX_SPANS else ""
    return ", ".join(f"{start:.1f}-{end:.1f}" for start, end in spans[:MAX_SPANS]) + more


def _format_ms(seconds: float) -> str:
    return f"{round(1000 * seconds):+d}"
