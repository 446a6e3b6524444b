"""Which tracks follow what another track follows already: the same thing boxed twice, perhaps under two names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.tasks.tracking.tracker import Tracklet

MIN_INDEPENDENT_SCORE = 0.6
"""Score from which a track beside another of its label is a thing of its own: people do walk close to each other."""

MIN_INSIDE_SHARE, MIN_SAME_LABEL_IOU = 0.75, 0.4
"""Share of its box inside the other's, or overlap (IoU) of the two, from which a doubtful one is the other's."""

MIN_OTHER_LABEL_IOU = 0.6
"""Overlap of boxes with two labels from which they are one thing: who sits on a bicycle is beside it for the most."""

MIN_TIME_SHARE = 0.8
"""Share of a track's detections that must be so."""


def find_duplicates(tracklets: Sequence[Tracklet]) -> set[int]:
    """Return the positions of those tracks that a track with a better score follows too, all through their time."""
    spans = np.array([(t.start, t.end) for t in tracklets]).reshape(-1, 2)
    scores = np.array([t.score for t in tracklets])
    found: set[int] = set()
    for n in np.argsort(scores, kind="stable").tolist():
        near = (spans[:, 0] <= spans[n, 1]) & (spans[n, 0] <= spans[:, 1]) & (scores >= scores[n])
        others = [m for m in np.flatnonzero(near).tolist() if m != n and m not in found]
        if any(_is_double(tracklets[n], tracklets[m]) for m in others):
            found.add(n)
    return found


def _is_double(one: Tracklet, other: Tracklet) -> bool:
    seen = one.detections
    there = (seen[:, 0] >= other.start) & (seen[:, 0] <= other.end)
    if there.mean() < MIN_TIME_SHARE:
        return False
    inside, overlap = _overlaps(seen[there], other.detections)
    if one.label != other.label:
        met = overlap >= MIN_OTHER_LABEL_IOU
    else:
        met = ((inside >= MIN_INSIDE_SHARE) | (overlap >= MIN_SAME_LABEL_IOU)) & (one.score < MIN_INDEPENDENT_SCORE)
    return bool(met.sum() >= MIN_TIME_SHARE * len(seen))


def _overlaps(rows: Float64Array, others: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return what share (N,) of each box of some rows lies in another track's box then, and the IoU (N,) of the two."""
    boxes = rows[:, 1:5]
    then = np.column_stack([np.interp(rows[:, 0], others[:, 0], others[:, side]) for side in range(1, 5)])
    both = np.maximum(0, np.minimum(boxes[:, 2:], then[:, 2:]) - np.maximum(boxes[:, :2], then[:, :2])).prod(axis=1)
    area, area_then = (np.maximum(1e-9, (b[:, 2:] - b[:, :2]).prod(axis=1)) for b in (boxes, then))
    return both / area, both / (area + area_then - both)
