"""Compare the default settings with inference on every frame.

    python benchmarks/agreement.py VIDEO... [--tasks objects,faces] [--model CARD]

A track of the dense run is found if at least half of its boxes are matched (same label, IoU 0.5 or more) by boxes of
the default run in the same frames. The dense run infers on every frame, changed or not, and searches all of it for
faces.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kinoscope.core.arrays import BoolArray, Float64Array
from kinoscope.core.boxes import iou
from kinoscope.core.results import Track
from kinoscope.pipeline import engine
from kinoscope.source import open_source
from kinoscope.tasks.faces import Faces
from kinoscope.tasks.objects import Objects
from kinoscope.views.timeline import Timeline

TASKS = {"objects": Objects, "faces": Faces}
DENSE: dict[str, dict[str, Any]] = {
    "objects": {"rate": None, "idle_rate": None, "static_levels": -1},
    "faces": {"rate": None, "static_levels": -1, "search_rate": None},
}
MIN_LONG_TRACK_SECONDS = 1.0

COLUMNS = (
    "video",
    "task",
    "inferences",
    "CPU s",
    "tracks",
    "found",
    f"of {MIN_LONG_TRACK_SECONDS:g} s or more",
    "boxes matched",
    "not in dense",
)


def analyze(video: Path, task: str, options: dict[str, Any]) -> tuple[Timeline, float]:
    """Run one task in this thread, and return its timeline and the CPU seconds."""
    start = time.process_time()
    with open_source(str(video)) as source:
        timeline = engine.run(source, [TASKS[task](**options)], threaded=False)
    return timeline, time.process_time() - start


def match_boxes(tracks: list[Track], others: list[Track]) -> list[BoolArray]:
    """Return for each track whether each of its boxes is matched by a box of the others."""
    by_frame: dict[tuple[str, float], list[Float64Array]] = defaultdict(list)
    for other in others:
        for row in other.boxes:
            by_frame[other.label, row[0]].append(row[1:5])
    return [
        np.array([_matches(row[1:5], by_frame.get((track.label, row[0]), [])) for row in track.boxes])
        for track in tracks
    ]


def _matches(box: Float64Array, others: list[Float64Array]) -> bool:
    return bool(others) and bool(iou(box[None], np.array(others)).max() >= 0.5)


def compare(video: Path, task: str, model: str) -> tuple[str, ...]:
    """Return a row of the table."""
    dense, dense_seconds = analyze(video, task, DENSE[task] | {"model": model})
    default, default_seconds = analyze(video, task, {"model": model})
    matched, matched_back = (
        match_boxes(dense.all_tracks, default.all_tracks),
        match_boxes(default.all_tracks, dense.all_tracks),
    )
    found = [bool(boxes.mean() >= 0.5) for boxes in matched]
    long = [
        is_found
        for is_found, track in zip(found, dense.all_tracks, strict=True)
        if track.end - track.start >= MIN_LONG_TRACK_SECONDS
    ]
    inferences = "/".join(str(timeline.tasks[task].extra["inferences"]) for timeline in (default, dense))
    share = f"{np.concatenate(matched).mean():.3f}" if matched else "-"
    extra = sum(bool(boxes.mean() < 0.5) for boxes in matched_back)
    seconds, tracks = f"{default_seconds:.1f}/{dense_seconds:.1f}", f"{len(matched_back)}/{len(matched)}"
    return video.name, task, inferences, seconds, tracks, _share(found), _share(long), share, str(extra)


def _share(found: list[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({np.mean(found):.2f})" if found else "0 of 0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--tasks", default="objects,faces")
    parser.add_argument("--model", default="auto", help="card of the detector (with --tasks objects)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("two numbers are default / dense\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for video in options.videos:
        for task in options.tasks.split(","):
            print(f"| {' | '.join(compare(video, task, options.model))} |", flush=True)


if __name__ == "__main__":
    main()
