"""Evaluate a generator of moving shapes exactly, beside synthetic clips and corrupted ones.

python benchmarks/moving_shapes.py MODEL [--clips 300] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from kinoscope.core.intervals import binomial_interval
from kinoscope.core.metrics.shapes import SHAPES, ShapeReading, evaluate_moving_shapes, read_moving_shape
from kinoscope.models.trainable.generators import TrainedGenerator
from kinoscope.source.synthetic.moving_shapes import draw_moving


def print_row(name: str, readings: list[ShapeReading], rate: float, intended: list[str]) -> None:
    shares = evaluate_moving_shapes(readings, rate, intended)
    low, high = binomial_interval(round(shares["steady"] * len(readings)), len(readings))
    text = "  ".join(f"{measure} {100 * share:5.1f} %" for measure, share in shares.items())
    print(f"{name:<22} {text}  (steady {100 * low:.1f} to {100 * high:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = TrainedGenerator(options.model)
    metadata, random = generator.metadata, np.random.default_rng(options.seed)
    intended = [SHAPES[i % len(SHAPES)] for i in range(options.clips)]
    generated = generator.sample(
        options.clips, options.seed, labels=[metadata.classes.index(shape) for shape in intended]
    )
    synthetic = [
        draw_moving(10**6 + i, metadata.frames, metadata.rate, metadata.size, shape=shape)[0]
        for i, shape in enumerate(intended)
    ]
    readings = [read_moving_shape(clip) for clip in generated]
    print_row("generated", readings, metadata.rate, intended)
    print_row("synthetic", [read_moving_shape(clip) for clip in synthetic], metadata.rate, intended)
    shuffled = [read_moving_shape(clip[random.permutation(len(clip))]) for clip in synthetic]
    print_row("synthetic, shuffled", shuffled, metadata.rate, intended)
    mixed = [np.concatenate([a[:8], b[8:]]) for a, b in zip(synthetic, synthetic[1:] + synthetic[:1], strict=True)]
    print_row("synthetic, two concatenated", [read_moving_shape(clip) for clip in mixed], metadata.rate, intended)
    for kind in SHAPES:
        shapes = Counter(
            reading.shape or "nothing" for reading, wanted in zip(readings, intended, strict=True) if wanted == kind
        )
        print(f"  requested {kind}: {dict(shapes)}")


if __name__ == "__main__":
    main()
