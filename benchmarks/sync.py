"""Cross-validate the offset of audio to lips, on people who are not in the training set.

python benchmarks/sync.py --data FOLDER --table recipes/talking.csv --out runs/sync-folds

People are split into folds; for each fold, networks are trained on all others. A window of the video is compared with
the audio around it, which is shifted by a random number of frames within 15; it is correct if that shift is found
within a frame, relative to the offset of the whole clip. Baselines: correlation of the opening of the lips with
loudness, and chance. The similarities also yield the calibration of the confidence, from other people's windows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.core.signal.sync_offset import FRAME_SECONDS, LAGS, peak_lags, peak_margin
from kinoscope.models.inference.sync import (
    LAGS_PER_FRAME,
    METADATA_FILE,
    WEIGHTS_FILE,
    SyncModelMetadata,
    load_pairs,
    save_sync_model,
)
from kinoscope.nets.syncnet import SyncNet
from kinoscope.training.sync.data import AUDIO_CONTEXT_FRAMES, TalkingClip, read_table, read_talking_clips
from kinoscope.training.sync.evaluation import similarity_curves
from kinoscope.training.sync.options import SyncOptions
from kinoscope.training.sync.train import SyncTrainer
from kinoscope.training.trainer import fit

MAX_SHIFT_FRAMES, MAX_LAG_FRAMES = 15, 30
"""Maximum shift of the audio, and maximum lag that is computed, in frames."""

WINDOW_STRIDES = {5: 5, 15: 5, 25: 5, 50: 5, 125: 10}
"""Length of a window -> stride from one window to the next, in frames."""

Curves = dict[int, np.ndarray]
"""Length of windows in frames, 0 for the whole clip -> similarities (W, 2 * 30 * 4 + 1) at lags 10 ms apart."""


def main() -> None:
    """Train, measure and print."""
    options = parse()
    torch.set_num_threads(options.threads)
    clips, unreadable = read_talking_clips(options.data, read_table(options.table))
    seconds = sum(map(len, clips)) * FRAME_SECONDS
    print(f"{len(clips)} clips, {len({clip.person for clip in clips})} people, {seconds:.0f} s", unreadable)
    found: dict[str, Curves] = {}
    for number, people in enumerate(folds(clips, options.folds)):
        pairs = train_fold(clips, people, options, options.out / f"fold{number}")
        for clip in (clip for clip in clips if clip.person in people):
            found[clip.name] = all_curves(
                clip, lambda c, n, s, pairs=pairs: similarity_curves(pairs, c, n, s, MAX_LAG_FRAMES)
            )
        print(f"fold {number}: {', '.join(sorted(people))}", file=sys.stderr, flush=True)
    energy = {clip.name: all_curves(clip, lambda c, n, s: energy_curves(c, n, s, MAX_LAG_FRAMES)) for clip in clips}
    people = {clip.name: clip.person for clip in clips}
    print_accuracy("network", found, people)
    print_accuracy("lip opening against loudness", energy, people)
    print(f"chance: {100 * 3 / (2 * MAX_SHIFT_FRAMES + 1):.1f} %")
    print_subframe_errors(found, people)
    calibration = calibrate(found, people, options.out / "calibration.json")
    print("calibration", calibration)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of talking clips")
    parser.add_argument("--table", type=Path, required=True, help="CSV: clip, person, offset")
    parser.add_argument("--out", type=Path, required=True, help="folder of the folds' models; existing ones are used")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--points", type=int, default=2, help="networks on landmarks")
    parser.add_argument("--pixels", type=int, default=1, help="networks on pixels")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def folds(clips: Sequence[TalkingClip], count: int) -> list[set[str]]:
    """Split the people into folds with clips of about equal duration."""
    frames = {clip.person: 0 for clip in clips}
    for clip in clips:
        frames[clip.person] += len(clip)
    parts: list[set[str]] = [set() for _ in range(count)]
    for person in sorted(frames, key=lambda p: -frames[p]):
        min(parts, key=lambda part: sum(frames[p] for p in part)).add(person)
    return parts


def train_fold(
    clips: Sequence[TalkingClip], people: set[str], options: argparse.Namespace, folder: Path
) -> list[tuple[str, SyncNet]]:
    """Return networks that are trained without some people, loaded from ``folder`` if they exist."""
    kinds = ["points"] * options.points + ["pixels"] * options.pixels
    if not (folder / METADATA_FILE).exists():
        others = [clip for clip in clips if clip.person not in people]
        trainer = SyncTrainer(SyncOptions(pairs=tuple(kinds), steps=options.steps, device="cpu"), others)
        fit(trainer, None)
        pairs = [pair.net for pair in trainer.pairs]
        save_sync_model(folder, pairs, SyncModelMetadata(pairs=tuple(kinds)), half=False)
        (folder / "people.json").write_text(json.dumps(sorted(people)))
    files = {name: folder / name for name in (METADATA_FILE, WEIGHTS_FILE)}
    return list(zip(kinds, load_pairs(files), strict=True))


def all_curves(clip: TalkingClip, compute: Callable[[TalkingClip, int, int], torch.Tensor | None]) -> Curves:
    """Return the similarities of all windows, and, under 0, of the whole clip.

    Args:
        clip: the clip.
        compute: maps a clip, a length and a stride in frames to the similarities of its windows.
    """
    curves = {length: compute(clip, length, stride) for length, stride in (WINDOW_STRIDES | {75: 10}).items()}
    curves[0] = compute(clip, len(clip), 1)
    return {length: rows.numpy() for length, rows in curves.items() if rows is not None}


def baseline(curves: Curves, reach: int = 5) -> int:
    """Return the lag in steps with the maximum similarity over the whole clip, near 0, the offset by the table."""
    whole, zero = curves[0][0], MAX_LAG_FRAMES * LAGS_PER_FRAME
    near = slice(zero - reach * LAGS_PER_FRAME, zero + reach * LAGS_PER_FRAME + 1)
    return int(whole[near].argmax()) - reach * LAGS_PER_FRAME


def shifted(
    curves: Curves, length: int, generator: np.random.Generator, draws: int = 8
) -> Iterator[tuple[bool, float]]:
    """Yield for windows under random shifts whether the shift was found within a frame, and the margin."""
    base = baseline(curves)
    for row in curves.get(length, np.zeros((0, 0))):
        for shift in generator.integers(-MAX_SHIFT_FRAMES, MAX_SHIFT_FRAMES + 1, draws):
            lags = np.arange(-MAX_SHIFT_FRAMES, MAX_SHIFT_FRAMES + 1) - shift
            steps = np.clip(lags * LAGS_PER_FRAME + base + MAX_LAG_FRAMES * LAGS_PER_FRAME, 0, len(row) - 1)
            values = row[steps]
            best = int(values.argmax())
            far = np.abs(np.arange(len(values)) - best) > 2
            yield abs(int(lags[best])) <= 1, float(values[best] - values[far].max())


def print_accuracy(title: str, found: dict[str, Curves], people: dict[str, str]) -> None:
    """Print the share of correct windows by length: the mean over clips, its interval over people, and each clip."""
    print(f"\n{title}: % within a frame, [95 % interval over people], clips")
    generator = np.random.default_rng(7)
    correct = {
        length: {name: [ok for ok, _ in shifted(curves, length, generator)] for name, curves in found.items()}
        for length in WINDOW_STRIDES
    }
    for length, by_clip in correct.items():
        shares = {name: float(np.mean(rows)) for name, rows in by_clip.items() if rows}
        low, high = interval(shares, people)
        mean = 100 * float(np.mean(list(shares.values())))
        print(f"  {length:4d} frames {mean:5.1f} [{100 * low:.1f}, {100 * high:.1f}] {len(shares)}", end="   ")
        print(" ".join(f"{name.split('.')[0]} {100 * share:.0f}" for name, share in sorted(shares.items())))


def interval(shares: dict[str, float], people: dict[str, str]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean share, over people."""
    generator = np.random.default_rng(0)
    groups = [
        [shares[name] for name in shares if people[name] == person] for person in sorted({people[n] for n in shares})
    ]
    means = []
    for _ in range(2000):
        rows = [share for i in generator.integers(0, len(groups), len(groups)) for share in groups[i]]
        means.append(np.mean(rows))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def print_subframe_errors(found: dict[str, Curves], people: dict[str, str]) -> None:
    """Print the errors of sub-frame peaks against the clip's own, and the clips' offsets from the table's zero."""
    reach = len(LAGS) // 2
    middle = slice(MAX_LAG_FRAMES * LAGS_PER_FRAME - reach, MAX_LAG_FRAMES * LAGS_PER_FRAME + reach + 1)
    zeros = {name: float(peak_lags(curves[0][:, middle])[0]) for name, curves in found.items()}
    for length in (50, 125):
        errors = [np.abs(peak_lags(c[length][:, middle]) - zeros[n]) for n, c in found.items() if length in c]
        print(f"sub-frame, {length} frames: median error {1000 * float(np.median(np.concatenate(errors))):.1f} ms")
    spread = float(np.std(list(zeros.values())))
    offsets = ", ".join(f"{name} {1000 * zero:+.0f}" for name, zero in sorted(zeros.items()))
    print(f"zeros: {offsets} ms; spread {1000 * spread:.0f} ms")


