"""Tracks as MOTChallenge text (https://motchallenge.net): a file for each task that has tracks, and ``seqinfo.ini``.

A line is ``frame,id,x,y,w,h,score,-1,-1,-1``. Frames count from 1 in presentation order: the number is that of the
decoded frame nearest to the time of the box or, if the times of the frames are unknown, the time since the source's
start in frames of its average rate. x and y are the left and top edges in pixels from 0, as in a Timeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kinoscope.core.files import atomic_write
from kinoscope.core.results import Track
from kinoscope.views.formats.clock import duration, frame_numbers, rate, video_name
from kinoscope.views.formats.plain import one_line
from kinoscope.views.timeline import Timeline


def write(timeline: Timeline, folder: Path) -> None:
    """Write ``<task>.txt`` for each task with tracks, ``objects.txt`` if there are none, and ``seqinfo.ini``."""
    for task in sorted({track.task for track in timeline.all_tracks}) or ["objects"]:
        with atomic_write(folder / f"{task}.txt") as temporary, temporary.open("w", newline="\n") as file:
            file.writelines(lines(timeline, timeline.tracks(task)))
    with atomic_write(folder / "seqinfo.ini") as temporary:
        temporary.write_text(_sequence_info(timeline), encoding="utf-8", newline="\n")


def lines(timeline: Timeline, tracks: list[Track]) -> Iterator[str]:
    """Yield the lines of ``tracks``, frame by frame."""
    boxes = np.concatenate([track.boxes for track in tracks] or [np.zeros((0, 6))])
    ids = np.repeat([track.id for track in tracks], [len(track.boxes) for track in tracks]).astype(np.int64)
    frames = frame_numbers(timeline, boxes[:, 0])
    for i in np.lexsort((ids, frames)).tolist():
        x1, y1, x2, y2, score = boxes[i, 1:].tolist()
        yield f"{frames[i]},{ids[i]},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1\n"


def _sequence_info(timeline: Timeline) -> str:
    frame_rate = rate(timeline)
    length = len(timeline.times) or round(duration(timeline) * (frame_rate or 25))
    entries = {
        "name": one_line(video_name(timeline)),
        "frameRate": f"{float(frame_rate or 25):g}",
        "seqLength": length,
        "imWidth": timeline.source.get("width", 0),
        "imHeight": timeline.source.get("height", 0),
    }
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in entries.items())
