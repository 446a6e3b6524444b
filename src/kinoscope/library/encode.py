"""What a timeline becomes in the tables of a library: rows, a task at a time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.results import PARTIAL_STATUSES, Event, Timeline, Track

Rows = dict[str, list[dict[str, Any]]]
"""Rows by the table that they belong to."""

TASK_FEATURES = {
    "scenes": ("scenes", "scenes.features"),
    "faces": ("faces", "faces.embeddings"),
    "appearance": ("looks", "appearance.embeddings"),
}
"""Space, and name in the timeline's features, of the vectors of a task."""


def stored_tasks(timeline: Timeline) -> list[str]:
    """Give the tasks whose findings can be kept: those that were not skipped and did not fail."""
    return [name for name, report in timeline.tasks.items() if report.status in ("ok", *PARTIAL_STATUSES)]


def encode_task(timeline: Timeline, task: str, take: int) -> Rows:
    """Give the rows of what a task found.

    Args:
        timeline: with its features and pictures.
        task: one of :func:`tasks_of`.
        take: the number that the rows are to be known by.
    """
    events, tracks = timeline.events_of(task), [track for track in timeline.tracks_of(task) if len(track.boxes)]
    rows: Rows = {
        "names": _name_rows(take, events, tracks),
        "events": [_event_row(take, number, event) for number, event in enumerate(events)],
        "tracks": [_track_row(take, track) for track in tracks],
        "speech": [
            _speech_row(take, number, event) for number, event in enumerate(events) if event.text and task == "speech"
        ],
        "images": _image_rows(take, task, timeline),
    }
    if task in TASK_FEATURES:
        space, name = TASK_FEATURES[task]
        rows[space] = _vector_rows(take, task, timeline, name)
    return rows


def rows_digest(rows: Rows) -> str:
    """Give sixteen hex digits that stand for the content of rows, whatever their take."""
    total = hashlib.sha256()
    for name in sorted(rows):
        for row in rows[name]:
            total.update(repr([name, *((key, _plain(row[key])) for key in sorted(row) if key != "take")]).encode())
    return total.hexdigest()[:16]


def _plain(value: Any) -> Any:
    return hashlib.sha256(value.tobytes()).hexdigest() if isinstance(value, np.ndarray) else value


def _name_rows(take: int, events: list[Event], tracks: list[Track]) -> list[dict[str, Any]]:
    """Give what can be asked for: labels, and names of those who were recognised or told apart."""
    found = Counter([(event.label, "event") for event in events] + [(track.label, "track") for track in tracks])
    found.update((who, "identity") for who in map(_identity, tracks) if who)
    return [{"take": take, "name": name, "kind": kind, "count": count} for (name, kind), count in found.items()]


def _identity(track: Track) -> str | None:
    """Give who a track is, if that is known by name; ``person 1`` is another in each video."""
    return track.identity if "known_by" in track.extra else None


def _event_row(take: int, number: int, event: Event) -> dict[str, Any]:
    extra = json.dumps({key: value for key, value in event.extra.items() if key != "words"}, default=str)
    span = {"take": take, "number": number, "start": event.start, "end": event.end}
    told = {"task": event.task, "label": event.label, "score": float(event.score)}
    return span | told | {"text": event.text, "extra": extra}


def _track_row(take: int, track: Track) -> dict[str, Any]:
    span = {"take": take, "number": track.id, "start": track.start, "end": track.end}
    told = {"task": track.task, "label": track.label, "identity": _identity(track), "score": float(track.score)}
    # Single precision counts from the track's start, so that its times stay exact to the microsecond.
    boxes = track.boxes - [track.start, 0, 0, 0, 0, 0]
    return span | told | {"boxes": boxes.astype(np.float32).tobytes()}


def _speech_row(take: int, number: int, event: Event) -> dict[str, Any]:
    span = {"take": take, "number": number, "start": event.start, "end": event.end}
    return span | {"text": event.text, "score": float(event.score)}


def _vector_rows(take: int, task: str, timeline: Timeline, name: str) -> list[dict[str, Any]]:
    vectors = np.asarray(timeline.features.get(name, np.zeros((0, 0))), np.float32)
    report = timeline.tasks[task]
    model = str(report.extra.get("digest") or report.model)
    spans = _scene_spans(timeline) if task == "scenes" else _track_spans(timeline, task)
    return [
        {"take": take, "number": number, "start": start, "end": end, "model": model, "vector": vector}
        for (number, start, end), vector in zip(spans, vectors, strict=True)
        if np.isfinite(vector).all() and vector.any()
    ]


def _scene_spans(timeline: Timeline) -> list[tuple[int, float, float]]:
    """Give the stretch of time that each scene feature stands for."""
    times: Float64Array = timeline.features.get("scenes.times", np.zeros(0))
    last = max([*times[-1:].tolist(), *timeline.times[-1:].tolist()], default=0.0)
    return [(n, a, b) for n, (a, b) in enumerate(zip(times.tolist(), [*times[1:].tolist(), last], strict=False))]


def _track_spans(timeline: Timeline, task: str) -> list[tuple[int, float, float]]:
    """Give the track that each embedding is of."""
    of = {track.id: track for track in timeline.tracks_of("objects" if task == "appearance" else task)}
    return [(n, of[n].start, of[n].end) for n in timeline.features.get(f"{task}.tracks", np.zeros(0)).tolist()]


def _image_rows(take: int, task: str, timeline: Timeline) -> list[dict[str, Any]]:
    """Give the pictures of a task's events and tracks, and when they were seen."""
    events, tracks = timeline.events_of(task), {track.id: track for track in timeline.tracks_of(task)}
    rows = []
    for name, jpeg in timeline.images.items():
        owner, _, number = name.rpartition("-")
        if owner != task or not number.isdigit():
            continue
        seen = tracks.get(int(number)) or (events[int(number)] if int(number) < len(events) else None)
        if seen is not None:
            span = {"take": take, "number": int(number), "start": seen.start, "end": seen.end}
            rows.append(span | {"name": name, "jpeg": jpeg})
    return rows
