"""Train the bundled networks of audio-visual synchronization.

    python benchmarks/sync.py --data FOLDER --table recipes/talking.csv --out runs/sync-folds
    python recipes/sync.py --data FOLDER --table recipes/talking.csv --calibration runs/sync-folds/calibration.json \
        --without dfdc_1,dfdc_2 --out src/kinoscope/models/weights/sync

The first cross-validates the recipe over people and calibrates the confidence; the second trains on all clips but the
two of DFDC, whose terms do not allow every use. ``FOLDER`` holds the clips of the table: eight of GRID (Cooke et al.,
JASA 2006), and short ones that come with published projects on talking faces. The audio of the originals is off by up
to four frames; the table has the offsets, measured by networks that were trained on the other people.
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
    parser.add_argument("--without", default="", help="clips of the table to leave out, separated by commas")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", default="points,points,pixels")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kinds = tuple(options.pairs.split(","))
    left_out = set(options.without.split(","))
    table = {name: row for name, row in read_table(options.table).items() if name not in left_out}
    clips, _ = read_talking_clips(options.data, table)
    plans = [SyncOptions(kind=kind, steps=options.steps, seed=seed) for seed, kind in enumerate(kinds)]
    pairs = [train_pair(clips, plan) for plan in plans]
    fitted = json.loads(options.calibration.read_text()) if options.calibration else {}
    calibration = OffsetCalibration(tuple(fitted["weights"]), fitted["spread"]) if fitted else OffsetCalibration()
    people = len({clip.person for clip in clips})
    save_sync_model(
        options.out,
        pairs,
        SyncModelMetadata(pairs=kinds, calibration=calibration, data=f"{len(clips)} clips of {people} people"),
    )


if __name__ == "__main__":
    main()
