"""Detection of duplicate tracks: one object tracked twice, perhaps under two labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.tasks.tracking.tracker import Tracklet

MIN_INDEPENDENT_SCORE = 0.6
"""Score from which a track beside another of its label is a separate object: people do walk close to each other."""

MIN_INSIDE_SHARE, MIN_SAME_LABEL_IOU = 0.75, 0.4
"""Share of a box inside the other's, or IoU of the two, from which the track with the lower score is a duplicate."""

MIN_OTHER_LABEL_IOU = 0.6
"""IoU of boxes of different labels from which they are one object: a rider's IoU with the bicycle is mostly lower."""

MIN_TIME_SHARE = 0.8
"""Share of a track's detections that must overlap so."""


def find_duplicates(tracklets: Sequence[Tracklet]) -> set[int]:
    """Return the indices of the tracks that another track with a higher score covers throughout."""
    spans = np.array([(t.start, t.end) for t in tracklets]).reshape(-1, 2)
    scores = np.array([t.score for t in tracklets])
    duplicates: set[int] = set()
    for n in np.argsort(scores, kind="stable").tolist():
        concurrent = (spans[:, 0] <= spans[n, 1]) & (spans[n, 0] <= spans[:, 1]) & (scores >= scores[n])
        candidates = [m for m in np.flatnonzero(concurrent).tolist() if m != n and m not in duplicates]
        if any(_is_duplicate(tracklets[n], tracklets[m]) for m in candidates):
            duplicates.add(n)
    return duplicates


def _is_duplicate(track: Tracklet, other: Tracklet) -> bool:
    rows = track.detections
    concurrent = (rows[:, 0] >= other.start) & (rows[:, 0] <= other.end)
    if concurrent.mean() < MIN_TIME_SHARE:
        return False
    inside, overlap = _overlaps(rows[concurrent], other.detections)
    if track.label != other.label:
        is_duplicate = overlap >= MIN_OTHER_LABEL_IOU
    else:
        is_duplicate = ((inside >= MIN_INSIDE_SHARE) | (overlap >= MIN_SAME_LABEL_IOU)) & (
            track.score < MIN_INDEPENDENT_SCORE
        )
    return bool(is_duplicate.sum() >= MIN_TIME_SHARE * len(rows))


def _overlaps(rows: Float64Array, other_rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return for each box of some rows its share (N,) inside the other track's box at that time, and their IoU (N,)."""
    boxes = rows[:, 1:5]
    interpolated = np.column_stack(
        [np.interp(rows[:, 0], other_rows[:, 0], other_rows[:, side]) for side in range(1, 5)]
    )
    intersections = np.maximum(
        0, np.minimum(boxes[:, 2:], interpolated[:, 2:]) - np.maximum(boxes[:, :2], interpolated[:, :2])
    ).prod(axis=1)
    areas, interpolated_areas = (np.maximum(1e-9, (b[:, 2:] - b[:, :2]).prod(axis=1)) for b in (boxes, interpolated))
    return intersections / areas, intersections / (areas + interpolated_areas - intersections)
