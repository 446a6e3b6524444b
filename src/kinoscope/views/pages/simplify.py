"""Fewer boxes that say the same: straight lines between the ones that are kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.results import Boxes

_CHUNK_BOXES = 512


def simplify_boxes(boxes: Boxes, bound: float) -> NDArray[np.intp]:
    """Choose boxes between which straight lines stay within ``bound`` pixels of every box left out.

    Douglas-Peucker on the four edges together, in stretches of 512 boxes so that long tracks stay quick.

    Returns:
        (K,) positions of the boxes to keep, rising.
    """
    marks = [*range(0, len(boxes) - 1, _CHUNK_BOXES), len(boxes) - 1]
    keep, spans = set(marks), list(pairwise(marks))
    while spans:
        first, last = spans.pop()
        worst = _max_deviation(boxes[first : last + 1, :5])
        if worst[1] > bound:
            middle = first + worst[0]
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return np.array(sorted(keep))


def _max_deviation(stretch: Float64Array) -> tuple[int, float]:
    """Give the place and size (pixels) of the largest distance to the straight line between the ends."""
    elapsed = stretch[:, 0] - stretch[0, 0]
    share = elapsed / elapsed[-1] if elapsed[-1] else elapsed
    line = stretch[0, 1:] + share[:, None] * (stretch[-1, 1:] - stretch[0, 1:])
    gaps = np.abs(stretch[:, 1:] - line).max(axis=1)
    gaps[[0, -1]] = 0
    return int(gaps.argmax()), float(gaps.max())
