"""Simplification of tracks: fewer boxes, with linear interpolation between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.results import Boxes

_CHUNK_BOXES = 512


def simplify_boxes(boxes: Boxes, max_error: float) -> NDArray[np.intp]:
    """Select boxes such that linear interpolation stays within ``max_error`` pixels of every box left out.

    Douglas-Peucker on the four sides together, in chunks of 512 boxes so that long tracks stay fast.

    Returns:
        (K,) indices of the selected boxes, ascending.
    """
    marks = [*range(0, len(boxes) - 1, _CHUNK_BOXES), len(boxes) - 1]
    keep, spans = set(marks), list(pairwise(marks))
    while spans:
        first, last = spans.pop()
        index, deviation = _max_deviation(boxes[first : last + 1, :5])
        if deviation > max_error:
            middle = first + index
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return np.array(sorted(keep))


def _max_deviation(rows: Float64Array) -> tuple[int, float]:
    """Return index and size (pixels) of the largest deviation of rows (N, 5) from the line between the first and last.

    Rows are time and box; ends deviate by 0.
    """
    elapsed = rows[:, 0] - rows[0, 0]
    weight = elapsed / elapsed[-1] if elapsed[-1] else elapsed
    line = rows[0, 1:] + weight[:, None] * (rows[-1, 1:] - rows[0, 1:])
    deviations = np.abs(rows[:, 1:] - line).max(axis=1)
    deviations[[0, -1]] = 0
    return int(deviations.argmax()), float(deviations.max())
