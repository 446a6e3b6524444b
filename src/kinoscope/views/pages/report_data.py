"""Data of the report page: a Timeline as compact JSON values, with times of a player that starts at 0."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from kinoscope.core.results import Event, Track
from kinoscope.views.console import sync
from kinoscope.views.pages.simplify import simplify_boxes
from kinoscope.views.pages.sync_curves import sync_columns
from kinoscope.views.timeline import Timeline

MAX_BOX_ERROR = 1.0
"""Pixels by which a box drawn in the report may deviate from the detected one."""

_BOX_RESOLUTION = 0.1
"""Pixels to which the coordinates of boxes are rounded."""


def report_data(timeline: Timeline, video: str | None) -> dict[str, Any]:
    """Return the data of the page as JSON values; times in seconds of the player."""
    start = _number(timeline.source.get("start", 0))
    return {
        "version": timeline.version,
        "name": display_name(timeline.source),
        "video": None if video is None else video_url(video),
        "source": _to_json({key: value for key, value in timeline.source.items() if key != "path"}),
        "duration": _duration(timeline, start),
        "decode": _to_json(timeline.decode.to_dict()),
        "tasks": {name: _to_json(report.to_dict()) for name, report in timeline.tasks.items()},
        "events": [_event(event, start) for event in timeline.all_events],
        "tracks": [_track(track, start) for track in timeline.all_tracks if len(track.boxes)],
        "curve": _curve(timeline, start),
        "sync": _sync(timeline, start),
        "images": {name: base64.b64encode(data).decode() for name, data in timeline.images.items()},
    }


def display_name(source: dict[str, Any]) -> str:
    """Return the last part of the source's path, or the host of a URL without one: never a folder or a password."""
    path = str(source.get("path") or "video")
    if "://" in path:
        url = urlsplit(path)
        return url.path.rstrip("/").rpartition("/")[2] or url.hostname or "stream"
    return (Path(path).name or path).encode(errors="replace").decode()


def video_url(video: str) -> str:
    """Quote a relative path so that a browser interprets no part of it as a scheme, a query or a fragment."""
    return video if re.match(r"https?://", video) else quote(video.replace(os.sep, "/"), errors="surrogateescape")


def _track(track: Track, start: float) -> dict[str, Any]:
    """Return a track with simplified boxes: ``times`` in ms as differences, ``boxes`` in tenths of a pixel."""
    boxes = np.nan_to_num(track.boxes, posinf=0, neginf=0)
    boxes = boxes[simplify_boxes(boxes, MAX_BOX_ERROR - _BOX_RESOLUTION)]
    stamps = np.rint((boxes[:, 0] - start) * 1000).astype(np.int64)
    return {
        "id": track.id,
        "task": track.task,
        "label": track.label,
        "identity": track.identity,
        "score": _number(track.score),
        "times": np.diff(stamps, prepend=0).tolist(),
        "boxes": np.rint(boxes[:, 1:5] / _BOX_RESOLUTION).astype(np.int64).ravel().tolist(),
    }


def _event(event: Event, start: float) -> dict[str, Any]:
    """Return an event; of ``extra`` the page shows the words of speech, the top labels of a scene, and the speaker."""
    plain: dict[str, Any] = {"task": event.task, "label": event.label, "score": _number(event.score)}
    plain |= {"start": _number(event.start - start), "end": _number(event.end - start), "text": event.text}
    if event.text is None and (reason := event.extra.get("reason")):
        plain["reason"] = str(reason)
    if words := event.extra.get("words"):
        plain["words"] = [[_number(first - start), _number(last - start), str(word)] for first, last, word, *_ in words]
    if top := event.extra.get("top"):
        plain["top"] = [[str(label), _number(score)] for label, score, *_ in top]
    if event.task == "sync" and event.label == "speaking":
        speaker = sync.speaker_name({"identity": event.text} | event.extra)
        plain |= {"speaker": speaker, "track": event.extra.get("track")}
    return plain


def _curve(timeline: Timeline, start: float) -> list[list[float]] | None:
    """Return the action score over time as pairs of time and score, or None."""
    times, scores = (timeline.features.get(f"actions.{name}") for name in ("times", "scores"))
    if times is None or scores is None or not len(times):
        return None
    values = np.asarray(scores, np.float64).reshape(len(times), -1)[:, -1]
    return [[_number(t - start), _number(v)] for t, v in zip(times.tolist(), values.tolist(), strict=True)]


def _sync(timeline: Timeline, start: float) -> dict[str, Any] | None:
    """Return the synchronization over time, or None: ``curves`` are bytes (N, L), ``offsets`` ms, the rest seconds."""
    columns = sync_columns(timeline)
    if columns is None:
        return None
    # Every second lag matches the resolution of the page.
    curves, lags = np.rint(columns.curves[:, ::2] * 255).astype(np.uint8), columns.lags[::2]
    return {
        "verdicts": [_verdict(row, start) for row in sync.offset_rows(timeline)],
        "reason": sync.unmeasurable_reason(timeline),
        "speakers": [[s.name, _number(s.seconds)] for s in sync.speakers(sync.speaking_rows(timeline))],
        "times": [_number(time - start) for time in columns.times],
        "width": _number(columns.width),
        "offsets": np.rint(columns.offsets * 1000).astype(int).tolist(),
        "confidences": np.round(columns.confidences, 2).tolist(),
        "lags": [_number(lags[0]), _number(lags[-1]), len(lags)],
        "curves": base64.b64encode(curves.tobytes()).decode(),
    }


def _verdict(row: dict[str, Any], start: float) -> dict[str, Any]:
    """Return the text of an offset, and the line to draw: from one offset to another, with the interval around it."""
    line = {"from": row.get("at_start", row["offset"]), "to": row.get("at_end", row["offset"])}
    line |= {"below": row["offset"] - row["low"], "above": row["high"] - row["offset"]}
    line |= {"start": row["start"] - start, "end": row["end"] - start}
    texts = {"text": row["text"], "detail": sync.detail(row)}
    return texts | {key: _number(value) for key, value in line.items()}


def _duration(timeline: Timeline, start: float) -> float:
    ends = [e.end for e in timeline.all_events] + [t.end for t in timeline.all_tracks if len(t.boxes)]
    declared = _number(timeline.source.get("duration") or 0)
    return max([declared, *(_number(end - start) for end in ends)])


def _number(value: Any) -> float:
    """Return a number for JSON: rounded to 1/1000, and 0 if it is not finite."""
    return round(float(value), 3) if np.isfinite(float(value)) else 0.0


def _to_json(value: Any) -> Any:
    """Return the JSON form of a value: other types as text, None for numbers that are not finite."""
    return json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
