"""Evaluate `kinoscope sync --fix` on clips of speakers whose audio was shifted or has a drifting clock.

python benchmarks/sync_repair.py --data FOLDER --table recipes/talking.csv --folds runs/sync-folds

Each clip is measured by the network of the fold (benchmarks/sync.py) that was not trained on its person. Its audio is
shifted, the result is repaired as a user would, and the error of the repair is computed exactly from the shift and the
correction. A repair is correct if it is within a frame of the clip's own baseline.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import kinoscope
from kinoscope.core.signal.sync_offset import FRAME_SECONDS
from kinoscope.pipeline.sync_repair import correction
from kinoscope.source.encode.shift_audio import shift_audio
from kinoscope.training.sync.data import clips_in, read_table

SHIFTS = (-0.4, -0.123, 0.217, 0.4)
DRIFT = 1.002


def main() -> None:
    """Shift, repair and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    options = parser.parse_args()
    fixed = correct = tried = 0
    for path, model in clips(options):
        baseline = kinoscope.sync(path, model=str(model), quiet=True).certain_offset
        if baseline is None:
            print(f"{path.name}: the original is not measurable")
            continue
        for shift, stretch in [(shift, 1.0) for shift in SHIFTS] + [(0.05, DRIFT)]:
            tried += 1
            error = repair_error(path, model, shift, stretch, baseline)
            fixed += error is not None
            correct += error is not None and error <= FRAME_SECONDS
            outcome = "refused" if error is None else f"error {1000 * error:.0f} ms"
            print(f"{path.name} {1000 * shift:+.0f} ms x {stretch}: {outcome}", flush=True)
    print(f"{tried} tried, {fixed} repaired, {correct} of these within a frame ({100 * correct / max(fixed, 1):.1f} %)")


def clips(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """Yield clips with the model that was not trained on their person."""
    known = read_table(options.table)
    for folder in sorted(options.folds.glob("fold*")):
        people = set(json.loads((folder / "people.json").read_text()))
        for path in clips_in(options.data, known):
            if known[path.stem].person in people:
                yield path, folder


def repair_error(path: Path, model: Path, shift: float, stretch: float, baseline: float) -> float | None:
    """Return the maximum error of the audio in seconds after the repair; None if it was refused."""
    with tempfile.TemporaryDirectory() as folder:
        shifted, fixed = Path(folder) / "shifted.mkv", Path(folder) / "fixed.mkv"
        shift_audio(path, shifted, shift, stretch)
        result = kinoscope.sync(shifted, fix=fixed, model=str(model), quiet=True)
        if result.fixed is None or result.timeline is None:
            return None
        delay, factor = correction(result.offsets[0])
        times = (0.0, float(result.timeline.times[-1]))
        return max(abs((t * stretch + shift) * factor + delay - (t - baseline)) for t in times)


if __name__ == "__main__":
    main()
