"""Tracks as COCO JSON for video: one video, its frames as images, tracks, and one annotation per box.

The keys of COCO (https://cocodataset.org/#format-data) are extended by those of TAO: ``videos``, ``tracks`` and
``track_id``. Images are the decoded frames, or the frames that have boxes if the times of the frames are unknown.
Categories are the labels; their ``supercategory`` is the task. Boxes are ``[x, y, width, height]`` in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.files import atomic_write
from kinoscope.core.results import Track
from kinoscope.views.formats.clock import frame_numbers, video_name
from kinoscope.views.formats.plain import dumps
from kinoscope.views.timeline import Timeline

_VIDEO_ID = 1


def coco(timeline: Timeline) -> dict[str, Any]:
    """Return the tracks as a COCO dict."""
    kinds = sorted({(track.task, track.label) for track in timeline.all_tracks})
    category = {kind: number for number, kind in enumerate(kinds, 1)}
    size = {"width": timeline.source.get("width", 0), "height": timeline.source.get("height", 0)}
    name = video_name(timeline)
    return {
        "info": {"description": name, "version": timeline.version},
        "licenses": [],
        "videos": [{"id": _VIDEO_ID, "name": name, **size}],
        "images": list(_images(timeline, name, size)),
        "categories": [{"id": n, "name": label, "supercategory": task} for (task, label), n in category.items()],
        "tracks": [_track(t, n, category[t.task, t.label]) for n, t in enumerate(timeline.all_tracks, 1)],
        "annotations": list(_annotations(timeline, category)),
    }


def write(timeline: Timeline, path: Path) -> None:
    """Write the tracks as COCO JSON."""
    with atomic_write(path) as temporary:
        temporary.write_text(dumps(coco(timeline)), encoding="utf-8")


def _images(timeline: Timeline, name: str, size: dict[str, Any]) -> Iterator[dict[str, Any]]:
    times = timeline.times
    if not len(times):
        times = np.unique(np.concatenate([np.zeros(0), *(track.boxes[:, 0] for track in timeline.all_tracks)]))
    numbers = frame_numbers(timeline, times)
    first = np.unique(numbers, return_index=True)[1]
    for number, time in zip(numbers[first].tolist(), times[first].tolist(), strict=True):
        file = f"{name}/{number:06d}.jpg"
        stamp = {"video_id": _VIDEO_ID, "frame_index": number - 1, "time": round(time, 6)}
        yield {"id": number, "file_name": file, **size, **stamp}


def _track(track: Track, number: int, category: int) -> dict[str, Any]:
    """Return the entry of a track: ``number`` is its id in this file, ``of_task`` its id within its task."""
    ids = {"id": number, "category_id": category, "video_id": _VIDEO_ID}
    return ids | {"of_task": track.id, "identity": track.identity, "score": round(float(track.score), 4)}


def _annotations(timeline: Timeline, category: dict[tuple[str, str], int]) -> Iterator[dict[str, Any]]:
    number = 0
    for track_id, track in enumerate(timeline.all_tracks, 1):
        kind = category[track.task, track.label]
        images = frame_numbers(timeline, track.boxes[:, 0]).tolist()
        for image, (_, x1, y1, x2, y2, score) in zip(images, track.boxes.tolist(), strict=True):
            number += 1
            ids = {"id": number, "image_id": image, "category_id": kind, "track_id": track_id, "video_id": _VIDEO_ID}
            width, height = round(x2 - x1, 2), round(y2 - y1, 2)
            box = {"bbox": [round(x1, 2), round(y1, 2), width, height], "area": round(width * height, 2)}
            yield ids | box | {"iscrowd": 0, "score": round(score, 4)}
