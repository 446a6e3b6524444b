"""The recipes behind the shipped generators: what they learn from, with which options, and how they are scored.

python recipes/generators.py shapes OUT              (moving shapes, drawn as they are needed)
python recipes/generators.py people OUT --data DIR   (the Weizmann actions as strips: DIR/0, 1, 3, 4; file's number // 8
                                                     is the person)

Each trains in OUT/run, can be interrupted and called again, and writes what is shipped, in float16, into OUT/model.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from kinoscope import train
from kinoscope.models.generators import Generator, save_generator

ACTIONS = {"0": "one hand waves", "1": "two hands wave", "3": "jumping jack", "4": "bend"}

OPTIONS = {
    "shapes": ("size=32", "rigid=true", "batch=12", "shown=4", "augment=none", "spread=4", "steps=200"),
    "people": ("rate=12.5", "batch=6", "steps=100", "spread=4", "anneal=10000"),
}
EPOCHS = {"shapes": 60, "people": 60}


def table(data: Path, out: Path) -> Path:
    """Write a table of the clips of Weizmann: path, action and person."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "people.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("path", "label", "group"))
        for folder, action in ACTIONS.items():
            for path in sorted((data / folder).glob("*.jpg")):
                rows.writerow((path.resolve(), action, f"person{int(path.stem) // 8}"))
    return out / "people.csv"


def main() -> None:
    """Train one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=OPTIONS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    if options.name == "people" and options.data is None:
        parser.error("people needs --data, the folder of the Weizmann actions")
    run, epochs = options.out / "run", f"epochs={options.epochs or EPOCHS[options.name]}"
    if (run / "checkpoints").exists():
        train("generate", epochs, resume=run)
    else:
        data = table(options.data, options.out) if options.data else "synthetic:moving"
        train("generate", str(data), *OPTIONS[options.name], epochs, out=run)
    generator = Generator(run, "cpu")
    save_generator(options.out / "model", generator.net, replace(generator.facts, data=options.name))
    print(options.out / "model")


if __name__ == "__main__":
    main()
