"""Segments of long videos by thresholds and with learned edges.

    python benchmarks/segments.py WEIZMANN [--folder FOLDER] [--seeds 3]

From the Weizmann actions (Gorelick et al., "Actions as Space-Time Shapes", TPAMI 2007; class folders of image strips,
the person is the file's number // 8) long videos are made: the clips of one person one after another in random order,
with one to three seconds between them in which the person stands still. Persons are dealt into three thirds: of one the
classifier learns, of the next the edges, on the last both are scored; each third has each role once.
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
    """Give the strips of each person, with their classes."""
    by_person: dict[int, list[tuple[str, Path]]] = {}
    for path in sorted(data.glob("*/*")):
        number = int("".join(letter for letter in path.stem if letter.isdigit()) or 0)
        by_person.setdefault(number // 8, []).append((path.parent.name, path))
    return by_person


def frames(path: Path) -> list[np.ndarray]:
    """Read the square pictures of a strip."""
    strip = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return [strip[:, i : i + SIDE] for i in range(0, strip.shape[1] - SIDE + 1, SIDE)]


def film(clips: list[tuple[str, Path]], path: Path, generator: np.random.Generator) -> list[dict[str, object]]:
    """Write a long video, and give its segments."""
    pictures: list[np.ndarray] = []
    segments: list[dict[str, object]] = []
    for label, strip in generator.permutation(np.array(clips, object)).tolist():
        shown = frames(strip)
        pictures += [shown[0]] * int(generator.integers(RATE, 3 * RATE))
        start = len(pictures)
        pictures += shown
        segments.append({"label": label, "segment": [start / RATE, len(pictures) / RATE]})
    pictures += [pictures[-1]] * RATE
    with Writer(path, size=(SIDE, SIDE), rate=RATE, quality=12) as writer:
        for i, picture in enumerate(pictures):
            writer.write(Frame(np.ascontiguousarray(picture), Fraction(i, RATE), i))
    return segments


def prepare(data: Path, folder: Path, roles: dict[str, list[int]], seed: int) -> Path:
    """Link the classifier's clips, write the videos of the others, and give their table."""
    people, generator = strips(data), np.random.default_rng(seed)
    for person in roles["clips"]:
        for label, path in people[person]:
            (folder / "clips" / label).mkdir(parents=True, exist_ok=True)
            (folder / "clips" / label / path.name).symlink_to(path.resolve())
    database: dict[str, object] = {}
    for subset, name in (("training", "edges"), ("testing", "test")):
        for person in roles[name]:
            for take in range(3):
                key = f"person{person}take{take}"
                segments = film(people[person], folder / f"{key}.mp4", generator)
                database[key] = {"subset": subset, "annotations": segments}
    table = folder / "videos.json"
    table.write_text(json.dumps({"database": database}))
    return table


def measure(data: Path, folder: Path, roles: dict[str, list[int]], seed: int) -> dict[str, dict[str, object]]:
    table = prepare(data, folder, roles, seed)
    words = ["val=0.34", "epochs=30", f"seed={seed}"]
    command = [sys.executable, "-m", "kinoscope", "train", "classify", str(folder / "clips"), *words]
    subprocess.run([*command, "-o", str(folder / "model"), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    done = kinoscope.train("segments", str(table), f"model={folder / 'model'}", f"seed={seed}", quiet=True)
    plain = done.to_dict()
    return {name: plain[name] for name in ("thresholds", "learned")}


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
        for turn in range(3):
            roles = dict(zip(("clips", "edges", "test"), thirds[turn:] + thirds[:turn], strict=True))
            place = folder / f"{seed}-{turn}"
            place.mkdir(parents=True)
            for name, scores in measure(options.data, place, roles, seed).items():
                rows[name].append([scores["average_map"], scores["by_overlap"]["0.5"], scores["by_overlap"]["0.75"]])
            print(
                seed,
                turn,
                {name: np.round(100 * np.array(row[-1]), 1).tolist() for name, row in rows.items()},
                flush=True,
            )
    for name, values in rows.items():
        pairs = zip(100 * np.mean(values, 0), 100 * np.std(values, 0, ddof=1), strict=True)
        told = ", ".join(f"{mean:.1f} ± {spread:.1f}" for mean, spread in pairs)
        print(f"{name:>11}: mAP, at an overlap of 0.5 and of 0.75: {told}")


if __name__ == "__main__":
    main()
