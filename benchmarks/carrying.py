"""Boxes in every frame from few looks: carried by motion vectors, or drawn by the smoother alone.

    python benchmarks/carrying.py VIDEO... [--model CARD] [--intervals 1,2,3] [--seconds 12] [--encode] [--plot FILE]

Every frame's boxes of a run that looks at each ``interval``-th frame are scored by HOTA (Luiten et al., "HOTA: A Higher
Order Metric for Evaluating Multi-Object Tracking", IJCV 2021; tracks of any label) against a run of the same detector
that looks at every frame; CPU seconds are those of one thread with decode and all. ``synthetic`` is a video of known
boxes. ``--encode`` first re-encodes with x264's usual settings.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from kinoscope import engine
from kinoscope.core.mot import MotRows
from kinoscope.core.mot_metrics import score
from kinoscope.core.results import Track
from kinoscope.models import objects as models
from kinoscope.source import open_source
from kinoscope.source.base import Source
from kinoscope.source.synthetic import COLOURS, shapes
from kinoscope.source.writer import Writer
from kinoscope.tasks.objects import Objects


def hota(truth: list[Track], found: list[Track]) -> float:
    """Give HOTA in percent; without any truth there is nothing to lose."""
    return 100 * score(_rows(truth), _rows(found)).hota.mean()["hota"] if truth else 100.0


def _rows(tracks: list[Track]) -> MotRows:
    """Number frames by their time in microseconds."""
    boxes = np.concatenate([np.zeros((0, 6)), *(track.boxes for track in tracks)])
    ids = np.repeat(np.arange(len(tracks)), [len(track.boxes) for track in tracks])
    return MotRows(np.round(boxes[:, 0] * 1e6).astype(np.int64), ids, boxes[:, 1:5])


class Colours:
    """Stands in for the detector on the synthetic video: finds what is coloured, where it is seen."""

    card = SimpleNamespace(name="colours", licence="MIT", labels=tuple(COLOURS))
    runner = SimpleNamespace(card=card, runtime="numpy")

    def __init__(self, *_: object) -> None:
        pass

    def input_size(self, shown: tuple[int, int]) -> tuple[int, int]:
        return shown

    def __call__(self, pictures: Any, shown: tuple[int, int]) -> list[models.Objects]:
        rows = []
        for number, colour in enumerate(COLOURS.values()):
            y, x = np.nonzero(np.abs(pictures[0].astype(int) - colour).max(axis=2) < 60)
            if len(x) > 50:
                rows.append([x.min(), y.min(), x.max() + 1, y.max() + 1, number])
        table = np.array(rows, np.float64).reshape(-1, 5)
        return [models.Objects(table[:, :4], np.full(len(table), 0.9), table[:, 4].astype(np.int64))]


def analyse(video: str, seconds: float, model: str, interval: int, carry: bool) -> tuple[list[Track], float, int]:
    """Look at each ``interval``-th frame; give the tracks, the CPU seconds, and the number of frames."""
    with open_source(video, end=Fraction(seconds)) as source:
        rate = None if interval == 1 else (source.info.rate or Fraction(25)) / interval
        task = Objects(model=model, rate=rate and float(rate), calm=None, still=-1, carry=carry)
        begin = time.process_time()
        timeline = engine.run(source, [task], threaded=False)
        seconds_used = time.process_time() - begin
    report = timeline.tasks["objects"]
    if report.status != "ok":
        raise SystemExit(f"{video}: {report.reason}")
    return timeline.tracks, seconds_used - report.extra["load"], len(timeline.times)


def encode(source: Source, path: Path, seconds: float) -> Path:
    """Write a video with x264's usual settings."""
    with Writer(path, source.info.size, source.info.rate, preset="medium", quality=23) as writer:
        for picture in source.pictures():
            if picture.time >= seconds:
                break
            writer.write(picture.frame())
    return path


def rows(name: str, video: str, truth: list[Track] | None, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    dense, cost, count = analyse(video, options.seconds, options.model, 1, False)
    reference = truth or dense
    yield {"video": name, "interval": 1, "way": "every frame", "fps": count / cost, "hota": hota(reference, dense)}
    for interval in options.intervals:
        for way, carry in (("vectors", True), ("smoother", False)):
            found, used, count = analyse(video, options.seconds, options.model, interval, carry)
            yield {
                "video": name, "interval": interval, "way": way, "fps": count / used, "hota": hota(reference, found),
                "times": cost / used,
            }  # fmt: skip


def plot(table: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row["video"] for row in table))
    figure = Figure((4 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        for way in ("vectors", "smoother"):
            some = [row for row in table if row["video"] == name and row["way"] == way]
            axes.plot([r["fps"] for r in some], [r["hota"] for r in some], "o-", label=way)
        axes.set(title=name, xscale="log", xlabel="frames a CPU second")
    axes.legend()
    figure.supylabel("HOTA against every frame")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--model", default="auto")
    parser.add_argument(
        "--intervals", type=lambda text: [int(n) for n in text.split(",")], default=[2, 3, 5, 10, 15, 30, 60]
    )
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--encode", action="store_true")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    table: list[dict[str, Any]] = []
    print("| video | looks at each | way | frames a CPU s | times every frame | HOTA |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        detector = models.ObjectDetector
        for video in options.videos:
            truth, path = None, video
            models.ObjectDetector = Colours if video == "synthetic" else detector  # type: ignore[misc,assignment]
            if video == "synthetic":
                drawn = shapes(options.seconds, 25, 640, 480)
                truth, path = drawn.truth.tracks, str(encode(drawn, Path(folder, "shapes.mp4"), options.seconds))
            elif options.encode:
                with open_source(video) as source:
                    path = str(encode(source, Path(folder, Path(video).stem + ".mp4"), options.seconds))
            for row in rows(Path(video).stem, path, truth, options):
                table.append(row)
                name, interval, way = row["video"], row["interval"], row["way"]
                figures = f"{row['fps']:.0f} | {row.get('times', 1):.1f} | {row['hota']:.1f}"
                print(f"| {name} | {interval} | {way} | {figures} |", flush=True)
    if options.plot:
        plot(table, options.plot)


if __name__ == "__main__":
    main()
