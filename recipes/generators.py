"""The recipes behind the shipped generators: what they learn from, with which options, and how they are scored.

python recipes/generators.py shapes OUT              (moving shapes, drawn as they are needed)
python recipes/generators.py people OUT --data DIR   (the Weizmann actions as strips: DIR/0, 1, 3, 4; file's number // 8
                                                     is the person)

Each trains in OUT/run, can be interrupted and called again, and writes what is shipped, in float16 and with its score,
into OUT/model. That of people is scored by a network that learns the actions from the real clips alone, in OUT/judge.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinoscope import evaluate, train
from kinoscope.core.metrics.shapes import evaluate_moving_shapes, read_moving_shape
from kinoscope.models.trainable.generators import Generator, save_generator

ACTIONS = {"0": "one hand waves", "1": "two hands wave", "3": "jumping jack", "4": "bend"}

OPTIONS = {
    "shapes": ("size=32", "rigid=true", "batch=12", "shown=4", "augment=none", "spread=4", "ema=0.999", "steps=200"),
    "people": ("rate=12.5", "batch=6", "steps=100", "anneal=10000"),
}
EPOCHS = {"shapes": 98, "people": 40}
DATA = {"shapes": "synthetic:moving", "people": "weizmann"}

JUDGE = (
    "net=cnn-gru", "size=64x64", "frames=16", "rate=12.5", "val=0.25", "epochs=25", "batch=8", "unfreeze=1",
)  # fmt: skip
"""How the network is trained that tells the actions."""


def table(data: Path, out: Path) -> Path:
    """Write a table of the clips of Weizmann: path, action and person."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "weizmann.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("path", "label", "group"))
        for folder, action in ACTIONS.items():
            for path in sorted((data / folder).glob("*.jpg")):
                rows.writerow((path.resolve(), action, f"person{int(path.stem) // 8}"))
    return out / "weizmann.csv"


def score_shapes(generator: Generator, clips: int = 300) -> dict[str, Any]:
    """Read back what made clips show."""
    names = generator.metadata.classes
    labels = [number % len(names) for number in range(clips)]
    readings = [read_moving_shape(clip) for clip in generator.sample(clips, labels=labels)]
    found = evaluate_moving_shapes(readings, generator.metadata.rate, [names[label] for label in labels])
    return {"clips": clips} | {name: round(share, 3) for name, share in found.items()}


def score_people(run: Path, clips: Path, out: Path) -> dict[str, Any]:
    """Compare made clips with the real ones, by a network that knows the real ones alone."""
    if not (out / "judge" / "model.json").exists():
        train("classify", str(clips), *JUDGE, out=out / "judge")
    told = evaluate(str(run), clips, n=144, features=str(out / "judge"), out=out / "scores")
    assert told.generation is not None
    scores = told.generation.scores
    return {
        "protocol": scores.protocol.hash, "frechet video distance": round(scores.fvd, 2),
        "interval": [round(one, 2) for one in scores.interval],
        "halves of real clips": round(scores.floors["as they are"], 2),
        "intended action told": round(scores.judged or 0, 3), "chance": scores.chance,
    }  # fmt: skip


def main() -> None:
    """Train one of them, score it, and write what is shipped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=OPTIONS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    if options.name == "people" and options.data is None:
        parser.error("people needs --data, the folder of the Weizmann actions")
    run, epochs = options.out / "run", f"epochs={options.epochs or EPOCHS[options.name]}"
    clips = table(options.data, options.out) if options.data else None
    if (run / "checkpoints").exists():
        train("generate", epochs, resume_from=run)
    else:
        train("generate", str(clips or DATA[options.name]), *OPTIONS[options.name], epochs, out=run)
    generator = Generator(run, "cpu")
    score = score_people(run, clips, options.out) if clips else score_shapes(generator)
    facts = replace(generator.metadata, data=DATA[options.name], score=score)
    save_generator(options.out / "model", generator.net, facts)
    print(options.out / "model", score)


if __name__ == "__main__":
    main()
