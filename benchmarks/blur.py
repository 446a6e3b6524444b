"""Measure whether any face stays visible in ``blurred.mp4``, and the share of each frame that is masked for it.

    python benchmarks/blur.py --data FOLDER [--stride 1] [--clips a.mp4,b.mp4]

Every video in ``FOLDER/talking`` is analyzed with ``--blur faces``. The reference is the same cascade (MTCNN) on every
frame (or every ``--stride``-th) at its full size, down to faces of 20 pixels, with its authors' thresholds (0.6, 0.7,
0.7). A frame is correct if each of its reference faces is masked, but for a twentieth of its area; also printed for
faces of a reference confidence of 0.95 or more, since detections below that are often hands or folds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from measure import machine

import kinoscope
from kinoscope.core.arrays import BoolArray
from kinoscope.core.media import Frame
from kinoscope.models.inference.faces import FaceDetector
from kinoscope.pipeline.options import OutputOptions, RedactionOptions
from kinoscope.source import open_source
from kinoscope.source.images import VIDEO_SUFFIXES
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.redaction_plan import Mask, plan

HIGH_CONFIDENCE, MIN_COVERAGE = 0.95, 0.95
"""Confidence of certain faces; share of a face's area that must be masked."""


def masked_pixels(frame: Frame, masks: Sequence[Mask]) -> BoolArray:
    """Return whether each pixel (H, W) of a frame is masked."""
    masked = np.zeros(frame.pixels.shape[:2], bool)
    for mask in masks:
        x1, y1, x2, y2 = np.maximum(mask.at(float(frame.time)), 0).astype(int).tolist()
        masked[y1 : y2 + 1, x1 : x2 + 1] = True
    return masked


def evaluate(
    video: Path, lookup: IntervalLookup[Mask], stride: int
) -> Iterator[tuple[float, list[tuple[float, float]], float]]:
    """Yield for each frame its time, (score, coverage) of each reference face, and the masked share of the frame."""
    finder = FaceDetector(min_size=20, min_scores=(0.6, 0.7, 0.7), threads=2)
    with open_source(video) as source:
        for number, frame in enumerate(source.frames()):
            if number % stride:
                continue
            masked = masked_pixels(frame, lookup.at(float(frame.time)))
            found = finder(frame.pixels, frame.size)
            faces = []
            for box, score in zip(found.boxes.round().astype(int).tolist(), found.scores.tolist(), strict=True):
                part = masked[box[1] : box[3], box[0] : box[2]]
                faces.append((score, float(part.mean()) if part.size else 1.0))
            yield float(frame.time), faces, float(masked.mean())


def count_covered(frames: list[list[tuple[float, float]]], min_score: float) -> tuple[int, int]:
    """Return how many frames have all faces of at least ``min_score`` masked, and how many have such faces."""
    coverages = [[coverage for score, coverage in faces if score >= min_score] for faces in frames]
    coverages = [row for row in coverages if row]
    return sum(min(row) >= MIN_COVERAGE for row in coverages), len(coverages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--clips", type=lambda text: text.split(","))
    options = parser.parse_args()
    videos = sorted(path for path in (options.data / "talking").iterdir() if path.suffix in VIDEO_SUFFIXES)
    print(machine())
    print("| clip | frames with a certain face | all masked | with any | all masked | frame masked | s a video s |")
    print("|---|---|---|---|---|---|---|")
    total = np.zeros(4, int)
    for video in videos:
        if options.clips and video.name not in options.clips:
            continue
        with tempfile.TemporaryDirectory() as folder:
            begin = time.process_time()
            done = kinoscope.analyze(
                video, out=folder, tasks="shots", redaction=RedactionOptions(blur="faces"),
                output=OutputOptions(report=False, quiet=True),
            )  # fmt: skip
            cost = time.process_time() - begin
            if done.error or not done.timeline:
                raise SystemExit(str(done.error))
        masks = plan(done.timeline, ["faces"]).masks
        lookup: IntervalLookup[Mask] = IntervalLookup((mask.start, mask.end, mask) for mask in masks)
        rows = list(evaluate(video, lookup, options.stride))
        frames = [faces for _, faces, _ in rows]
        counts = [*count_covered(frames, HIGH_CONFIDENCE), *count_covered(frames, 0.0)]
        total += counts
        share = np.mean([share for _, _, share in rows])
        length = cost / max(rows[-1][0], 1e-9)
        print(f"| {video.stem} | {counts[1]} | {counts[0]} | {counts[3]} | {counts[2]} | {share:.1%} | {length:.1f} |")
        for seconds, faces, _ in rows:
            for score, coverage in faces:
                if coverage < MIN_COVERAGE:
                    print(
                        f"<!-- {video.stem} {seconds:.2f} s: score {score:.2f}, {coverage:.0%} masked -->", flush=True
                    )
    print(f"| all | {total[1]} | {total[0]} | {total[3]} | {total[2]} | | |")


if __name__ == "__main__":
    main()
