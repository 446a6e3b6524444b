"""Events as ActivityNet detection results (http://activity-net.org): labelled segments of a video.

Segments are ``[start, end]`` in seconds from the source's start. Shots and speech are excluded: their labels are not
classes. The key ``task`` beside label, score and segment is an extension.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.core.results import Event
from kinoscope.views.formats.clock import origin, video_name
from kinoscope.views.formats.plain import dumps
from kinoscope.views.timeline import Timeline

EXCLUDED_TASKS = frozenset(("shots", "speech"))


def activitynet(timeline: Timeline) -> dict[str, Any]:
    """Return the events as an ActivityNet results dict."""
    zero = origin(timeline)
    models = [f"{name}: {report.model}" for name, report in timeline.tasks.items() if report.model]
    segments = [_segment(event, zero) for event in timeline.all_events if event.task not in EXCLUDED_TASKS]
    return {
        "version": "VERSION 1.3",
        "results": {video_name(timeline): segments},
        "external_data": {"used": True, "details": ", ".join(models)},
    }


def write(timeline: Timeline, path: Path) -> None:
    """Write the events as ActivityNet JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(dumps(activitynet(timeline)), encoding="utf-8")


def _segment(event: Event, zero: float) -> dict[str, Any]:
    segment = [round(event.start - zero, 3), round(event.end - zero, 3)]
    return {"label": event.label, "score": round(float(event.score), 4), "segment": segment, "task": event.task}