def calibrate(found: dict[str, Curves], people: dict[str, str], path: Path) -> dict[str, object]:
    """Fit the confidence as a function of the margin, print its calibration on held-out people, and return it."""
    rows, names = examples(found)
    x, y = rows[:, :4], rows[:, 4]
    persons = np.array([people[name] for name in names])
    confidence = np.zeros(len(y))
    for person in np.unique(persons):
        confidence[persons == person] = probabilities(
            x[persons == person], logistic(x[persons != person], y[persons != person], persons[persons != person])
        )
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99), (0.99, 1.01)):
        inside = (confidence >= low) & (confidence < high)
        accuracy = y[inside].mean() if inside.any() else float("nan")
        print(f"confidence {low}-{high}: {inside.mean():.3f} of windows, correct {accuracy:.3f}")
    inside = confidence >= 0.9
    print(f"confidence 0.9 or more: correct {y[inside].mean():.4f} of {inside.sum()} windows")
    middle = slice(
        MAX_LAG_FRAMES * LAGS_PER_FRAME - len(LAGS) // 2, MAX_LAG_FRAMES * LAGS_PER_FRAME + len(LAGS) // 2 + 1
    )
    zeros = [float(peak_lags(curves[0][:, middle])[0]) for curves in found.values()]
    calibration = {"weights": logistic(x, y, persons).round(4).tolist(), "spread": round(float(np.std(zeros)), 4)}
    path.write_text(json.dumps(calibration))
    return calibration


