"""What was measured of sound against lips, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinoscope.core.results import Timeline
from kinoscope.views.formats.plain import one_line

Row = Mapping[str, Any]
"""An event in its plain form, as ``kinoscope sync --json`` has it."""

MAX_SPANS = 8
"""Stretches of one who speaks that are told one by one."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, by name or by the number of the face, and from when to when in seconds."""

    name: str
    spans: list[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """How long, in all."""
        return sum(end - start for start, end in self.spans)


def print_sync(plain: Row) -> None:
    """Print the plain form of a result of ``kinoscope sync``."""
    print("\n".join(lines(plain)))


def lines(plain: Row) -> list[str]:
    """Give the lines: the verdict with its interval, who speaks, and what the repair came to."""
    source = plain["source"]
    if not plain["measurable"]:
        return [f"{source}: {not_measurable(plain['reason'])}"]
    told = [f"{source}: {line}" for line in _verdict_lines(plain["offsets"])]
    told += [f"  {line}" for line in _speaking_lines(plain["speaking"])]
    if after := plain.get("after"):
        told.append(f"repaired: {after['source']}")
        told += [f"  {line}" for line in lines(after)[: max(1, len(after.get("offsets", ())))]]
    return told


def summary(timeline: Timeline) -> str:
    """Tell what the task ``sync`` found in one line: the offsets, and how long each speaks."""
    if not (rows := offset_rows(timeline)):
        return not_measurable(unmeasurable_reason(timeline))
    told = [f"{span_prefix(row, rows)}{row['text']}, {format_confidence(row['confidence'])}" for row in rows[:2]]
    who = [f"{one_line(one.name)} speaks {one.seconds:.0f} s" for one in speakers(speaking_rows(timeline))[:4]]
    return "; ".join(told + ["…"] * (len(rows) > 2) + who)


def offset_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """Give the measured offsets in their plain form: one for the whole, or one for each stretch between cuts."""
    events = [event for event in timeline.events_of("sync") if "offset" in event.extra]
    return [
        {"start": e.start, "end": e.end, "label": e.label, "text": e.text, "confidence": e.score} | e.extra
        for e in events
    ]


def speaking_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """Give in their plain form the stretches in which somebody speaks."""
    events = [event for event in timeline.events_of("sync") if event.label == "speaking"]
    return [{"start": e.start, "end": e.end, "score": e.score, "identity": e.text} | e.extra for e in events]


def unmeasurable_reason(timeline: Timeline) -> str | None:
    """Give why there is no offset: it could not be measured, or the task did not run to its end."""
    if (report := timeline.tasks.get("sync")) and report.reason:
        return report.reason
    return next((e.text for e in timeline.events_of("sync") if e.label == "not measurable"), None)


def not_measurable(reason: str | None) -> str:
    """Say that there is no offset, and why."""
    return "not measurable" + (f": {one_line(reason)}" if reason else "")


def detail(row: Row) -> str:
    """Say how exact an offset is and how sure, from how much of speech; and its drift, if any."""
    interval = f"{_format_ms(row['low'])} to {_format_ms(row['high'])} ms"
    speech = f", from {row['evidence']:.1f} s of speech" if "evidence" in row and "hits" not in row else ""
    about = "on average " if "drift" in row else ""
    confidence = format_confidence(row["confidence"])
    text = f"{about}{_format_ms(row['offset'])} ms, 95 % interval {interval}; {confidence}{speech}"
    if "drift" in row:
        low, high = 100 * row["drift_low"], 100 * row["drift_high"]
        text += f"; drift {100 * row['drift']:+.3f} %, 95 % interval {low:+.3f} to {high:+.3f} %"
    return text


def span_prefix(row: Row, among: Sequence[Row]) -> str:
    """Give the stretch that an offset is of, where there are several."""
    return f"{row['start']:.2f}-{row['end']:.2f} s: " if len(among) > 1 else ""


def format_confidence(confidence: float) -> str:
    """Say a probability; no measure is ever certain."""
    return "over 99 % sure" if confidence > 0.99 else f"{100 * confidence:.0f} % sure"


def speakers(rows: Iterable[Row]) -> list[Speaker]:
    """Put together the stretches of each who speaks, in the order in which they first do."""
    found: dict[str, Speaker] = {}
    for row in rows:
        name = speaker_name(row)
        found.setdefault(name, Speaker(name, [])).spans.append((row["start"], row["end"]))
    return list(found.values())


def speaker_name(row: Row) -> str:
    """Give who speaks: the name, or else the number of the face, or of the track."""
    return row.get("identity") or f"face {row.get('face', row.get('track', 1))}"


def _verdict_lines(rows: Sequence[Row]) -> list[str]:
    return [f"{span_prefix(row, rows)}{row['text']} ({detail(row)})" for row in rows]


def _speaking_lines(rows: Iterable[Row]) -> list[str]:
    return [
        f"{one_line(who.name)} speaks for {who.seconds:.1f} s: {_format_spans(who.spans)}" for who in speakers(rows)
    ]


def _format_spans(spans: Sequence[tuple[float, float]]) -> str:
    more = ", ..." if len(spans) > MAX_SPANS else ""
    return ", ".join(f"{start:.1f}-{end:.1f}" for start, end in spans[:MAX_SPANS]) + more


def _format_ms(seconds: float) -> str:
    return f"{round(1000 * seconds):+d}"
