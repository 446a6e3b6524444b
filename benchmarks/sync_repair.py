"""Whether `kinoscope sync --fix` mends talking clips whose sound was moved or whose clock was made wrong.

python benchmarks/sync_repair.py --data FOLDER --table recipes/talking.csv --folds runs/sync-folds

Each clip is measured by the network of the fold (benchmarks/sync.py) that has not learned from its person. Its sound is
moved, the result is repaired as a user would, and the repaired file is measured by where its sound is: relative to the
clip as it came, what was done in all is known exactly. Right is within a frame of the clip's own baseline.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kinoscope
from kinoscope.api.sync import SyncResult, correction
from kinoscope.core.signal.sync_offset import FRAME_SECONDS
from kinoscope.source.encode.shift_audio import shift_audio
from kinoscope.training.sync.data import clips_in, read_table

SHIFTS = (-0.4, -0.123, 0.217, 0.4)
DRIFT = 1.002


def main() -> None:
    """Move, repair and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    options = parser.parse_args()
    told = right = tried = 0
    for path, model in clips(options):
        baseline = measured(kinoscope.sync(path, model=str(model), quiet=True)[0])
        if baseline is None:
            print(f"{path.name}: not measurable as it comes")
            continue
        for shift, stretch in [(shift, 1.0) for shift in SHIFTS] + [(0.05, DRIFT)]:
            tried += 1
            left = repaired(path, model, shift, stretch, baseline)
            told += left is not None
            right += left is not None and left <= FRAME_SECONDS
            off = "refused" if left is None else f"{1000 * left:.0f} ms off"
            print(f"{path.name} {1000 * shift:+.0f} ms x {stretch}: {off}", flush=True)
    print(f"{tried} tried, {told} repaired, {right} of these within a frame ({100 * right / max(told, 1):.1f} %)")


def clips(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """Yield clips with the model that does not know their person."""
    known = read_table(options.table)
    for folder in sorted(options.folds.glob("fold*")):
        people = set(json.loads((folder / "people.json").read_text()))
        for path in clips_in(options.data, known):
            if known[path.stem].person in people:
                yield path, folder


def measured(one: SyncResult) -> float | None:
    """Give the offset, if it is sure."""
    sure = [event for event in one.offsets if event.score >= 0.9]
    return float(sure[0].extra["offset"]) if len(sure) == 1 else None


def repaired(path: Path, model: Path, shift: float, stretch: float, baseline: float) -> float | None:
    """Give by how much sound is off where it is worst, after the repair; None where it was refused."""
    with tempfile.TemporaryDirectory() as place:
        moved, fixed = Path(place) / "moved.mkv", Path(place) / "fixed.mkv"
        shift_audio(path, moved, shift, stretch)
        (one,) = kinoscope.sync(moved, fix=fixed, model=str(model), quiet=True)
        if one.fixed is None or one.timeline is None:
            return None
        delay, factor = correction(one.offsets[0])
        times = (0.0, float(one.timeline.times[-1]))
        return max(abs((t * stretch + shift) * factor + delay - (t - baseline)) for t in times)


if __name__ == "__main__":
    main()
