"""Short videos around alerts: the seconds before and after, one clip an alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope.core.results import Event
from kinoscope.core.time import format_clock
from kinoscope.core.validation import slugify

SHARED_CLIP_SECONDS = 1.0
"""Seconds after an alert in which others of its rule have no clip of their own: they are in the middle of that one."""

CONTEXT_SECONDS = 3.0
"""Seconds kept before and after an alert, where nobody asks for others."""


@dataclass(slots=True)
class AlertSpan:
    """A stretch of video to keep, in seconds, its file, and the alerts that are in it."""

    start: float
    end: float
    name: str
    events: list[Event] = field(default_factory=list)


def alert_time(event: Event) -> float:
    """Give when the rule of an event was met, in seconds."""
    return float(event.extra.get("at", event.start))


def clip_name(event: Event, prefix: str = "") -> str:
    """Give the file name of an event's clip: when, and what; nothing in a rule's name can lead elsewhere."""
    clock = format_clock(alert_time(event)).replace(":", "-")
    return f"{prefix}{clock}-{slugify(event.label, 'alert')}.mp4"


def alert_spans(events: Iterable[Event], before: float, after: float) -> list[AlertSpan]:
    """Return the stretches to keep around events: one each, save where one follows at once upon another of its rule."""
    kept: list[AlertSpan] = []
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
            kept.append(span)
    return _apart(kept)


def _apart(kept: list[AlertSpan]) -> list[AlertSpan]:
    """Number names that are the same."""
    seen: dict[str, int] = {}
    for span in kept:
        seen[span.name] = count = seen.get(span.name, 0) + 1
        if count > 1:
            span.name = f"{span.name.removesuffix('.mp4')}-{count}.mp4"
    return kept


def cut_clips(
    path: str,
    events: Sequence[Event],
    folder: Path,
    reading: Mapping[str, Any] | None = None,
    before: float = CONTEXT_SECONDS,
    after: float = CONTEXT_SECONDS,
) -> list[Path]:
    """Write clips of a recording, each by a read of its own stretch.

    ``extra["clip"]`` of an event names its file, and ``extra["clip_at"]`` says how many seconds into it the event lies;
    a clip begins at 0.

    Args:
        path: of the recording.
        events: alerts.
        folder: where the clips go.
        reading: how it was read, as options of ``open_source``.
        before, after: seconds kept before and after an alert.

    Raises:
        SourceError, OutputError: the recording cannot be read again, or a clip cannot be written.
    """
    written = []
    for span in alert_spans(events, before, after):
        begin = _cut(path, span, folder / span.name, dict(reading or {}))
        if begin is not None:
            written.append(folder / span.name)
            for event in span.events:
                event.extra["clip"] = f"{folder.name}/{span.name}"
                event.extra["clip_at"] = round(max(0.0, alert_time(event) - begin), 3)
    return written


def _cut(path: str, span: AlertSpan, target: Path, reading: dict[str, Any]) -> float | None:
    """Write a stretch; return the time in seconds of its first frame, or None if there is none."""
    from kinoscope.source import open_source
    from kinoscope.source.encode.writer import Writer

    with open_source(path, **(reading | {"start": span.start, "end": span.end, "live": False})) as source:
        sound = path if source.info.has_audio and Path(path).is_file() else None
        frames = source.frames()
        first = next(frames, None)
        if first is None:
            return None
        with Writer(target, size=first.size, rate=source.info.rate, audio_from=sound, zero=first.time) as writer:
            writer.write(first)
            for frame in frames:
                writer.write(frame)
    return float(first.time)