def examples(found: dict[str, Curves]) -> tuple[np.ndarray, list[str]]:
    """Return rows of margin features over a second on each side, with correctness last, and their clips' names."""
    rows, names = [], []
    reach = len(LAGS) // 2
    for name, curves in found.items():
        base = baseline(curves)
        for length, windows in curves.items():
            seconds = (length or 0) * FRAME_SECONDS
            if not length:
                continue
            for row in windows:
                for shift in np.random.default_rng(len(rows)).integers(-reach + 20, reach - 19, 2):
                    # The true lag is ``shift``; lags that were not computed are left out.
                    steps = np.arange(-reach, reach + 1) - shift + base + MAX_LAG_FRAMES * LAGS_PER_FRAME
                    values = np.where(
                        (steps >= 0) & (steps < len(row)), row[np.clip(steps, 0, len(row) - 1)], row.min()
                    )
                    best = int(values.argmax()) - reach
                    margin = peak_margin(values)
                    correct = abs(best - shift) * 0.01 <= FRAME_SECONDS + 1e-9
                    rows.append((1.0, margin, margin * np.sqrt(seconds), np.log(seconds), float(correct)))
                    names.append(name)
    return np.array(rows), names


def logistic(x: np.ndarray, y: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Fit a logistic regression by Newton's method, with equal weight for each person and a small ridge penalty."""
    _, indices, counts = np.unique(persons, return_inverse=True, return_counts=True)
    weight = 1 / counts[indices]
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = probabilities(x, weights)
        gradient = x.T @ (weight * (p - y)) + 1e-3 * weights
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(weights))
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def probabilities(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the probabilities of a logistic regression."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x @ weights, -30, 30))))


def energy_curves(clip: TalkingClip, length: int, stride: int, max_lag: int = 30) -> Tensor | None:
    """Return correlations of the opening of the lips with the loudness, in the form of ``similarity_curves``."""
    if len(clip) < length:
        return None
    opening = (clip.points[:, 35, :2] - clip.points[:, 25, :2]).norm(dim=1)
    loudness = functional.pad(clip.mel.logsumexp(1), (1, 2)).unfold(0, LAGS_PER_FRAME, 1).mean(1)
    starts = range(0, len(clip) - length + 1, stride)
    lags = range(-max_lag * LAGS_PER_FRAME, max_lag * LAGS_PER_FRAME + 1)
    rows = [
        [
            _correlation(
                opening[s : s + length],
                loudness[(s + AUDIO_CONTEXT_FRAMES) * LAGS_PER_FRAME + lag :: LAGS_PER_FRAME][:length],
            )
            for lag in lags
        ]
        for s in starts
    ]
    return torch.tensor(rows)


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm() + 1e-9))


if __name__ == "__main__":
    main()
