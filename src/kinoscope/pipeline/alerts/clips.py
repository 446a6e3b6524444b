"""Clips around alerts of a recording: the seconds before and after, one clip per alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope.core.results import Event
from kinoscope.core.time import format_clock
from kinoscope.core.validation import slugify

SHARED_CLIP_SECONDS = 1.0
"""Seconds after an alert in which others of its rule have no clip of their own: that clip contains them."""

CONTEXT_SECONDS = 3.0
"""Default seconds before and after an alert."""


@dataclass(slots=True)
class AlertSpan:
    """The time range of a clip in seconds, its file name, and the alerts in it."""

    start: float
    end: float
    name: str
    events: list[Event] = field(default_factory=list)


def alert_time(event: Event) -> float:
    """Return when the rule of an event matched, in seconds."""
    return float(event.extra.get("at", event.start))


def clip_name(event: Event, prefix: str = "") -> str:
    """Return the file name of an event's clip: its time and rule; no rule name can escape the folder."""
    clock = format_clock(alert_time(event)).replace(":", "-")
    return f"{prefix}{clock}-{slugify(event.label, 'alert')}.mp4"


def alert_spans(events: Iterable[Event], before: float, after: float) -> list[AlertSpan]:
    """Return the spans of the clips of events: one each; events of a rule in quick succession share one."""
    alert_clips: list[AlertSpan] = []
    latest: dict[str, AlertSpan] = {}
    for event in sorted(events, key=alert_time):
        span = latest.get(event.label)
        if span is not None and alert_time(event) - alert_time(span.events[0]) < SHARED_CLIP_SECONDS:
            span.end = alert_time(event) + after
            span.events.append(event)
        else:
            span = latest[event.label] = AlertSpan(
                alert_time(event) - before, alert_time(event) + after, clip_name(event), [event]
            )
            alert_clips.append(span)
    return _number_duplicates(alert_clips)


def _number_duplicates(alert_clips: list[AlertSpan]) -> list[AlertSpan]:
    """Append numbers to names that are equal."""
    counts: dict[str, int] = {}
    for span in alert_clips:
        counts[span.name] = count = counts.get(span.name, 0) + 1
        if count > 1:
            span.name = f"{span.name.removesuffix('.mp4')}-{count}.mp4"
    return alert_clips


def cut_clips(
    path: str,
    events: Sequence[Event],
    folder: Path,
    source_options: Mapping[str, Any] | None = None,
    before: float = CONTEXT_SECONDS,
    after: float = CONTEXT_SECONDS,
) -> list[Path]:
    """Write clips of a recording, each by a decode of its own span.

    ``extra["clip"]`` of an event names its file, and ``extra["clip_at"]`` is the time of the event in it in seconds;
    a clip begins at 0.

    Args:
        path: of the recording.
        events: alerts.
        folder: of the clips.
        source_options: how it was read, as options of ``open_source``.
        before, after: seconds kept before and after an alert.

    Raises:
        SourceError, OutputError: the recording cannot be read again, or a clip cannot be written.
    """
    written = []
    for span in alert_spans(events, before, after):
        first_time = _cut(path, span, folder / span.name, dict(source_options or {}))
        if first_time is not None:
            written.append(folder / span.name)
            for event in span.events:
                event.extra["clip"] = f"{folder.name}/{span.name}"
                event.extra["clip_at"] = round(max(0.0, alert_time(event) - first_time), 3)
    return written


def _cut(path: str, span: AlertSpan, target: Path, source_options: dict[str, Any]) -> float | None:
    """Write a span; return the time in seconds of its first frame, or None if there is none."""
    from kinoscope.source import open_source
    from kinoscope.source.encode.writer import Writer

    with open_source(path, **(source_options | {"start": span.start, "end": span.end, "live": False})) as source:
        audio = path if source.info.has_audio and Path(path).is_file() else None
        frames = source.frames()
        first = next(frames, None)
        if first is None:
            return None
        with Writer(target, size=first.size, rate=source.info.rate, audio_from=audio, zero=first.time) as writer:
            writer.write(first)
            for frame in frames:
                writer.write(frame)
    return float(first.time)
