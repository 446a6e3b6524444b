"""Generated and real clips side by side."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from kinoscope.pipeline.evaluation.generators import PAIRS, _pairs
from kinoscope.training.generation.metrics import ClipSet, GenerationScores


def numbered(count: int) -> ClipSet:
    """Return clips whose grey level is their number."""
    levels = np.arange(count, dtype=np.uint8)[:, None, None, None, None]
    return ClipSet(pixels=np.broadcast_to(levels, (count, 2, 4, 4, 3)))


def test_the_pairs_are_those_with_the_smallest_distance_each_before_the_real_one() -> None:
    count = PAIRS + 4
    distances = [float((number * 7) % count) for number in range(count)]
    scores: Any = SimpleNamespace(nearest=[count - 1 - number for number in range(count)], nearest_pixels=distances)
    pairs = _pairs(cast(GenerationScores, scores), numbered(count), numbered(count))
    nearest = sorted(range(count), key=distances.__getitem__)[:PAIRS]
    assert pairs[::2, 0, 0, 0, 0].tolist() == nearest
    assert pairs[1::2, 0, 0, 0, 0].tolist() == [count - 1 - number for number in nearest]
