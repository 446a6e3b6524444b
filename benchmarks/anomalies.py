"""Measure how `anomalies` ranks anomalies that are inserted into a long video of a static camera.

    python benchmarks/anomalies.py VIDEO --donor VIDEO [--keep FOLDER]

Three events are inserted into VIDEO, far apart, at places with the usual amount of motion: moving objects of the donor
(cars among people), people of VIDEO itself at five times their speed, and people of VIDEO upside down. Other events
count as false. Printed are the rank of each event, and the area under the ROC curve over time of three scores: the
task's, the whole frame's distance to other times in the features of the same network, and the amount of motion.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array, UInt8Array
from kinoscope.core.media import Frame
from kinoscope.core.results import Event
from kinoscope.pipeline import engine
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer
from kinoscope.views.timeline import Timeline

WIDTH = 768
SPEEDUP = 5
Clip = UInt8Array
"""Frames (T, H, W, C)."""


def read(path: str) -> tuple[Clip, Float64Array, list[Frame]]:
    """Read all frames: their pixels (T, H, W, C), their times (T,) in seconds, and themselves."""
    with open_source(path) as source:
        frames = list(source.frames(size=source.info.fit(WIDTH)))
    return np.stack([frame.pixels for frame in frames]), np.array([float(f.time) for f in frames]), frames


def mattes(clip: Clip) -> Float32Array:
    """Return the foreground mattes (T, H, W) in [0, 1] of a static camera, against the median frame."""
    background = np.median(clip[:: max(1, len(clip) // 60)], axis=0)
    out = np.empty(clip.shape[:3], np.float32)
    for i, frame in enumerate(clip):
        ratios = frame[::8, ::8] / np.maximum(background[::8, ::8], 1)
        exposure = np.median(ratios, axis=(0, 1))  # of the camera, which changes it
        differs = (np.abs(frame - background * exposure).max(2) > 28).astype(np.uint8)
        mask = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 9), np.uint8))
        out[i] = cv2.GaussianBlur(cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(np.float32), (5, 5), 0)
    return out


def typical_start(motion: Float64Array, length: int, taken: list[tuple[int, int]], distance: int) -> int:
    """Return the start of ``length`` frames with the median amount of motion, so that the amount reveals nothing.

    Args:
        motion: amount of motion in each frame (T,).
        length: in frames.
        taken: frames of other events, from which the result keeps ``distance`` frames.
    """
    sums = np.convolve(motion, np.ones(length), "valid")
    deviations = np.abs(sums - np.median(sums))
    for start, end in taken:
        deviations[max(0, start - distance - length) : end + distance] = np.inf
    deviations[: len(motion) // 8] = np.inf
    return int(np.argmin(deviations))


def busiest_start(motion: Float64Array, length: int) -> int:
    """Return the start of the ``length`` frames with the largest amount of motion."""
    return int(np.argmax(np.convolve(motion, np.ones(length), "valid")))


def insert(clip: Clip, start: int, foreground: Clip, matte: Float32Array, offset: tuple[int, int] = (0, 0)) -> None:
    """Blend a foreground over the frames of a clip from ``start`` on, in place, with its matte."""
    for i, (frame, alpha) in enumerate(zip(foreground, matte, strict=True)):
        matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        size = clip.shape[2], clip.shape[1]
        moved, weight = cv2.warpAffine(frame, matrix, size), cv2.warpAffine(alpha, matrix, size)[..., None]
        blended = weight * moved + (1 - weight) * clip[start + i]
        clip[start + i] = np.rint(blended).astype(np.uint8)


def resample(clip: Clip, length: int, speed: float) -> Int64Array:
    """Return the indices of the frames that play a clip at another speed, ``length`` or fewer."""
    return np.arange(0, len(clip) - 1e-9, speed).astype(np.int64)[:length]


def insert_anomalies(video: str, donor: str, out: Path) -> list[tuple[str, float, float]]:
    """Write the video with three anomalies, and return their names, starts and ends."""
    base, times, frames = read(video)
    fps = (len(times) - 1) / (times[-1] - times[0])
    matte = mattes(base)
    motion = matte.mean((1, 2)).astype(np.float64)
    length, distance = round(4 * fps), round(12 * fps)
    original, taken, truth = base.copy(), [], []

    def add(name: str, foreground: Clip, alpha: Float32Array) -> None:
        start = typical_start(motion, len(foreground), taken, distance)
        insert(base, start, foreground, alpha)
        taken.append((start, start + len(foreground)))
        truth.append((name, float(times[start]), float(times[start + len(foreground) - 1])))

    car, car_times, _ = read(donor)
    car_matte = mattes(car)
    car_fps = (len(car_times) - 1) / (car_times[-1] - car_times[0])
    start = busiest_start(car_matte.mean((1, 2)).astype(np.float64), round(4 * car_fps))
    indices = start + resample(car[start : start + round(4 * car_fps)], length, car_fps / fps)
    size = base.shape[2], base.shape[1]
    add(
        "object of another video",
        np.stack([cv2.resize(car[i], size) for i in indices]),
        np.stack([cv2.resize(car_matte[i], size) for i in indices]),
    )
    span = length * SPEEDUP
    start = busiest_start(np.abs(np.diff(matte, axis=0)).mean((1, 2)).astype(np.float64), span)
    add("five times as fast", original[start : start + span : SPEEDUP], matte[start : start + span : SPEEDUP])
    start = busiest_start(np.where(np.arange(len(motion)) < len(motion) // 2, motion, 0), length)
    add("upside down", original[start : start + length, ::-1], matte[start : start + length, ::-1])
    with Writer(out, size=size, rate=fps) as writer:
        for pixels, frame in zip(base, frames, strict=True):
            writer.write(Frame(pixels, frame.time, frame.index))
    return truth


def find(path: Path) -> Timeline:
    """Run the task, and the scenes to compare with."""
    from kinoscope.tasks.anomalies import Anomalies
    from kinoscope.tasks.scenes import Scenes

    with open_source(str(path)) as source:
        return engine.run(source, [Scenes(), Anomalies(threads=2)])


def ranks(truth: list[tuple[str, float, float]], events: list[Event]) -> dict[str, int | None]:
    """Return the rank of the first event that overlaps each inserted one, or None."""
    order = sorted(events, key=lambda event: -event.score)
    return {
        name: next((i for i, e in enumerate(order, 1) if e.start <= end and start <= e.end), None)
        for name, start, end in truth
    }


def auc(times: Float64Array, scores: Float64Array, truth: list[tuple[str, float, float]]) -> float:
    """Return the area under the ROC curve of scores (T,) at times (T,)."""
    anomalous = np.any([(times >= start) & (times <= end) for _, start, end in truth], axis=0)
    statistic = mannwhitneyu(scores[anomalous], scores[~anomalous]).statistic
    return float(statistic / (anomalous.sum() * (~anomalous).sum()))


def frame_distances(features: NDArray[Any], times: Float64Array, exclusion: float) -> Float64Array:
    """Return each frame's distance (T,) to its third-nearest neighbour that is ``exclusion`` seconds away or more."""
    rows = features.astype(np.float64)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    distances[np.abs(times[:, None] - times[None]) < exclusion] = np.inf
    return np.sort(distances, axis=1)[:, 2]


def report(timeline: Timeline, truth: list[tuple[str, float, float]]) -> None:
    """Print the ranks and the areas."""
    events = timeline.events("anomalies")
    for name, start, end in truth:
        print(f"{name:24} {start:6.1f} to {end:6.1f} s   rank {ranks(truth, events)[name]}")
    for event in sorted(events, key=lambda event: -event.score):
        print(f"  {event.score:.3f} {event.start:6.1f} to {event.end:6.1f} s  {event.extra}")
    times, scores = timeline.features["anomalies.times"], timeline.features["anomalies.scores"]
    print(f"AUC of the task {auc(times, scores, truth):.3f}")
    frame_times = timeline.features["scenes.times"]
    distances = frame_distances(timeline.features["scenes.features"], frame_times, 10)
    print(f"AUC of the whole frame {auc(frame_times, distances, truth):.3f}")
    print(f"AUC of the amount of motion {auc(times, timeline.features['anomalies.moving'], truth):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--donor", required=True)
    parser.add_argument("--keep", type=Path, help="folder for the video with the inserted events")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"anomalies-{Path(options.video).stem}.mp4"
    truth = insert_anomalies(options.video, options.donor, out)
    report(find(out), truth)


if __name__ == "__main__":
    main()
