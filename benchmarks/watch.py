"""How late alerts are, and whether memory grows: a file shown as a camera would, over and over.

    python benchmarks/watch.py VIDEO RULES [--minutes 60] [--clips]

Told are the delay from a picture's arrival to its alert being out (p50, p95), pictures dropped, and the resident memory
each minute with its slope over the second half, when all buffers are full.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np

import kinoscope


def resident() -> float:
    """Give the megabytes in use now (Linux)."""
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
    over = threading.Event()

    def note() -> None:
        while not over.wait(10):
            rows.append(resident())

    threading.Thread(target=note, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) if options.clips else None
        seconds = 60 * options.minutes
        done = kinoscope.watch(options.video, rules=options.rules, loop=True, for_=seconds, clips_to=clips, quiet=True)
    over.set()
    plain = done.to_dict()
    del plain["events"]
    print(plain)
    print("MB each minute:", [round(row) for row in rows[5::6]])
    late = np.array(rows[len(rows) // 2 :])
    slope = np.polyfit(np.arange(len(late)) / 360, late, 1)[0] if len(late) > 2 else float("nan")
    print(f"slope over the second half: {slope:.1f} MB an hour")


if __name__ == "__main__":
    main()
