"""Measure the ratio of the default analysis's peak memory on a 20-minute clip to that on a 2-minute clip.

    python benchmarks/memory.py [VIDEO] [--minutes 2 20]

The clips are the video repeated, by copying its packets without encoding; without a video, synthetic shapes.
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
    """Write ``video`` repeatedly until ``minutes`` are reached, and return the path."""
    offset = Fraction(0)
    with av.open(str(target), "w") as out, av.open(str(video)) as first:
        wanted = [stream for stream in first.streams if stream.type in ("video", "audio")]
        # All streams must exist before the first packet, with which the header is written.
        streams = {stream.index: out.add_stream_from_template(stream) for stream in wanted}
        while offset < minutes * 60:
            with av.open(str(video)) as source:
                for packet in source.demux([source.streams[index] for index in streams]):
                    if packet.dts is not None:
                        shift = round(offset / packet.time_base)
                        packet.pts, packet.dts = (packet.pts or packet.dts) + shift, packet.dts + shift
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)
                offset += Fraction(source.duration or 1, 1_000_000) + Fraction(1, 25)
    return target


def analyze(video: Path, folder: Path) -> measure.Cost:
    """Run the default analysis with its report as a user does, and return the cost."""
    command = [str(Path(sys.executable).parent / "kinoscope"), "analyze", str(video)]
    return measure.cost([*command, "--out", str(folder / "out"), "--quiet"])[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 20])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or synthetic(Path(folder) / "shapes.mp4")
        # The first run on a machine converts the networks, with torch: twice the memory of every later one.
        analyze(video, Path(folder))
        peaks = []
        for minutes in options.minutes:
            cost = analyze(repeat(video, Path(folder) / f"{minutes:g}.mp4", minutes), Path(folder))
            peaks.append(cost.peak)
            print(f"{minutes:g} min: {cost.wall:.1f} s wall, {cost.cpu:.1f} CPU s, peak {cost.peak:.0f} MB", flush=True)
        print(f"{measure.machine()}: ratio {peaks[-1] / peaks[0]:.3f}")


def synthetic(path: Path) -> Path:
    """Write a minute of moving shapes."""
    from kinoscope.source.synthetic.video import shapes

    shapes(duration=60).write(path)
    return path


if __name__ == "__main__":
    main()
