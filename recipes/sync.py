"""Train the pairs of streams that come with kinoscope and tell whether lips and sound agree.

    python benchmarks/sync.py --data FOLDER --table recipes/talking.csv --out runs/sync-folds
    python recipes/sync.py --data FOLDER --table recipes/talking.csv --calibration runs/sync-folds/calibration.json \
        --without dfdc_1,dfdc_2 --out src/kinoscope/models/weights/sync

The first scores the recipe on people held out and says what a margin is worth; the second learns from all but the two
clips of DFDC, whose terms do not allow every use. ``FOLDER`` holds the clips of the table: eight of GRID (Cooke et al.,
JASA 2006), and short ones that come with published projects on talking faces. Their sound is up to four frames off as
they come; the table says by how much, found by networks that had learned from the other people.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from kinoscope.core.signal.sync_offset import OffsetCalibration
from kinoscope.models.inference.sync import SyncModelMetadata, save_sync_model
from kinoscope.training.sync.data import read_table, read_talking_clips
from kinoscope.training.sync.train import SyncOptions, train_pair


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--without", default="", help="clips of the table that are left out, separated by commas")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", default="points,points,pixels")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kinds = tuple(options.pairs.split(","))
    left_out = set(options.without.split(","))
    known = {name: told for name, told in read_table(options.table).items() if name not in left_out}
    talks, _ = read_talking_clips(options.data, known)
    plans = [SyncOptions(kind=kind, steps=options.steps, seed=seed) for seed, kind in enumerate(kinds)]
    pairs = [train_pair(talks, plan) for plan in plans]
    told = json.loads(options.calibration.read_text()) if options.calibration else {}
    calibration = OffsetCalibration(tuple(told["weights"]), told["spread"]) if told else OffsetCalibration()
    people = len({talk.person for talk in talks})
    save_sync_model(
        options.out,
        pairs,
        SyncModelMetadata(pairs=kinds, calibration=calibration, data=f"{len(talks)} clips of {people} people"),
    )


if __name__ == "__main__":
    main()
