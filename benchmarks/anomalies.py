"""Odd events put into a long video of a camera that stands still: whether `anomalies` ranks them first.

    python benchmarks/anomalies.py VIDEO --donor VIDEO [--keep FOLDER]

Three events are put into VIDEO, far apart, where as much moves as usual: moving things cut out of the donor (cars among
people), people of VIDEO itself at five times their speed, and people of VIDEO upside down. Other odd things in it
count as wrong. Told are the rank of each event, and the area under the ROC curve over its moments of three scores: the
task's, the whole picture's distance to other times by the same network, and how much moves.
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
from kinoscope.core.results import Event, Timeline
from kinoscope.pipeline import engine
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer

WIDTH = 768
FAST = 5
Pictures = UInt8Array


def read(path: str) -> tuple[Pictures, Float64Array, list[Frame]]:
    """Read all frames (T, H, W, C) and their times in seconds."""
    with open_source(path) as source:
        frames = list(source.frames(size=source.info.fit(WIDTH)))
    return np.stack([frame.pixels for frame in frames]), np.array([float(f.time) for f in frames]), frames


def mattes(pictures: Pictures) -> Float32Array:
    """Give how far each pixel is from what is usually there, (T, H, W) in [0, 1], soft at its edge."""
    usual = np.median(pictures[:: max(1, len(pictures) // 60)], axis=0)
    out = np.empty(pictures.shape[:3], np.float32)
    for i, picture in enumerate(pictures):
        few = picture[::8, ::8] / np.maximum(usual[::8, ::8], 1)
        exposure = np.median(few, axis=(0, 1))  # the camera's own, that changes
        differs = (np.abs(picture - usual * exposure).max(2) > 28).astype(np.uint8)
        solid = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((15, 9), np.uint8))
        out[i] = cv2.GaussianBlur(cv2.dilate(solid, np.ones((5, 5), np.uint8)).astype(np.float32), (5, 5), 0)
    return out


def typical(amount: Float64Array, length: int, taken: list[tuple[int, int]], apart: int) -> int:
    """Give where as much moves over ``length`` frames as usual, so that more of it gives nothing away."""
    sums = np.convolve(amount, np.ones(length), "valid")
    unlike = np.abs(sums - np.median(sums))
    for start, end in taken:
        unlike[max(0, start - apart - length) : end + apart] = np.inf
    unlike[: len(amount) // 8] = np.inf
    return int(np.argmin(unlike))


def liveliest(amount: Float64Array, length: int) -> int:
    """Give where the most moves over ``length`` frames."""
    return int(np.argmax(np.convolve(amount, np.ones(length), "valid")))


def insert(
    pictures: Pictures, begin: int, what: Pictures, matte: Float32Array, offset: tuple[int, int] = (0, 0)
) -> None:
    """Paint pictures over others, from the ``begin``-th on."""
    for i, (picture, soft) in enumerate(zip(what, matte, strict=True)):
        move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        size = pictures.shape[2], pictures.shape[1]
        shown, share = cv2.warpAffine(picture, move, size), cv2.warpAffine(soft, move, size)[..., None]
        mixed = share * shown + (1 - share) * pictures[begin + i]
        pictures[begin + i] = np.rint(mixed).astype(np.uint8)


def resample(pictures: Pictures, length: int, speed: float) -> Int64Array:
    """Give the frames to show at another speed, at most ``length``."""
    picks = np.arange(0, len(pictures) - 1e-9, speed).astype(np.int64)
    return picks[:length]


def make_odd(video: str, donor: str, out: Path) -> list[tuple[str, float, float]]:
    """Write the video with three odd events, and give their names and times."""
    base, times, frames = read(video)
    fps = (len(times) - 1) / (times[-1] - times[0])
    soft = mattes(base)
    amount = soft.mean((1, 2)).astype(np.float64)
    length, apart = round(4 * fps), round(12 * fps)
    original, taken, truth = base.copy(), [], []

    def put(name: str, what: Pictures, matte: Float32Array) -> None:
        begin = typical(amount, len(what), taken, apart)
        insert(base, begin, what, matte)
        taken.append((begin, begin + len(what)))
        truth.append((name, float(times[begin]), float(times[begin + len(what) - 1])))

    car, car_times, _ = read(donor)
    car_soft = mattes(car)
    car_fps = (len(car_times) - 1) / (car_times[-1] - car_times[0])
    start = liveliest(car_soft.mean((1, 2)).astype(np.float64), round(4 * car_fps))
    picks = start + resample(car[start : start + round(4 * car_fps)], length, car_fps / fps)
    size = base.shape[2], base.shape[1]
    put(
        "thing of another video",
        np.stack([cv2.resize(car[i], size) for i in picks]),
        np.stack([cv2.resize(car_soft[i], size) for i in picks]),
    )
    span = length * FAST
    start = liveliest(np.abs(np.diff(soft, axis=0)).mean((1, 2)).astype(np.float64), span)
    put("five times as fast", original[start : start + span : FAST], soft[start : start + span : FAST])
    start = liveliest(np.where(np.arange(len(amount)) < len(amount) // 2, amount, 0), length)
    put("upside down", original[start : start + length, ::-1], soft[start : start + length, ::-1])
    with Writer(out, size=size, rate=fps) as writer:
        for picture, frame in zip(base, frames, strict=True):
            writer.write(Frame(picture, frame.time, frame.index))
    return truth


def find(path: Path) -> Timeline:
    """Run the task, and the scenes to compare with."""
    from kinoscope.tasks.anomalies import Anomalies
    from kinoscope.tasks.scenes import Scenes

    with open_source(str(path)) as source:
        return engine.run(source, [Scenes(), Anomalies(threads=2)])


def ranks(truth: list[tuple[str, float, float]], events: list[Event]) -> dict[str, int | None]:
    """Give the place of the first event that overlaps each inserted one."""
    order = sorted(events, key=lambda event: -event.score)
    return {
        name: next((i for i, e in enumerate(order, 1) if e.start <= end and start <= e.end), None)
        for name, start, end in truth
    }


def auc(times: Float64Array, scores: Float64Array, truth: list[tuple[str, float, float]]) -> float:
    """Give the area under the ROC curve of scores at times."""
    odd = np.any([(times >= start) & (times <= end) for _, start, end in truth], axis=0)
    statistic = mannwhitneyu(scores[odd], scores[~odd]).statistic
    return float(statistic / (odd.sum() * (~odd).sum()))


def whole(features: NDArray[Any], times: Float64Array, around: float) -> Float64Array:
    """Give each picture's distance to the third nearest at other times."""
    rows = features.astype(np.float64)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    apart[np.abs(times[:, None] - times[None]) < around] = np.inf
    return np.sort(apart, axis=1)[:, 2]


def report(timeline: Timeline, truth: list[tuple[str, float, float]]) -> None:
    """Print the ranks and the areas."""
    events = timeline.events_of("anomalies")
    for name, start, end in truth:
        print(f"{name:24} {start:6.1f} to {end:6.1f} s   rank {ranks(truth, events)[name]}")
    for event in sorted(events, key=lambda event: -event.score):
        print(f"  {event.score:.3f} {event.start:6.1f} to {event.end:6.1f} s  {event.extra}")
    times, scores = timeline.features["anomalies.times"], timeline.features["anomalies.scores"]
    print(f"AUC of the task {auc(times, scores, truth):.3f}")
    seen = timeline.features["scenes.times"]
    print(f"AUC of the whole picture {auc(seen, whole(timeline.features['scenes.features'], seen, 10), truth):.3f}")
    print(f"AUC of how much moves {auc(times, timeline.features['anomalies.moving'], truth):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--donor", required=True)
    parser.add_argument("--keep", type=Path, help="folder for the video with the events put in")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"odd-{Path(options.video).stem}.mp4"
    truth = make_odd(options.video, options.donor, out)
    report(find(out), truth)


if __name__ == "__main__":
    main()
