"""Train and score the bundled generators: their data, options and metrics.

python recipes/generators.py shapes OUT              (moving shapes, synthesized on the fly)
python recipes/generators.py people OUT --data DIR   (the Weizmann actions as strips: DIR/0, 1, 3, 4; file's number // 8
                                                     is the person)

Each trains in OUT/run, can be interrupted and called again, and writes the bundled files, in float16 and with their
score, into OUT/model. That of people is scored by a classifier that is trained on the real clips only, in
OUT/classifier.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinoscope import evaluate, train
from kinoscope.core.metrics.shapes import evaluate_moving_shapes, read_moving_shape
from kinoscope.models.trainable.generators import TrainedGenerator, save_generator
from kinoscope.pipeline.evaluation.options import ScoredClipOptions

ACTIONS = {"0": "one hand waves", "1": "two hands wave", "3": "jumping jack", "4": "bend"}

OPTIONS = {
    "shapes": (
        "size=32",
        "rigid=true",
        "batch=12",
        "disc_frames=4",
        "augment=none",
        "diversity_weight=4",
        "ema=0.999",
        "steps=200",
    ),
    "people": ("rate=12.5", "batch=6", "steps=100", "anneal=10000"),
}
EPOCHS = {"shapes": 98, "people": 40}
DATA = {"shapes": "synthetic:moving", "people": "weizmann"}

CLASSIFIER = (
    "net=cnn-gru", "size=64x64", "frames=16", "rate=12.5", "val=0.25", "epochs=25", "batch=8", "unfreeze=1",
)  # fmt: skip
"""Options of the training of the classifier of actions."""


def table(data: Path, out: Path) -> Path:
    """Write a table of the clips of Weizmann: path, action and person; return its path."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "weizmann.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("path", "label", "group"))
        for folder, action in ACTIONS.items():
            for path in sorted((data / folder).glob("*.jpg")):
                rows.writerow((path.resolve(), action, f"person{int(path.stem) // 8}"))
    return out / "weizmann.csv"


def score_shapes(generator: TrainedGenerator, clips: int = 300) -> dict[str, Any]:
    """Return the shares of generated clips that show a valid and the requested shape."""
    names = generator.metadata.classes
    labels = [number % len(names) for number in range(clips)]
    readings = [read_moving_shape(clip) for clip in generator.sample(clips, labels=labels)]
    shares = evaluate_moving_shapes(readings, generator.metadata.rate, [names[label] for label in labels])
    return {"clips": clips} | {name: round(share, 3) for name, share in shares.items()}


def score_people(run: Path, clips: Path, out: Path) -> dict[str, Any]:
    """Return scores of generated clips against the real ones, in the features of a classifier of the real ones."""
    if not (out / "classifier" / "model.json").exists():
        train("classify", str(clips), *CLASSIFIER, out=out / "classifier")
    enough = ScoredClipOptions(n=144)
    result = evaluate(str(run), clips, clips=enough, features=str(out / "classifier"), out=out / "scores")
    assert result.generation is not None
    scores = result.generation.scores
    return {
        "protocol": scores.protocol.hash, "frechet video distance": round(scores.fvd, 2),
        "interval": [round(bound, 2) for bound in scores.interval],
        "halves of real clips": round(scores.baselines["as they are"], 2),
        "intended action told": round(scores.class_accuracy or 0, 3), "chance": scores.chance,
    }  # fmt: skip


def main() -> None:
    """Train a generator, score it, and write the bundled files."""
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
    generator = TrainedGenerator(run, "cpu")
    score = score_people(run, clips, options.out) if clips else score_shapes(generator)
    metadata = replace(generator.metadata, data=DATA[options.name], score=score)
    save_generator(options.out / "model", generator.net, metadata)
    print(options.out / "model", score)


if __name__ == "__main__":
    main()
