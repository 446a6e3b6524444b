"""Evaluate segments of long videos by thresholds and with learned boundaries.

    python benchmarks/segments.py WEIZMANN [--folder FOLDER] [--seeds 3]

Long videos are composed of the Weizmann actions (Gorelick et al., "Actions as Space-Time Shapes", TPAMI 2007; class
folders of image strips, the person is the file's number // 8): the clips of one person in random order, with one to
three seconds between them in which the person stands still. People are split into thirds: the classifier is trained on
one, the boundaries on the next, both are tested on the last; each third has each role once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

import kinoscope
from kinoscope.core.media import Frame
from kinoscope.source.encode.writer import Writer

RATE = 25
SIDE = 64


def strips(data: Path) -> dict[int, list[tuple[str, Path]]]:
    """Return the strips of each person, with their classes."""
    by_person: dict[int, list[tuple[str, Path]]] = {}
    for path in sorted(data.glob("*/*")):
        number = int("".join(letter for letter in path.stem if letter.isdigit()) or 0)
        by_person.setdefault(number // 8, []).append((path.parent.name, path))
    return by_person


def frames(path: Path) -> list[np.ndarray]:
    """Read the square frames of a strip."""
    strip = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return [strip[:, i : i + SIDE] for i in range(0, strip.shape[1] - SIDE + 1, SIDE)]


def write_video(clips: list[tuple[str, Path]], path: Path, generator: np.random.Generator) -> list[dict[str, object]]:
    """Write a long video, and return its segments."""
    sequence: list[np.ndarray] = []
    segments: list[dict[str, object]] = []
    for label, strip in generator.permutation(np.array(clips, object)).tolist():
        action = frames(strip)
        sequence += [action[0]] * int(generator.integers(RATE, 3 * RATE))
        start = len(sequence)
        sequence += action
        segments.append({"label": label, "segment": [start / RATE, len(sequence) / RATE]})
    sequence += [sequence[-1]] * RATE
    with Writer(path, size=(SIDE, SIDE), rate=RATE, quality=12) as writer:
        for i, pixels in enumerate(sequence):
            writer.write(Frame(np.ascontiguousarray(pixels), Fraction(i, RATE), i))
    return segments


def prepare(data: Path, folder: Path, roles: dict[str, list[int]], seed: int) -> Path:
    """Link the classifier's clips, write the videos of the others, and return the path of their annotations."""
    people, generator = strips(data), np.random.default_rng(seed)
    for person in roles["clips"]:
        for label, path in people[person]:
            (folder / "clips" / label).mkdir(parents=True, exist_ok=True)
            (folder / "clips" / label / path.name).symlink_to(path.resolve())
    database: dict[str, object] = {}
    for subset, name in (("training", "boundaries"), ("testing", "test")):
        for person in roles[name]:
            for take in range(3):
                key = f"person{person}take{take}"
                segments = write_video(people[person], folder / f"{key}.mp4", generator)
                database[key] = {"subset": subset, "annotations": segments}
    table = folder / "videos.json"
    table.write_text(json.dumps({"database": database}))
    return table


def measure(data: Path, folder: Path, roles: dict[str, list[int]], seed: int) -> dict[str, dict[str, object]]:
    table = prepare(data, folder, roles, seed)
    options = ["val=0.34", "epochs=30", f"seed={seed}"]
    command = [sys.executable, "-m", "kinoscope", "train", "classify", str(folder / "clips"), *options]
    subprocess.run([*command, "-o", str(folder / "model"), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    done = kinoscope.train("segments", str(table), f"model={folder / 'model'}", f"seed={seed}", quiet=True)
    scores = done.to_dict()
    return {name: scores[name] for name in ("thresholds", "learned")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    people = sorted(strips(options.data))
    thirds = [people[i::3] for i in range(3)]
    folder = options.folder or Path(tempfile.mkdtemp())
    rows: dict[str, list[list[float]]] = {"thresholds": [], "learned": []}
    for seed in range(options.seeds):
        for split in range(3):
            roles = dict(zip(("clips", "boundaries", "test"), thirds[split:] + thirds[:split], strict=True))
            split_folder = folder / f"{seed}-{split}"
            split_folder.mkdir(parents=True)
            for name, scores in measure(options.data, split_folder, roles, seed).items():
                rows[name].append([scores["average_map"], scores["by_overlap"]["0.5"], scores["by_overlap"]["0.75"]])
            print(
                seed,
                split,
                {name: np.round(100 * np.array(row[-1]), 1).tolist() for name, row in rows.items()},
                flush=True,
            )
    for name, values in rows.items():
        pairs = zip(100 * np.mean(values, 0), 100 * np.std(values, 0, ddof=1), strict=True)
        columns = ", ".join(f"{mean:.1f} ± {std:.1f}" for mean, std in pairs)
        print(f"{name:>11}: mAP, mAP at IoU 0.5, mAP at IoU 0.75: {columns}")


if __name__ == "__main__":
    main()
