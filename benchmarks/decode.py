"""Time decoding and resizing to 224 by kinoscope's source, against decoding alone.

    python benchmarks/decode.py [VIDEO] [--runs 5]

The reference is ``ffmpeg -f null`` if ffmpeg is installed, else decoding alone by PyAV. Runs alternate, each in a
process of its own; wall and CPU seconds are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

SIZE = (224, 224)


def every_frame(path: str) -> int:
    from kinoscope.source import open_source

    with open_source(path) as source:
        return sum(frame.pixels(SIZE).shape[2] // 3 for frame in source.lazy_frames())


def sixteen(path: str) -> int:
    from kinoscope.source import open_source

    with open_source(path) as source:
        return len(list(source.evenly(16, SIZE)))


def keyframes(path: str) -> int:
    from kinoscope.source import open_source

    with open_source(path) as source:
        return len(list(source.keyframes(SIZE)))


def decode_alone(path: str) -> int:
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


MODES = {"every frame": every_frame, "16 evenly": sixteen, "keyframes": keyframes, "PyAV, decode alone": decode_alone}


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command, and return its wall and CPU seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(path: str) -> dict[str, list[str]]:
    ours = {name: [sys.executable, __file__, path, "--mode", name] for name in MODES}
    if shutil.which("ffmpeg"):
        return {"ffmpeg -f null": ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-an", "-f", "null", "-"]} | ours
    return ours


def startup(runs: int) -> tuple[float, float]:
    """Return the median wall and CPU seconds of starting Python with PyAV and NumPy, which is not decoding."""
    costs = [measure([sys.executable, "-c", "import av, numpy, kinoscope.source.video"]) for _ in range(runs)]
    return statistics.median(wall for wall, _ in costs), statistics.median(cpu for _, cpu in costs)


def make_clip(folder: str) -> str:
    from kinoscope.source.synthetic.video import cuts

    path = Path(folder) / "synthetic-720p.mp4"
    times = ",".join(str(second) for second in range(2, 20, 2))
    cuts(times, duration=20, rate=Fraction(30), width=1280, height=720).write(path)
    return str(path)


def compare(path: str, runs: int) -> dict[str, dict[str, float]]:
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands(path)}
    for _ in range(runs):
        for name, command in commands(path).items():
            costs[name].append(measure(command))
    start = startup(runs)
    rows = {}
    for name, pairs in costs.items():
        wall, cpu = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        if name in MODES:
            wall, cpu = wall - start[0], cpu - start[1]
        rows[name] = {"wall": wall, "cpu": cpu}
    reference = next(iter(rows.values())) if "ffmpeg -f null" in rows else rows["PyAV, decode alone"]
    for row in rows.values():
        row |= {"wall x": row["wall"] / reference["wall"], "cpu x": row["cpu"] / reference["cpu"]}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode:
        MODES[options.mode](options.video)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(os.path.abspath(options.video) if options.video else make_clip(folder), options.runs)
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'seconds (without Python start-up)':36}{'wall':>8}{'CPU':>8}{'wall x':>8}{'CPU x':>8}")
    for name, row in rows.items():
        print(f"{name:36}{row['wall']:8.2f}{row['cpu']:8.2f}{row['wall x']:8.2f}{row['cpu x']:8.2f}")


if __name__ == "__main__":
    main()
