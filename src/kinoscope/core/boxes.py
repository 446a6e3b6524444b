"""Box arithmetic. A box is (x1, y1, x2, y2) in pixels; arrays of boxes are (N, 4) float64."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array


def areas(boxes: Float64Array) -> Float64Array:
    """Give the area of each box, (N,); 0 where a box is inside out."""
    sides = np.maximum(boxes[:, 2:4] - boxes[:, 0:2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(a: Float64Array, b: Float64Array) -> Float64Array:
    """Give the shared area of every pair, (len(a), len(b))."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Give intersection over union of every pair, (len(a), len(b)); 0 where both are empty."""
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def nms(boxes: Float64Array, scores: Float64Array, threshold: float, over_smaller: bool = False) -> Int64Array:
    """Greedy non-maximum suppression: keep a box unless a better kept one overlaps it by more than ``threshold``.

    Args:
        boxes: (N, 4).
        scores: (N,).
        threshold: largest overlap that two kept boxes may have.
        over_smaller: measure overlap over the smaller box's area instead of over the union.

    Returns:
        Indices of the kept boxes, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    area, kept = areas(boxes), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        shared = intersections(boxes[best : best + 1], boxes[order])[0]
        whole = np.minimum(area[best], area[order]) if over_smaller else area[best] + area[order] - shared
        order = order[shared <= threshold * whole]
    return np.array(kept, np.int64)


def clip(boxes: Float64Array, width: float, height: float) -> Float64Array:
    """Cut boxes at the edges of a picture of that size."""
    limits = np.array([width, height, width, height])
    return np.asarray(np.clip(boxes, 0, limits))
