"""Box arithmetic. A box is (x1, y1, x2, y2) in pixels; arrays of boxes are (N, 4) float64."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array


def areas(boxes: Float64Array) -> Float64Array:
    """Return the area of each box, (N,); 0 for a box with negative sides."""
    sides = np.maximum(boxes[:, 2:4] - boxes[:, 0:2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(a: Float64Array, b: Float64Array) -> Float64Array:
    """Return the intersection area of every pair, (len(a), len(b))."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Return the intersection over union of every pair, (len(a), len(b)); 0 where both are empty."""
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def nms(boxes: Float64Array, scores: Float64Array, threshold: float, over_smaller: bool = False) -> Int64Array:
    """Return the boxes that greedy non-maximum suppression keeps: no better one overlaps them by over ``threshold``.

    Args:
        boxes: (N, 4).
        scores: (N,).
        threshold: maximum overlap of two kept boxes.
        over_smaller: measure overlap over the smaller box's area instead of over the union.

    Returns:
        Indices of the kept boxes, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    area, indices = areas(boxes), []
    while len(order):
        best, order = order[0], order[1:]
        indices.append(best)
        shared = intersections(boxes[best : best + 1], boxes[order])[0]
        denominator = np.minimum(area[best], area[order]) if over_smaller else area[best] + area[order] - shared
        order = order[shared <= threshold * denominator]
    return np.array(indices, np.int64)


def clip(boxes: Float64Array, width: float, height: float) -> Float64Array:
    """Clip boxes to an image of ``width`` x ``height`` pixels."""
    limits = np.array([width, height, width, height])
    return np.asarray(np.clip(boxes, 0, limits))
