"""Measure how often the interval of ``kinoscope detect`` contains the true number of people.

    python benchmarks/counts.py VIDEO... [--tud FOLDER] [--model CARD]

The videos' names select the true counts: people in one frame were counted by eye, at these seconds; a person of whom a
fifth or more is in the frame counts. ``--tud`` holds tud/NAME/gt.txt and sort_det/NAME.txt, as for tracking.py: there
the ground truth has the count of every frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tracking import RATE, SIZE, follow

from kinoscope import detect
from kinoscope.core.metrics.mot_io import read_mot
from kinoscope.core.results import Track
from kinoscope.core.trajectories import CountEstimate, estimate_counts
from kinoscope.tasks.options import ObjectsOptions

BY_EYE: dict[str, dict[float, int]] = {
    # OpenCV's sample of a square: people walk, stop and stand behind a sign; four traffic cones.
    "vtest": {
        2: 5, 6: 6, 10: 7, 14: 9, 18: 7, 22: 7, 26: 7, 30: 6, 34: 6, 38: 4,
        42: 3, 46: 4, 50: 4, 54: 6, 58: 6, 62: 6, 66: 8, 70: 9, 74: 9, 78: 8,
    },
    # The same square in another encoding, then two people who sit and talk, then an animation.
    "clip60": {8: 7, 20: 7, 32: 6, 38: 1, 48: 1, 52: 1, 56: 0},
    # People who arrive at a table one by one.
    "one-by-one-person-detection": {10: 1, 30: 1, 50: 0, 70: 0, 90: 0, 110: 1},
    # A film of a street, cut fast.
    "bikes": {5: 3, 9: 0},
}  # fmt: skip


def print_row(name: str, rows: list[tuple[int, CountEstimate]]) -> None:
    inside = sum(count.low <= true <= count.high for true, count in rows)
    exact = sum(count.count == true for true, count in rows)
    error = np.mean([count.count - true for true, count in rows])
    width = np.mean([count.high - count.low + 1 for _, count in rows])
    print(
        f"| {name} | {len(rows)} | {inside} ({inside / len(rows):.0%}) | {exact} | {error:+.2f} | {width:.1f} |",
        flush=True,
    )


def by_eye(video: Path, model: str) -> list[tuple[int, CountEstimate]]:
    """Return the true number and the estimate at each time."""
    found = detect(video, objects=ObjectsOptions(labels=("person",)), model=model, quiet=True)
    if found.timeline is None:
        raise SystemExit(str(found.error))
    true = BY_EYE[video.stem]
    size = int(found.timeline.source["width"]), int(found.timeline.source["height"])
    return list(zip(true.values(), estimate_counts(found.all_tracks, list(true), size), strict=True))


def tud(folder: Path, name: str, high: float) -> list[tuple[int, CountEstimate]]:
    """Return the true number and the estimate in each frame of a sequence, from tracks of its detections."""
    truth = read_mot(folder / "tud" / name / "gt.txt")
    last = int(truth.frames.max())
    tracklets = follow(read_mot(folder / "sort_det" / f"{name}.txt"), "buffered", high, 1, last)[1]
    times = np.arange(1, last + 1) / RATE
    tracks = [Track(t.id, "objects", "person", t.score, t.interpolate(times, SIZE)) for t in tracklets]
    true_counts = [int(((truth.frames == n) & (truth.scores == 1)).sum()) for n in range(1, last + 1)]
    return list(zip(true_counts, estimate_counts(tracks, times, SIZE), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--tud", type=Path)
    parser.add_argument("--model", default="auto")
    options = parser.parse_args()
    print(
        "| scene | counts | in the interval | exact | mean error | numbers in the interval |\n|---|---|---|---|---|---|"
    )
    rows = {video.stem: by_eye(video, options.model) for video in options.videos}
    for name, counts in rows.items():
        print_row(name, counts)
    if rows:
        print_row("all by eye", [row for counts in rows.values() for row in counts])
    for name in ("TUD-Campus", "TUD-Stadtmitte") if options.tud else ():
        for high in (0.6, 0.7):
            print_row(f"{name}, tracks started at {high}", tud(options.tud, name, high))


if __name__ == "__main__":
    main()
