"""Evaluate trackers on MOTChallenge detections: HOTA, MOTA and IDF1, beside other trackers on the same detections.

    python benchmarks/tracking.py --data FOLDER [--results FOLDER] [--rates 25,12.5,5] [--high 0.7] [--best]

FOLDER holds tud/NAME/gt.txt, ground truth, and sort_det/NAME.txt, detections (those of the SORT tracker's repository).
``--results`` holds TRACKER/NAME.txt, as tracking_peers.py writes it. "online": detections with the ids that the tracker
assigned at once. "interpolated": each track smoothed and interpolated through its gaps, as in a Timeline; results of
others are interpolated by the same smoother. The sequences are scored as one; all rows of ground truth whose confidence
is 1 count. ``--rates`` tracks fewer frames a second; interpolated tracks are still scored at every frame.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import scipy.interpolate
import scipy.optimize  # noqa: F401  imported before anything is timed

from kinoscope.core.metrics.mot import evaluate_mot
from kinoscope.core.metrics.mot_io import MotRows, concatenate_sequences, drop_ignored, read_mot
from kinoscope.tasks.tracking.association import STRATEGIES
from kinoscope.tasks.tracking.tracker import Tracker, Tracklet

RATE, SIZE = 25, (640, 480)

Pairs = list[tuple[MotRows, MotRows]]


def follow(detections: MotRows, strategy: str, high: float, step: int, last: int) -> tuple[MotRows, list[Tracklet]]:
    """Track detections; return them with the ids that were assigned at once, and the tracks.

    Args:
        detections: of a sequence.
        strategy: name of the association strategy.
        high: score from which a track is started.
        step: frames from one update to the next.
        last: number of the last frame.
    """
    tracker, ids = Tracker(high_score=high, strategy=STRATEGIES[strategy]), np.full(len(detections), -1)
    for frame in range(1, last + 1, step):
        rows = np.flatnonzero(detections.frames == frame)
        ids[rows] = tracker.update(frame / RATE, detections.boxes[rows], detections.scores[rows])
    found = MotRows(detections.frames, ids, detections.boxes, detections.scores)
    return found.where(ids >= 0), [track for track in tracker.finish() if len(track) >= 3]


def tracklets(rows: MotRows) -> list[Tracklet]:
    """Convert results to tracks."""
    tracks = []
    for number in np.unique(rows.ids).tolist():
        track_rows = rows.where(rows.ids == number)
        tracks.append(Tracklet(number))
        for n in np.argsort(track_rows.frames).tolist():
            tracks[-1].add(track_rows.frames[n] / RATE, track_rows.boxes[n], float(track_rows.scores[n]), 0)
    return tracks


def interpolate(tracks: list[Tracklet], last: int) -> MotRows:
    times = np.arange(1, last + 1) / RATE
    parts = [track.interpolate(times, SIZE) for track in tracks]
    boxes = np.concatenate([np.zeros((0, 6)), *parts])
    ids = np.repeat([track.id for track in tracks], [len(part) for part in parts])
    return MotRows(np.round(boxes[:, 0] * RATE), ids, boxes[:, 1:5], boxes[:, 5])


def print_row(name: str, pairs: Pairs, note: str = "") -> None:
    scores = evaluate_mot(*concatenate_sequences([drop_ignored(*pair) for pair in pairs])).to_dict()
    shares = " | ".join(f"{100 * scores[key]:.1f}" for key in ("hota", "deta", "assa", "mota", "idf1"))
    print(f"| {name} | {shares} | {scores['idsw']} | {scores['fp']} | {scores['fn']} | {note} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--rates", type=lambda text: [float(n) for n in text.split(",")], default=[25, 12.5, 5])
    parser.add_argument("--high", type=float, default=0.7)
    parser.add_argument(
        "--best", action="store_true", help="only the run with the highest HOTA of each tracker in --results"
    )
    options = parser.parse_args()
    names = sorted(path.stem for path in (options.data / "sort_det").glob("*.txt"))
    truth = [read_mot(options.data / "tud" / name / "gt.txt") for name in names]
    found = [read_mot(options.data / "sort_det" / f"{name}.txt") for name in names]
    lasts = [int(rows.frames.max()) for rows in truth]
    print("| tracker | HOTA | DetA | AssA | MOTA | IDF1 | ID switches | FP | FN | ms a frame |\n" + "|---" * 10 + "|")
    for folder in chosen(options, names, truth):
        rows = [read_mot(folder / f"{name}.txt") for name in names]
        print_row(f"{folder.name}, online", list(zip(truth, rows, strict=True)))
        lines = [interpolate([t for t in tracklets(r) if len(t) >= 3], n) for r, n in zip(rows, lasts, strict=True)]
        print_row(f"{folder.name}, interpolated", list(zip(truth, lines, strict=True)))
    for rate in options.rates:
        step = round(RATE / rate)
        for strategy in STRATEGIES:
            begin = time.process_time()
            done = [follow(rows, strategy, options.high, step, last) for rows, last in zip(found, lasts, strict=True)]
            cost = f"{1000 * (time.process_time() - begin) / sum(len(range(0, n, step)) for n in lasts):.1f}"
            if step == 1:
                print_row(
                    f"ours: {strategy}, online",
                    [(t, at_once) for t, (at_once, _) in zip(truth, done, strict=True)],
                    cost,
                )
            lines = [interpolate(tracks, last) for (_, tracks), last in zip(done, lasts, strict=True)]
            print_row(
                f"ours: {strategy}, interpolated, {rate:g} frames a second", list(zip(truth, lines, strict=True)), cost
            )


def chosen(options: argparse.Namespace, names: list[str], truth: list[MotRows]) -> list[Path]:
    """Return the folders of results to print."""
    if options.results is None:
        return []
    folders = sorted(path for path in options.results.iterdir() if path.is_dir())
    if not options.best:
        return folders
    best: dict[str, tuple[float, Path]] = {}
    for folder in folders:
        pairs = [drop_ignored(t, read_mot(folder / f"{name}.txt")) for t, name in zip(truth, names, strict=True)]
        hota = evaluate_mot(*concatenate_sequences(pairs)).hota.mean()["hota"]
        tracker = folder.name.split()[0]
        best[tracker] = max(best.get(tracker, (-1.0, folder)), (hota, folder))
    return [folder for _, folder in best.values()]


if __name__ == "__main__":
    main()
