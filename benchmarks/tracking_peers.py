"""Track MOTChallenge detections with the trackers of roboflow's `trackers`, for tracking.py to score.

    pip install trackers && python benchmarks/tracking_peers.py DETECTIONS OUT

`trackers` brings its own OpenCV, so it needs an environment of its own. DETECTIONS holds NAME.txt for each sequence;
TRACKER/NAME.txt is written to OUT, with the trackers' defaults and, with ``--search``, with each setting of
``SEARCHED``. This file imports nothing of kinoscope.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from trackers import BoTSORTTracker, ByteTrackTracker, CBIoUTracker, OCSORTTracker, SORTTracker

RATE = 25
PEERS = {
    "sort": SORTTracker,
    "bytetrack": ByteTrackTracker,
    "ocsort": OCSORTTracker,
    "cbiou": CBIoUTracker,
    "botsort": lambda **options: BoTSORTTracker(enable_cmc=False, **options),
}
SEARCHED = {
    "lost_track_buffer": (10, 30, 60),
    "minimum_consecutive_frames": (1, 2, 3),
    "track_activation_threshold": (0.25, 0.5, 0.7),
    "high_conf_det_threshold": (0.4, 0.6),
    "minimum_iou_threshold": (0.1, 0.2, 0.3),
}
"""Values of the grid search, for the trackers that have such an option."""


def follow(tracker: Any, rows: np.ndarray) -> list[str]:
    lines = []
    for frame in range(1, int(rows[:, 0].max()) + 1):
        part = rows[rows[:, 0] == frame]
        corners = np.hstack([part[:, 2:4], part[:, 2:4] + part[:, 4:6]])
        found = tracker.update(sv.Detections(corners, confidence=part[:, 6], class_id=np.zeros(len(part), int)))
        for box, number, score in zip(found.xyxy, found.tracker_id, found.confidence, strict=True):
            if number >= 0:
                x1, y1, x2, y2 = box.tolist()
                lines.append(f"{frame},{number},{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f},{score:.4f},-1,-1,-1\n")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detections", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--search", action="store_true", help="write the results of every setting of the grid search, too"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in sorted(options.detections.glob("*.txt")):
        rows = np.loadtxt(path, delimiter=",")
        for name, make in PEERS.items():
            for suffix, settings in settings_of(make, options.search):
                out = options.out / f"{name}{suffix}" / path.name
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text("".join(follow(make(frame_rate=RATE, **settings), rows)))


def settings_of(make: Any, search: bool) -> list[tuple[str, dict[str, Any]]]:
    code = (BoTSORTTracker if not isinstance(make, type) else make).__init__.__code__
    names = [name for name in SEARCHED if name in code.co_varnames[: code.co_argcount]]
    every = itertools.product(*(SEARCHED[name] for name in names)) if search else ()
    settings = [dict(zip(names, values, strict=True)) for values in every]
    return [("", {}), *((" " + " ".join(f"{k}={v}" for k, v in s.items()), s) for s in settings)]


if __name__ == "__main__":
    main()
