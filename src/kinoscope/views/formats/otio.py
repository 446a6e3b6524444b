"""Shots and events as an OpenTimelineIO timeline for video editors (https://opentimeline.io).

Shots become clips on a video track, with gaps between them; all other events become markers on that track. Times
count from the source's start in frames of its rate, or in milliseconds if that is unknown, so that shots meet without
overlap at the nearest frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.core.optional import require_extra
from kinoscope.core.results import Event
from kinoscope.views.formats.clock import duration, origin, rate, video_name
from kinoscope.views.formats.plain import file_url, one_line
from kinoscope.views.timeline import Timeline

_COLOURS = {"scenes": "GREEN", "actions": "RED", "speech": "CYAN"}


def write(timeline: Timeline, path: Path) -> None:
    """Write the shots and events as ``.otio``.

    Raises:
        MissingExtra: OpenTimelineIO is not installed.
    """
    text = _TimelineBuilder(timeline).timeline().to_json_string()
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class _TimelineBuilder:
    """Builder of one OTIO timeline: holds the library, the time origin and the rate that its parts need."""

    def __init__(self, timeline: Timeline) -> None:
        self.otio = require_extra("opentimelineio", "export")
        self.results = timeline
        self.zero = origin(timeline)
        self.rate = rate(timeline) or 1000

    def timeline(self) -> Any:
        schema = self.otio.schema
        timeline = schema.Timeline(name=one_line(video_name(self.results)))
        track = schema.Track(name="shots", kind=schema.TrackKind.Video)
        timeline.tracks.append(track)
        end = self.zero + duration(self.results)
        shots = self.results.events("shots") or [Event("shots", self.zero, end, "shot")]
        position = 0
        for number, shot in enumerate(shots, 1):
            first, last = max(position, self._frame(shot.start)), self._frame(shot.end)
            if first > position:
                track.append(schema.Gap(source_range=self._range(0, first - position)))
            if last > first:
                track.append(self._clip(f"shot {number}", first, last, shot))
            position = max(position, last)
        track.markers.extend(self._marker(event) for event in self.results.all_events if event.task != "shots")
        return timeline

    def _frame(self, time: float) -> int:
        return max(0, round((time - self.zero) * self.rate))

    def _range(self, first: int, last: int) -> Any:
        opentime = self.otio.opentime
        begin, length = (opentime.RationalTime(frames, float(self.rate)) for frames in (first, last - first))
        return opentime.TimeRange(begin, length)

    def _clip(self, name: str, first: int, last: int, shot: Event) -> Any:
        whole = self._range(0, max(last, self._frame(self.zero + duration(self.results))))
        url = file_url(str(self.results.source.get("path", "")))
        media = self.otio.schema.ExternalReference(target_url=url, available_range=whole)
        return self.otio.schema.Clip(name, media, self._range(first, last), metadata=self._metadata(shot))

    def _marker(self, event: Event) -> Any:
        return self.otio.schema.Marker(
            name=one_line(event.text or event.label),
            marked_range=self._range(self._frame(event.start), self._frame(event.end)),
            color=_COLOURS.get(event.task, "PURPLE"),
            metadata=self._metadata(event),
        )

    def _metadata(self, event: Event) -> dict[str, Any]:
        return {"kinoscope": {"task": event.task, "label": one_line(event.label), "score": float(event.score)}}
