"""Association of detections with tracks: the strategies of well-known trackers, in one small form.

A strategy takes an ``AssociationInput``, the detections and tracks of one frame, and yields pairs. It is a function, so
a new strategy is one function and a row of ``STRATEGIES``. They share the lifecycle of tracks and the Kalman filter,
see ``tracker`` and ``kalman``; they differ in which boxes they compare, and in which stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import BoolArray, Float64Array
from kinoscope.core.boxes import iou
from kinoscope.core.errors import OptionError

Pairs = Iterator[tuple[int, int]]


APPEARANCE_WEIGHT = 0.5
"""Weight of the cosine similarity of the appearance, added to the overlap."""


@dataclass(slots=True)
class AssociationInput:
    """The detections and tracks of one frame: N detections, M tracks.

    Attributes:
        boxes, scores: (N, 4) and (N,) of the detections.
        confident: (N,) whether a detection's score is high.
        expected: (M, 4) predicted box of each track.
        last: (M, 4) last detection of each track.
        before: (M, 4) detection some samples before that; the same as ``last`` for a new track.
        allowed: (N, M) factor on the overlap: less than 1 where labels differ.
        appearance: (N, M) cosine similarity of the appearance, or None.
        free, open: (N,) and (M,) which detections and which tracks are not assigned yet.
    """

    boxes: Float64Array
    scores: Float64Array
    confident: BoolArray
    expected: Float64Array
    last: Float64Array
    before: Float64Array
    allowed: Float64Array
    appearance: Float64Array | None = None
    free: BoolArray = field(init=False)
    open: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.free, self.open = np.ones(len(self.boxes), bool), np.ones(len(self.expected), bool)

    def overlap(self, tracks: Float64Array, margin: float = 0.0) -> Float64Array:
        """Return the IoU (N, M) of detections and tracks, both grown by a share of their size on each side."""
        return iou(_widen(self.boxes, margin), _widen(tracks, margin)) * self.allowed

    def assign(
        self, selected: BoolArray, overlap: Float64Array, min_overlap: float, extra: Float64Array | float = 0.0
    ) -> Pairs:
        """Assign the selected detections to the open tracks, maximizing the total score.

        Args:
            selected: (N,) the detections.
            overlap: (N, M); pairs below ``min_overlap`` are left out.
            extra: (N, M) added to the score of a pair, on the scale of the overlap.
        """
        from scipy.optimize import linear_sum_assignment

        row, column = np.flatnonzero(selected & self.free), np.flatnonzero(self.open)
        if self.appearance is not None:
            extra = extra + APPEARANCE_WEIGHT * self.appearance
        allowed_pairs = (overlap >= min_overlap) & (overlap > 0)
        score = np.where(allowed_pairs, overlap + np.maximum(extra, 0) + 1e-6, 0)[np.ix_(row, column)]
        for i, j in zip(*linear_sum_assignment(score, maximize=True), strict=True):
            if score[i, j] > 0:
                self.free[row[i]] = self.open[column[j]] = False
                yield int(row[i]), int(column[j])


Strategy = Callable[[AssociationInput], Pairs]


def sort(detections: AssociationInput) -> Pairs:
    """Assign the confident detections, in one stage.

    Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016.
    """
    yield from detections.assign(detections.confident, detections.overlap(detections.expected), 0.3)


def bytetrack(detections: AssociationInput) -> Pairs:
    """Assign the confident detections first; the others only continue existing tracks.

    Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.
    """
    overlap = detections.overlap(detections.expected)
    yield from detections.assign(detections.confident, overlap, 0.2)
    yield from detections.assign(~detections.confident, overlap, 0.5)


def ocsort(detections: AssociationInput) -> Pairs:
    """Extend ByteTrack by the direction of motion, and by a last stage that compares with the last detections.

    Cao et al., "Observation-Centric SORT: Rethinking SORT for Robust Multi-Object Tracking", CVPR 2023. Its virtual
    trajectory over a gap is not needed here: the filter's state stays at the last detection, and its noise is
    continuous.
    """
    overlap = detections.overlap(detections.expected)
    yield from detections.assign(detections.confident, overlap, 0.3, 0.2 * direction_consistency(detections))
    yield from detections.assign(~detections.confident, overlap, 0.5)
    yield from detections.assign(detections.confident, detections.overlap(detections.last), 0.3)


def buffered(detections: AssociationInput) -> Pairs:
    """Extend ByteTrack by a last stage with enlarged boxes, for low frame rates and fast small objects.

    Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the
    Matching Space", WACV 2023.
    """
    yield from bytetrack(detections)
    yield from detections.assign(detections.confident, detections.overlap(detections.expected, 0.6), 0.2)


STRATEGIES: dict[str, Strategy] = {"sort": sort, "bytetrack": bytetrack, "ocsort": ocsort, "buffered": buffered}
"""The strategies by name."""


def get_strategy(name: str) -> Strategy:
    """Return a strategy by its name.

    Raises:
        OptionError: there is no such strategy.
    """
    if name not in STRATEGIES:
        raise OptionError(f"there is no tracker {name!r}; choose from {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def direction_consistency(detections: AssociationInput) -> Float64Array:
    """Return (N, M) how well the direction to each detection continues that of each track: 1 ahead, 0 across, -1 back.

    It is multiplied by the detection's score; 0 for a track that has not moved.
    """
    last, before, current = (_centres(boxes) for boxes in (detections.last, detections.before, detections.boxes))
    past_direction, new_direction = _directions(last - before)[None], _directions(current[:, None] - last[None])
    angle = np.arccos(np.clip((past_direction * new_direction).sum(axis=2), -1, 1))
    return np.asarray((1 - 2 * angle / np.pi) * detections.scores[:, None])


def _centres(boxes: Float64Array) -> Float64Array:
    return (boxes[:, :2] + boxes[:, 2:4]) / 2


def _directions(vectors: Float64Array) -> Float64Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6))


def _widen(boxes: Float64Array, margin: float) -> Float64Array:
    """Enlarge boxes by ``margin`` of their size on each side."""
    grow = margin * (boxes[:, 2:4] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:4] + grow], axis=1)
