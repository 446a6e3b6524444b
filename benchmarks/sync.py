"""How often the offset of sound against lips is found, on people whom the network has not learned from.

python benchmarks/sync.py --data FOLDER --table recipes/talking.csv --out runs/sync-folds

People are parted into folds; for each fold, pairs of streams learn from all others. A window of the picture is
compared with the sound around it, which is shifted by a drawn number of frames within 15; it is right if that shift is
found within a frame, relative to what is measured on the whole clip. Beside it: the same with the opening of the lips
against loudness, and chance. The likenesses also give the calibration of the confidence, by other people's windows.
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
    FACTS,
    LAGS_PER_FRAME,
    WEIGHTS,
    SyncModelMetadata,
    load_pairs,
    save_sync_model,
)
from kinoscope.nets.syncnet import SyncNet
from kinoscope.training.sync.data import AROUND, TalkingClip, read_table, read_talking_clips
from kinoscope.training.sync.train import SyncOptions, curves_of, train_pair

SHIFT, MOST = 15, 30
"""Frames that sound is shifted by at most, and frames of lags that are computed on each side."""

LENGTHS = {5: 5, 15: 5, 25: 5, 50: 5, 125: 10}
"""Frames of a window, and from one window to the next."""

Curves = dict[int, np.ndarray]
"""By length of the windows: (W, 2 * 30 * 4 + 1) likenesses at lags 10 ms apart."""


def main() -> None:
    """Train, measure and print."""
    options = parse()
    torch.set_num_threads(options.threads)
    talks, broken = read_talking_clips(options.data, read_table(options.table))
    seconds = sum(map(len, talks)) * FRAME_SECONDS
    print(f"{len(talks)} clips, {len({talk.person for talk in talks})} people, {seconds:.0f} s", broken)
    found: dict[str, Curves] = {}
    for number, people in enumerate(folds(talks, options.folds)):
        pairs = fold(talks, people, options, options.out / f"fold{number}")
        for talk in (talk for talk in talks if talk.person in people):
            found[talk.name] = all_curves(talk, lambda t, n, s, pairs=pairs: curves_of(pairs, t, n, s, MOST))
        print(f"fold {number}: {', '.join(sorted(people))}", file=sys.stderr, flush=True)
    energy = {talk.name: all_curves(talk, lambda t, n, s: energy_curves(t, n, s, MOST)) for talk in talks}
    people = {talk.name: talk.person for talk in talks}
    show("network", found, people)
    show("lip opening against loudness", energy, people)
    print(f"chance: {100 * 3 / (2 * SHIFT + 1):.1f} %")
    fine(found, people)
    calibration = calibrate(found, people, options.out / "calibration.json")
    print("calibration", calibration)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of talking clips")
    parser.add_argument("--table", type=Path, required=True, help="CSV: clip, person, offset")
    parser.add_argument(
        "--out", type=Path, required=True, help="where the folds' models are kept; those there are used"
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--points", type=int, default=2, help="pairs that see points")
    parser.add_argument("--pixels", type=int, default=1, help="pairs that see pixels")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def folds(talks: Sequence[TalkingClip], count: int) -> list[set[str]]:
    """Part the people into folds of about equal length of talk."""
    seconds = {talk.person: 0 for talk in talks}
    for talk in talks:
        seconds[talk.person] += len(talk)
    parts: list[set[str]] = [set() for _ in range(count)]
    for person in sorted(seconds, key=lambda p: -seconds[p]):
        min(parts, key=lambda part: sum(seconds[p] for p in part)).add(person)
    return parts


def fold(
    talks: Sequence[TalkingClip], people: set[str], options: argparse.Namespace, folder: Path
) -> list[tuple[str, SyncNet]]:
    """Give pairs that have learned from all but some people, from disk where they are there."""
    kinds = ["points"] * options.points + ["pixels"] * options.pixels
    if not (folder / FACTS).exists():
        others = [talk for talk in talks if talk.person not in people]
        plans = [SyncOptions(kind=kind, steps=options.steps, seed=seed) for seed, kind in enumerate(kinds)]
        pairs = [train_pair(others, plan) for plan in plans]
        save_sync_model(folder, pairs, SyncModelMetadata(pairs=tuple(kinds)), half=False)
        (folder / "people.json").write_text(json.dumps(sorted(people)))
    files = {name: folder / name for name in (FACTS, WEIGHTS)}
    return list(zip(kinds, load_pairs(files), strict=True))


def all_curves(talk: TalkingClip, ask: Callable[[TalkingClip, int, int], torch.Tensor | None]) -> Curves:
    """Give the likenesses of all windows, and, under 0, of the whole clip."""
    told = {length: ask(talk, length, stride) for length, stride in (LENGTHS | {75: 10}).items()}
    told[0] = ask(talk, len(talk), 1)
    return {length: rows.numpy() for length, rows in told.items() if rows is not None}


def baseline(curves: Curves, reach: int = 5) -> int:
    """Give the lag in steps at which the whole clip fits best, near 0, where all clips are by the table."""
    whole, zero = curves[0][0], MOST * LAGS_PER_FRAME
    near = slice(zero - reach * LAGS_PER_FRAME, zero + reach * LAGS_PER_FRAME + 1)
    return int(whole[near].argmax()) - reach * LAGS_PER_FRAME


def shifted(
    curves: Curves, length: int, generator: np.random.Generator, draws: int = 8
) -> Iterator[tuple[bool, float]]:
    """Yield for windows under drawn shifts whether the shift was found within a frame, and the margin."""
    base = baseline(curves)
    for row in curves.get(length, np.zeros((0, 0))):
        for shift in generator.integers(-SHIFT, SHIFT + 1, draws):
            places = np.arange(-SHIFT, SHIFT + 1) - shift
            steps = np.clip(places * LAGS_PER_FRAME + base + MOST * LAGS_PER_FRAME, 0, len(row) - 1)
            values = row[steps]
            best = int(values.argmax())
            far = np.abs(np.arange(len(values)) - best) > 2
            yield abs(int(places[best])) <= 1, float(values[best] - values[far].max())


def show(title: str, found: dict[str, Curves], people: dict[str, str]) -> None:
    """Print the share of right windows by length: the mean over clips, its interval over people, and each clip."""
    print(f"\n{title}: % within a frame, [95 % interval over people], clips")
    generator = np.random.default_rng(7)
    rates = {n: {name: [ok for ok, _ in shifted(c, n, generator)] for name, c in found.items()} for n in LENGTHS}
    for length, by_clip in rates.items():
        shares = {name: float(np.mean(rows)) for name, rows in by_clip.items() if rows}
        low, high = interval(shares, people)
        mean = 100 * float(np.mean(list(shares.values())))
        print(f"  {length:4d} frames {mean:5.1f} [{100 * low:.1f}, {100 * high:.1f}] {len(shares)}", end="   ")
        print(" ".join(f"{name.split('.')[0]} {100 * share:.0f}" for name, share in sorted(shares.items())))


def interval(shares: dict[str, float], people: dict[str, str]) -> tuple[float, float]:
    """Draw people anew (bootstrap)."""
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


def fine(found: dict[str, Curves], people: dict[str, str]) -> None:
    """Print how far sub-frame peaks are from the clip's own, and from the table's zero."""
    reach = len(LAGS) // 2
    middle = slice(MOST * LAGS_PER_FRAME - reach, MOST * LAGS_PER_FRAME + reach + 1)
    zeros = {name: float(peak_lags(curves[0][:, middle])[0]) for name, curves in found.items()}
    for length in (50, 125):
        errors = [np.abs(peak_lags(c[length][:, middle]) - zeros[n]) for n, c in found.items() if length in c]
        print(f"sub-frame, {length} frames: median error {1000 * float(np.median(np.concatenate(errors))):.1f} ms")
    spread = float(np.std(list(zeros.values())))
    told = ", ".join(f"{name} {1000 * zero:+.0f}" for name, zero in sorted(zeros.items()))
    print(f"zeros: {told} ms; spread {1000 * spread:.0f} ms")


def calibrate(found: dict[str, Curves], people: dict[str, str], path: Path) -> dict[str, object]:
    """Fit what a margin is worth, and print how well it tells on people it was not fitted on."""
    rows, names = examples(found)
    x, y = rows[:, :4], rows[:, 4]
    persons = np.array([people[name] for name in names])
    told = np.zeros(len(y))
    for person in np.unique(persons):
        told[persons == person] = chance(
            x[persons == person], logistic(x[persons != person], y[persons != person], persons[persons != person])
        )
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99), (0.99, 1.01)):
        here = (told >= low) & (told < high)
        right = y[here].mean() if here.any() else float("nan")
        print(f"confidence {low}-{high}: {here.mean():.3f} of windows, right {right:.3f}")
    here = told >= 0.9
    print(f"confidence 0.9 or more: right {y[here].mean():.4f} of {here.sum()} windows")
    middle = slice(MOST * LAGS_PER_FRAME - len(LAGS) // 2, MOST * LAGS_PER_FRAME + len(LAGS) // 2 + 1)
    zeros = [float(peak_lags(curves[0][:, middle])[0]) for curves in found.values()]
    calibration = {"weights": logistic(x, y, persons).round(4).tolist(), "spread": round(float(np.std(zeros)), 4)}
    path.write_text(json.dumps(calibration))
    return calibration


def examples(found: dict[str, Curves]) -> tuple[np.ndarray, list[str]]:
    """Give margins over a second on each side, and whether the best lag is within a frame of the clip's own."""
    rows, names = [], []
    reach = len(LAGS) // 2
    for name, curves in found.items():
        base = baseline(curves)
        for length, some in curves.items():
            seconds = (length or 0) * FRAME_SECONDS
            if not length:
                continue
            for row in some:
                for shift in np.random.default_rng(len(rows)).integers(-reach + 20, reach - 19, 2):
                    # A lag of ``shift`` is the true one; what lies beyond the lags that are computed is left out.
                    places = np.arange(-reach, reach + 1) - shift + base + MOST * LAGS_PER_FRAME
                    values = np.where(
                        (places >= 0) & (places < len(row)), row[np.clip(places, 0, len(row) - 1)], row.min()
                    )
                    best = int(values.argmax()) - reach
                    m = peak_margin(values)
                    right = abs(best - shift) * 0.01 <= FRAME_SECONDS + 1e-9
                    rows.append((1.0, m, m * np.sqrt(seconds), np.log(seconds), float(right)))
                    names.append(name)
    return np.array(rows), names


def logistic(x: np.ndarray, y: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Fit weights by Newton's method, each person counting the same, with a small ridge."""
    _, into, counts = np.unique(persons, return_inverse=True, return_counts=True)
    weight = 1 / counts[into]
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = chance(x, weights)
        gradient = x.T @ (weight * (p - y)) + 1e-3 * weights
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(weights))
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def chance(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x @ weights, -30, 30))))


def energy_curves(talk: TalkingClip, length: int, stride: int, most: int = 30) -> Tensor | None:
    """Give what the opening of the lips against the loudness of the sound says: correlations, as ``curves_of``."""
    if len(talk) < length:
        return None
    opening = (talk.points[:, 35, :2] - talk.points[:, 25, :2]).norm(dim=1)
    loudness = functional.pad(talk.mel.logsumexp(1), (1, 2)).unfold(0, LAGS_PER_FRAME, 1).mean(1)
    starts = range(0, len(talk) - length + 1, stride)
    lags = range(-most * LAGS_PER_FRAME, most * LAGS_PER_FRAME + 1)
    rows = [
        [
            _correlation(
                opening[s : s + length], loudness[(s + AROUND) * LAGS_PER_FRAME + lag :: LAGS_PER_FRAME][:length]
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
