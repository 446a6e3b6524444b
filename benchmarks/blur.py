"""Whether any face stays visible in ``blurred.mp4``, and how much of the picture is hidden for it.

    python benchmarks/blur.py --data FOLDER [--look 1] [--clips a.mp4,b.mp4]

Every video in ``FOLDER/talking`` is analysed with ``--blur faces``. The reference is the same cascade (MTCNN) on every
frame (or every ``--look``-th) at its full size, down to faces of 20 pixels, by its authors' thresholds (0.6, 0.7, 0.7).
A frame is right if each of its reference faces lies in what is hidden, but for a twentieth of its area; also given for
the faces of which the reference is sure (0.95), since what it finds below that is often a hand or a fold.
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
from kinoscope.source import open_source
from kinoscope.source.images import VIDEO_SUFFIXES
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.redaction_plan import Mask, plan

SURE, INSIDE = 0.95, 0.95


def hidden(frame: Frame, covers: Sequence[Mask]) -> BoolArray:
    """Give which pixels (H, W) of a frame are hidden."""
    mask = np.zeros(frame.pixels.shape[:2], bool)
    for cover in covers:
        x1, y1, x2, y2 = np.maximum(cover.at(float(frame.time)), 0).astype(int).tolist()
        mask[y1 : y2 + 1, x1 : x2 + 1] = True
    return mask


def judged(
    video: Path, lookup: IntervalLookup[Mask], look: int
) -> Iterator[tuple[float, list[tuple[float, float]], float]]:
    """Give, for each frame, its time, the score and the covered share of each reference face, and the share hidden."""
    finder = FaceDetector(smallest=20, least=(0.6, 0.7, 0.7), threads=2)
    with open_source(video) as source:
        for number, frame in enumerate(source.frames()):
            if number % look:
                continue
            mask = hidden(frame, lookup.at(float(frame.time)))
            found = finder(frame.pixels, frame.size)
            faces = []
            for box, score in zip(found.boxes.round().astype(int).tolist(), found.scores.tolist(), strict=True):
                part = mask[box[1] : box[3], box[0] : box[2]]
                faces.append((score, float(part.mean()) if part.size else 1.0))
            yield float(frame.time), faces, float(mask.mean())


def right(frames: list[list[tuple[float, float]]], least: float) -> tuple[int, int]:
    """Give in how many frames with a face of at least a score all such faces are covered, and of how many."""
    some = [[share for score, share in faces if score >= least] for faces in frames]
    some = [shares for shares in some if shares]
    return sum(min(shares) >= INSIDE for shares in some), len(some)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--look", type=int, default=1)
    parser.add_argument("--clips", type=lambda text: text.split(","))
    options = parser.parse_args()
    videos = sorted(path for path in (options.data / "talking").iterdir() if path.suffix in VIDEO_SUFFIXES)
    print(machine())
    print("| clip | frames with a sure face | all hidden | with any | all hidden | picture hidden | s a video s |")
    print("|---|---|---|---|---|---|---|")
    total = np.zeros(4, int)
    for video in videos:
        if options.clips and video.name not in options.clips:
            continue
        with tempfile.TemporaryDirectory() as folder:
            begin = time.process_time()
            (done,) = kinoscope.analyze(video, out=folder, tasks="shots", blur="faces", report=False, quiet=True)
            cost = time.process_time() - begin
            if done.error or not done.timeline:
                raise SystemExit(str(done.error))
        covers = plan(done.timeline, ["faces"]).masks
        lookup: IntervalLookup[Mask] = IntervalLookup((cover.start, cover.end, cover) for cover in covers)
        rows = list(judged(video, lookup, options.look))
        frames = [faces for _, faces, _ in rows]
        counts = [*right(frames, SURE), *right(frames, 0.0)]
        total += counts
        share = np.mean([share for _, _, share in rows])
        length = cost / max(rows[-1][0], 1e-9)
        print(f"| {video.stem} | {counts[1]} | {counts[0]} | {counts[3]} | {counts[2]} | {share:.1%} | {length:.1f} |")
        for moment, faces, _ in rows:
            for score, inside in faces:
                if inside < INSIDE:
                    print(f"<!-- {video.stem} {moment:.2f} s: score {score:.2f}, {inside:.0%} hidden -->", flush=True)
    print(f"| all | {total[1]} | {total[0]} | {total[3]} | {total[2]} | | |")


if __name__ == "__main__":
    main()
