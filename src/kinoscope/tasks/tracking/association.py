"""Which detection continues which track: the ways of well-known trackers, in one small form.

A way takes a ``AssociationInput``, what there is to pair in one picture, and yields pairs. It is a function, so a new
way is one function and a row of ``STRATEGIES``. They share the life of tracks and the Kalman filter, see ``tracking``
and ``motion``; what sets them apart is which boxes they compare, and in which rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import BoolArray, Float64Array
from kinoscope.core.boxes import iou
from kinoscope.core.errors import OptionError

Pairs = Iterator[tuple[int, int]]

NEAR = 0.05
"""Overlap from which likeness of looks counts: things apart are not the same, however alike they look."""

APPEARANCE_WEIGHT = 0.5
"""What the looks add to the overlap at most."""


@dataclass(slots=True)
class AssociationInput:
    """What there is to pair in one picture: N detections, M tracks.

    Attributes:
        boxes, scores: (N, 4) and (N,) of the detections.
        sure: (N,) whether a detection's score is high.
        expected: (M, 4) where the motion of each track leads.
        last: (M, 4) where each track was seen last.
        before: (M, 4) where it was seen some looks before that; the same as ``last`` for a new track.
        allowed: (N, M) factor on the overlap: less than 1 where labels differ.
        looks: (N, M) cosine of the looks, or None where none are given.
        free, open: (N,) and (M,) which detections and which tracks are not paired yet.
    """

    boxes: Float64Array
    scores: Float64Array
    sure: BoolArray
    expected: Float64Array
    last: Float64Array
    before: Float64Array
    allowed: Float64Array
    looks: Float64Array | None = None
    free: BoolArray = field(init=False)
    open: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.free, self.open = np.ones(len(self.boxes), bool), np.ones(len(self.expected), bool)

    def likeness(self, tracks: Float64Array, widen: float = 0.0) -> Float64Array:
        """Give the overlap (N, M) of detections and tracks, both grown by a share of their size on each side."""
        return iou(_widen(self.boxes, widen), _widen(tracks, widen)) * self.allowed

    def pair(self, wanted: BoolArray, likeness: Float64Array, least: float, extra: Float64Array | float = 0.0) -> Pairs:
        """Pair those of the wanted detections and the tracks that are not paired yet, for the greatest sum.

        Args:
            likeness: (N, M); pairs under ``least`` are left out.
            extra: (N, M) what else speaks for a pair, on the scale of the likeness.
        """
        from scipy.optimize import linear_sum_assignment

        row, column = np.flatnonzero(wanted & self.free), np.flatnonzero(self.open)
        if self.looks is not None:
            extra = extra + APPEARANCE_WEIGHT * self.looks
        good = (likeness >= least) & (likeness > 0)
        worth = np.where(good, likeness + np.maximum(extra, 0) + 1e-6, 0)[np.ix_(row, column)]
        for i, j in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
            if worth[i, j] > 0:
                self.free[row[i]] = self.open[column[j]] = False
                yield int(row[i]), int(column[j])


Strategy = Callable[[AssociationInput], Pairs]


def sort(scene: AssociationInput) -> Pairs:
    """Sure detections, once (Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016)."""
    yield from scene.pair(scene.sure, scene.likeness(scene.expected), 0.3)


def bytetrack(scene: AssociationInput) -> Pairs:
    """Sure detections first; doubtful ones only continue tracks that are already there.

    Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.
    """
    likeness = scene.likeness(scene.expected)
    yield from scene.pair(scene.sure, likeness, 0.2)
    yield from scene.pair(~scene.sure, likeness, 0.5)


def ocsort(scene: AssociationInput) -> Pairs:
    """As ByteTrack, with the direction of motion, and what is left once more where it was seen last.

    Cao et al., "Observation-Centric SORT: Rethinking SORT for Robust Multi-Object Tracking", CVPR 2023. Its virtual
    path over a gap is not needed here: the filter's state stays at the last detection, and its noise is continuous.
    """
    likeness = scene.likeness(scene.expected)
    yield from scene.pair(scene.sure, likeness, 0.3, 0.2 * direction_consistency(scene))
    yield from scene.pair(~scene.sure, likeness, 0.5)
    yield from scene.pair(scene.sure, scene.likeness(scene.last), 0.3)


def buffered(scene: AssociationInput) -> Pairs:
    """As ByteTrack, and what is left once more with widened boxes, for few looks a second and fast small things.

    Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the
    Matching Space", WACV 2023.
    """
    yield from bytetrack(scene)
    yield from scene.pair(scene.sure, scene.likeness(scene.expected, 0.6), 0.2)


STRATEGIES: dict[str, Strategy] = {"sort": sort, "bytetrack": bytetrack, "ocsort": ocsort, "buffered": buffered}
"""The ways by name."""


def get_strategy(name: str) -> Strategy:
    """Give a way by its name.

    Raises:
        OptionError: there is no such way.
    """
    if name not in STRATEGIES:
        raise OptionError(f"there is no tracker {name!r}; choose from {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def direction_consistency(scene: AssociationInput) -> Float64Array:
    """Tell (N, M) how well the way to each detection goes on from each track's way so far: 1 ahead, 0 across, -1 back.

    Times the detection's score; 0 of a track that has not moved.
    """
    last, before, here = (_centres(boxes) for boxes in (scene.last, scene.before, scene.boxes))
    past, ahead = _directions(last - before)[None], _directions(here[:, None] - last[None])
    angle = np.arccos(np.clip((past * ahead).sum(axis=2), -1, 1))
    return np.asarray((1 - 2 * angle / np.pi) * scene.scores[:, None])


def _centres(boxes: Float64Array) -> Float64Array:
    return (boxes[:, :2] + boxes[:, 2:4]) / 2


def _directions(ways: Float64Array) -> Float64Array:
    return np.asarray(ways / np.maximum(np.linalg.norm(ways, axis=-1, keepdims=True), 1e-6))


def _widen(boxes: Float64Array, share: float) -> Float64Array:
    """Grow boxes by ``share`` of their size on each side."""
    grow = share * (boxes[:, 2:4] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - grow, boxes[:, 2:4] + grow], axis=1)
