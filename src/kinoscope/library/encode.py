"""Convert a timeline to rows of the tables of a library, a task at a time."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.results import PARTIAL_STATUSES, Event, Track

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline

Rows = dict[str, list[dict[str, Any]]]
"""Rows by the table that they belong to."""

TASK_FEATURES = {
    "scenes": ("scenes", "scenes.features"),
    "faces": ("faces", "faces.embeddings"),
    "appearance": ("appearance", "appearance.embeddings"),
}
"""Task -> vector space of its vectors, and their name in the timeline's features."""


def stored_tasks(timeline: Timeline) -> list[str]:
    """Return the tasks whose results can be stored: those that were not skipped and did not fail."""
    return [name for name, report in timeline.tasks.items() if report.status in ("ok", *PARTIAL_STATUSES)]


def encode_task(timeline: Timeline, task: str, run: int) -> Rows:
    """Return the rows of the results of a task.

    Args:
        timeline: with its features and images.
        task: one of :func:`stored_tasks`.
        run: the id that the rows refer to.
    """
    events, tracks = timeline.events(task), [track for track in timeline.tracks(task) if len(track.boxes)]
    rows: Rows = {
        "names": _name_rows(run, events, tracks),
        "events": [_event_row(run, number, event) for number, event in enumerate(events)],
        "tracks": [_track_row(run, track) for track in tracks],
        "speech": [
            _speech_row(run, number, event) for number, event in enumerate(events) if event.text and task == "speech"
        ],
        "images": _image_rows(run, task, timeline),
    }
    if task in TASK_FEATURES:
        space, name = TASK_FEATURES[task]
        rows[space] = _vector_rows(run, task, timeline, name)
    return rows


def rows_digest(rows: Rows) -> str:
    """Return sixteen hex digits that identify the content of rows, whatever their run."""
    digest = hashlib.sha256()
    for name in sorted(rows):
        for row in rows[name]:
            digest.update(repr([name, *((key, _hashable(row[key])) for key in sorted(row) if key != "run")]).encode())
    return digest.hexdigest()[:16]


def _hashable(value: Any) -> Any:
    return hashlib.sha256(value.tobytes()).hexdigest() if isinstance(value, np.ndarray) else value


def _name_rows(run: int, events: list[Event], tracks: list[Track]) -> list[dict[str, Any]]:
    """Return the searchable names, labels and identities, with the count of each."""
    counts = Counter([(event.label, "event") for event in events] + [(track.label, "track") for track in tracks])
    counts.update((name, "identity") for name in map(_identity, tracks) if name)
    return [{"run": run, "name": name, "kind": kind, "count": count} for (name, kind), count in counts.items()]


def _identity(track: Track) -> str | None:
    """Return the name of a track if it is known; ``person 1`` is a different person in each video."""
    return track.identity if "known_by" in track.extra else None


def _event_row(run: int, number: int, event: Event) -> dict[str, Any]:
    extra = json.dumps({key: value for key, value in event.extra.items() if key != "words"}, default=str)
    span = {"run": run, "number": number, "start": event.start, "end": event.end}
    fields = {"task": event.task, "label": event.label, "score": float(event.score)}
    return span | fields | {"text": event.text, "extra": extra}


def _track_row(run: int, track: Track) -> dict[str, Any]:
    span = {"run": run, "number": track.id, "start": track.start, "end": track.end}
    fields = {"task": track.task, "label": track.label, "identity": _identity(track), "score": float(track.score)}
    # Single precision counts from the track's start, so that its times stay exact to the microsecond.
    boxes = track.boxes - [track.start, 0, 0, 0, 0, 0]
    return span | fields | {"boxes": boxes.astype(np.float32).tobytes()}


def _speech_row(run: int, number: int, event: Event) -> dict[str, Any]:
    span = {"run": run, "number": number, "start": event.start, "end": event.end}
    return span | {"text": event.text, "score": float(event.score)}


def _vector_rows(run: int, task: str, timeline: Timeline, name: str) -> list[dict[str, Any]]:
    vectors = np.asarray(timeline.features.get(name, np.zeros((0, 0))), np.float32)
    report = timeline.tasks[task]
    model = str(report.extra.get("digest") or report.model)
    spans = _scene_spans(timeline) if task == "scenes" else _track_spans(timeline, task)
    return [
        {"run": run, "number": number, "start": start, "end": end, "model": model, "vector": vector}
        for (number, start, end), vector in zip(spans, vectors, strict=True)
        if np.isfinite(vector).all() and vector.any()
    ]


def _scene_spans(timeline: Timeline) -> list[tuple[int, float, float]]:
    """Return the index, start and end in seconds of each scene feature."""
    times: Float64Array = timeline.features.get("scenes.times", np.zeros(0))
    last = max([*times[-1:].tolist(), *timeline.times[-1:].tolist()], default=0.0)
    return [(n, a, b) for n, (a, b) in enumerate(zip(times.tolist(), [*times[1:].tolist(), last], strict=False))]


def _track_spans(timeline: Timeline, task: str) -> list[tuple[int, float, float]]:
    """Return the id, start and end in seconds of the track of each embedding."""
    tracks = {track.id: track for track in timeline.tracks("objects" if task == "appearance" else task)}
    return [(n, tracks[n].start, tracks[n].end) for n in timeline.features.get(f"{task}.tracks", np.zeros(0)).tolist()]


def _image_rows(run: int, task: str, timeline: Timeline) -> list[dict[str, Any]]:
    """Return the images of a task's events and tracks, with their times."""
    events, tracks = timeline.events(task), {track.id: track for track in timeline.tracks(task)}
    rows = []
    for name, jpeg in timeline.images.items():
        owner, _, number = name.rpartition("-")
        if owner != task or not number.isdigit():
            continue
        item = tracks.get(int(number)) or (events[int(number)] if int(number) < len(events) else None)
        if item is not None:
            span = {"run": run, "number": int(number), "start": item.start, "end": item.end}
            rows.append(span | {"name": name, "jpeg": jpeg})
    return rows
