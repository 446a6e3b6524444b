"""How well the default settings agree with looking at every frame.

    python benchmarks/agreement.py VIDEO... [--tasks objects,faces] [--model CARD]

A track of the dense run is found if at least half of its boxes are met (same label, IoU 0.5 or more) by boxes of the
default run at the same frames. The dense run looks at every frame, changed or not, and searches all of it for faces.
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
from kinoscope.core.results import Timeline, Track
from kinoscope.pipeline import engine
from kinoscope.source import open_source
from kinoscope.tasks.faces import Faces
from kinoscope.tasks.objects import Objects

TASKS = {"objects": Objects, "faces": Faces}
DENSE: dict[str, dict[str, Any]] = {
    "objects": {"rate": None, "idle_rate": None, "static_levels": -1},
    "faces": {"rate": None, "static_levels": -1, "search_rate": None},
}
LONG = 1.0
"""Seconds from which a track is more than a glimpse."""

HEAD = (
    "video",
    "task",
    "looks",
    "CPU s",
    "tracks",
    "found",
    f"of {LONG:g} s or more",
    "boxes met",
    "not in dense",
)


def analyse(video: Path, task: str, options: dict[str, Any]) -> tuple[Timeline, float]:
    """Run one task on a thread; give what it found and the CPU seconds."""
    start = time.process_time()
    with open_source(str(video)) as source:
        timeline = engine.run(source, [TASKS[task](**options)], threaded=False)
    return timeline, time.process_time() - start


def met(tracks: list[Track], others: list[Track]) -> list[BoolArray]:
    """Tell of each box of each track whether a box of the others meets it."""
    there: dict[tuple[str, float], list[Float64Array]] = defaultdict(list)
    for other in others:
        for row in other.boxes:
            there[other.label, row[0]].append(row[1:5])
    return [
        np.array([_meets(row[1:5], there.get((track.label, row[0]), [])) for row in track.boxes]) for track in tracks
    ]


def _meets(box: Float64Array, others: list[Float64Array]) -> bool:
    return bool(others) and bool(iou(box[None], np.array(others)).max() >= 0.5)


def compare(video: Path, task: str, model: str) -> tuple[str, ...]:
    """Give a row of the table."""
    dense, dense_seconds = analyse(video, task, DENSE[task] | {"model": model})
    usual, usual_seconds = analyse(video, task, {"model": model})
    boxes, back = met(dense.tracks, usual.tracks), met(usual.tracks, dense.tracks)
    found = [bool(b.mean() >= 0.5) for b in boxes]
    longer = [f for f, track in zip(found, dense.tracks, strict=True) if track.end - track.start >= LONG]
    looks = "/".join(str(t.tasks[task].extra["inferences"]) for t in (usual, dense))
    share = f"{np.concatenate(boxes).mean():.3f}" if boxes else "-"
    extra = sum(bool(b.mean() < 0.5) for b in back)
    seconds, tracks = f"{usual_seconds:.1f}/{dense_seconds:.1f}", f"{len(back)}/{len(boxes)}"
    return video.name, task, looks, seconds, tracks, _share(found), _share(longer), share, str(extra)


def _share(found: list[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({np.mean(found):.2f})" if found else "0 of 0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--tasks", default="objects,faces")
    parser.add_argument("--model", default="auto", help="card of the detector (with --tasks objects)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("default / dense where two numbers stand\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for video in options.videos:
        for task in options.tasks.split(","):
            print(f"| {' | '.join(compare(video, task, options.model))} |", flush=True)


if __name__ == "__main__":
    main()
