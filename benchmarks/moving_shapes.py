"""Measure what a generator of moving shapes makes, exactly, beside drawn clips and spoiled ones.

python benchmarks/moving_shapes.py MODEL [--clips 300] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from kinoscope.core.metrics.shapes import SHAPES, ShapeReading, evaluate_moving_shapes, read_moving_shape
from kinoscope.core.metrics.verification import binomial_interval
from kinoscope.models.trainable.generators import Generator
from kinoscope.source.synthetic.moving_shapes import draw_moving


def row(name: str, readings: list[ShapeReading], rate: float, intended: list[str]) -> None:
    found = evaluate_moving_shapes(readings, rate, intended)
    low, high = binomial_interval(round(found["steady"] * len(readings)), len(readings))
    shares = "  ".join(f"{measure} {100 * share:5.1f} %" for measure, share in found.items())
    print(f"{name:<22} {shares}  (steady {100 * low:.1f} to {100 * high:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = Generator(options.model)
    facts, random = generator.metadata, np.random.default_rng(options.seed)
    intended = [SHAPES[i % len(SHAPES)] for i in range(options.clips)]
    made = generator.sample(options.clips, options.seed, labels=[facts.classes.index(one) for one in intended])
    drawn = [
        draw_moving(10**6 + i, facts.frames, facts.rate, facts.size, shape=shape)[0] for i, shape in enumerate(intended)
    ]
    readings = [read_moving_shape(clip) for clip in made]
    row("made", readings, facts.rate, intended)
    row("drawn", [read_moving_shape(clip) for clip in drawn], facts.rate, intended)
    shuffled = [read_moving_shape(clip[random.permutation(len(clip))]) for clip in drawn]
    row("drawn, shuffled", shuffled, facts.rate, intended)
    mixed = [np.concatenate([a[:8], b[8:]]) for a, b in zip(drawn, drawn[1:] + drawn[:1], strict=True)]
    row("drawn, two put together", [read_moving_shape(clip) for clip in mixed], facts.rate, intended)
    for kind in SHAPES:
        told = Counter(one.shape or "nothing" for one, wanted in zip(readings, intended, strict=True) if wanted == kind)
        print(f"  asked for a {kind}: {dict(told)}")


if __name__ == "__main__":
    main()
