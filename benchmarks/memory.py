"""Peak memory of the default analysis on a 20-minute clip over that on a 2-minute clip.

    python benchmarks/memory.py [VIDEO] [--minutes 2 20]

The clips are the video over and over, its packets copied without encoding; without a video, synthetic shapes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import measure


def repeat(video: Path, target: Path, minutes: float) -> Path:
    """Write ``video`` over and over until ``minutes`` are full."""
    with av.open(str(target), "w") as out:
        streams: dict[int, av.stream.Stream] = {}
        offset, turn = Fraction(0), 0
        while offset < minutes * 60:
            with av.open(str(video)) as source:
                length = Fraction(source.duration or 1, 1_000_000)
                for packet in source.demux():
                    if packet.dts is None or packet.stream.type not in ("video", "audio"):
                        continue
                    index = packet.stream.index
                    if index not in streams:
                        streams[index] = out.add_stream_from_template(packet.stream)
                    shift = round(offset / packet.time_base)
                    packet.pts, packet.dts = (packet.pts or packet.dts) + shift, packet.dts + shift
                    packet.stream = streams[index]
                    out.mux(packet)
            offset, turn = offset + length + Fraction(1, 25), turn + 1
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 20])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or synthetic(Path(folder) / "shapes.mp4")
        peaks = []
        for minutes in options.minutes:
            clip = repeat(video, Path(folder) / f"{minutes:g}.mp4", minutes)
            command = [str(Path(sys.executable).parent / "kinoscope"), "analyze", str(clip)]
            cost, _ = measure.cost([*command, "--out", str(Path(folder) / "out"), "--quiet"])
            peaks.append(cost.peak)
            print(f"{minutes:g} min: {cost.wall:.1f} s wall, {cost.cpu:.1f} CPU s, peak {cost.peak:.0f} MB", flush=True)
        print(f"{measure.machine()}: ratio {peaks[-1] / peaks[0]:.3f}")


def synthetic(path: Path) -> Path:
    """Write a minute of moving shapes."""
    from kinoscope.source.synthetic import shapes

    shapes(duration=60).write(path)
    return path


if __name__ == "__main__":
    main()
