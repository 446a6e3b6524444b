"""Short videos around alerts: their seconds before and after, one for alerts that follow upon each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinoscope.core.names import slug
from kinoscope.core.results import Event
from kinoscope.core.time import format_clock

LONGEST = 60.0
"""Seconds of a clip, at most."""

AROUND = 3.0
"""Seconds kept before and after an alert, where nobody asks for others."""


@dataclass(slots=True)
class Span:
    """A stretch of video to keep, in seconds, its file, and the alerts that are in it."""

    start: float
    end: float
    name: str
    events: list[Event] = field(default_factory=list)


def told(event: Event) -> float:
    """Give when the rule of an event was met, in seconds."""
    return float(event.extra.get("at", event.start))


def name_of(event: Event, prefix: str = "") -> str:
    """Give the file name of an event's clip: when, and what; nothing in a rule's name can lead elsewhere."""
    clock = format_clock(told(event)).replace(":", "-")
    return f"{prefix}{clock}-{slug(event.label, 'alert')}.mp4"


def spans(events: Iterable[Event], before: float, after: float) -> list[Span]:
    """Give the stretches to keep around events; those that meet are one, up to ``LONGEST`` seconds."""
    kept: list[Span] = []
    for event in sorted(events, key=told):
        start, end = told(event) - before, told(event) + after
        if kept and start <= kept[-1].end and end - kept[-1].start <= LONGEST:
            kept[-1].end = end
            kept[-1].events.append(event)
        else:
            kept.append(Span(start, end, name_of(event), [event]))
    return _apart(kept)


def _apart(kept: list[Span]) -> list[Span]:
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
    before: float = AROUND,
    after: float = AROUND,
) -> list[Path]:
    """Write clips of a recording, each by a read of its own stretch; ``extra["clip"]`` of its events names the file.

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
    for span in spans(events, before, after):
        if _cut(path, span, folder / span.name, dict(reading or {})):
            written.append(folder / span.name)
            for event in span.events:
                event.extra["clip"] = f"{folder.name}/{span.name}"
    return written


def _cut(path: str, span: Span, target: Path, reading: dict[str, Any]) -> bool:
    from kinoscope.source import open_source
    from kinoscope.source.writer import Writer

    with open_source(path, **(reading | {"start": span.start, "end": span.end, "live": False})) as source:
        sound = path if source.info.has_sound and Path(path).is_file() else None
        frames = source.frames()
        first = next(frames, None)
        if first is None:
            return False
        with Writer(target, size=first.size, rate=source.info.rate, sound_from=sound, zero=first.time) as writer:
            writer.write(first)
            for frame in frames:
                writer.write(frame)
    return True
