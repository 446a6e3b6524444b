"""Measure the latency of alerts and the growth of memory, with a file that is looped in real time.

    python benchmarks/watch.py VIDEO RULES [--minutes 60] [--clips]

Printed are the latency from a frame's arrival to its alert (p50, p95), dropped frames, and the resident memory each
minute with its slope over the second half, when all buffers are full.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np

import kinoscope
from kinoscope.pipeline.watching import DeliveryOptions, StreamOptions


def resident() -> float:
    """Return the resident memory in megabytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("rules")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clips", action="store_true")
    options = parser.parse_args()
    rows: list[float] = []
    stopped = threading.Event()

    def sample() -> None:
        while not stopped.wait(10):
            rows.append(resident())

    threading.Thread(target=sample, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) if options.clips else None
        seconds = 60 * options.minutes
        delivery, stream = DeliveryOptions(clips_to=clips), StreamOptions(loop=True, for_=seconds)
        done = kinoscope.watch(options.video, rules=options.rules, delivery=delivery, stream=stream, quiet=True)
    stopped.set()
    result = done.to_dict()
    del result["events"]
    print(result)
    print("MB each minute:", [round(row) for row in rows[5::6]])
    half = np.array(rows[len(rows) // 2 :])
    slope = np.polyfit(np.arange(len(half)) / 360, half, 1)[0] if len(half) > 2 else float("nan")
    print(f"slope over the second half: {slope:.1f} MB an hour")


if __name__ == "__main__":
    main()
