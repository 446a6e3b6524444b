"""Measure the ratio of the wall time of decoding and inference together to the larger of the two alone.

    python benchmarks/overlap.py VIDEO [--runs 3]

One task, one inference thread, one decoding thread: one for each of two cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import measure

from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import TaskResult
from kinoscope.pipeline import engine
from kinoscope.source import open_source
from kinoscope.tasks.base import Needs
from kinoscope.tasks.scenes import Scenes
from kinoscope.views.timeline import Timeline

RATE = 12.0
"""Frames a second at the network's input, so that inference takes about as long as decoding."""


class Busy(Scenes):
    """The scenes task, at a higher rate, on every frame."""

    def needs(self, info: SourceInfo) -> Needs:
        needs = super().needs(info)
        self.buffered: list[tuple[FrameBatch, ...]] = []
        return Needs(needs.sizes, RATE, needs.batch)

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult()


class Idle(Busy):
    """A task of the same needs that only buffers its frames."""

    def process_frames(self, *batches: FrameBatch) -> None:
        self.buffered.append(batches)


def decode(video: Path, task: Busy) -> float:
    begin = time.perf_counter()
    with open_source(video) as source:
        engine.run(source, [task])
    return time.perf_counter() - begin


def infer(video: Path) -> float:
    idle, task = Idle(threads=1), Busy(threads=1)
    decode(video, idle)
    with open_source(video) as source:
        task.needs(source.info)
    begin = time.perf_counter()
    for batches in idle.buffered:
        task.process_frames(*batches)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for _ in range(options.runs):
        alone = decode(options.video, Idle(threads=1)), infer(options.video)
        rows.append((*alone, decode(options.video, Busy(threads=1))))
    decoding, inferring, together = (statistics.median(column) for column in zip(*rows, strict=True))
    print(measure.machine())
    print(f"decode alone {decoding:.2f} s, inference alone {inferring:.2f} s, together {together:.2f} s")
    print(f"ratio to the larger {together / max(decoding, inferring):.2f}")


if __name__ == "__main__":
    main()
