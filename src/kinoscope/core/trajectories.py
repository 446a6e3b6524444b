"""Statistics of tracks: how long an object stayed, how far and how fast it moved and on what path; and object counts.

A path consists of the middle of the box's lower edge, the ground point. Jitter of less than a tenth of an object's
height is not motion: the path is simplified (Douglas and Peucker, "Algorithms for the reduction of the number of points
required to represent a digitized line or its caricature", Cartographica 1973) and measured along its corners. Since an
uncalibrated camera knows no metres, speed is also reported in the object's own heights, which makes near and far
objects comparable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.results import Track

PATH_TOLERANCE_HEIGHTS = 0.1
"""Maximum error of a simplified path, as a share of the object's height."""

UNSEEN_SECONDS = 2.0
"""Seconds before and after a track inside the frame in which the object may have been present undetected."""

BORDER_FRACTION = 0.03
"""Share of the frame's side next to its border, where objects enter and leave."""

UNSEEN_PROBABILITY = 0.5
"""Probability of presence in such seconds, relative to the probability that the object exists."""

EVIDENCE_SECONDS = 2.0
"""Seconds after which a continuing track is further evidence that the object exists."""

MAX_STATIC_SCORE, MIN_MOTION_HEIGHTS = 0.5, 0.5
"""Score under which a track that never moves is not counted, and the motion, in its own heights, that counts as moving:
what resembles an object a little, and does so as long as nothing changes, is a part of the scene."""

MAX_TRACK_PROBABILITY, MISS_RATE = 0.97, 0.025
"""Maximum probability that a track is one more object (it may be a second track of another), and objects without a
track per object with one. Chosen on the counts in benchmarks/counts.py."""

INTERVAL_PROBABILITY = 0.9
"""Probability with which a count lies in its interval."""


@dataclass(frozen=True, slots=True)
class TrajectoryStats:
    """Motion statistics of one track.

    Attributes:
        seconds: from the first to the last box: its dwell time.
        length: of its path, in pixels.
        heights: the same in the object's own heights at that point.
        path: (P, 3) time, x, y of the corners of its path.
    """

    seconds: float
    length: float
    heights: float
    path: Float64Array

    @property
    def speed(self) -> float:
        """Mean speed along the path in pixels per second; 0 for a track of a single moment."""
        return self.length / self.seconds if self.seconds else 0.0

    @property
    def heights_per_second(self) -> float:
        """Mean speed along the path in the object's own heights per second."""
        return self.heights / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        plain = {"seconds": round(self.seconds, 3), "length": round(self.length, 1), "speed": round(self.speed, 1)}
        corners = [[round(t, 3), round(x, 1), round(y, 1)] for t, x, y in self.path.tolist()]
        return plain | {"heights_per_second": round(self.heights_per_second, 3), "path": corners}


def trajectory_stats(track: Track) -> TrajectoryStats:
    """Return the motion statistics of a track."""
    boxes = track.boxes
    if not len(boxes):
        return TrajectoryStats(0.0, 0.0, 0.0, np.zeros((0, 3)))
    feet = np.column_stack([boxes[:, 0], (boxes[:, 1] + boxes[:, 3]) / 2, boxes[:, 4]])
    heights = np.maximum(boxes[:, 4] - boxes[:, 2], 1)
    indices = simplify_path(feet[:, 1:] / heights.mean(), PATH_TOLERANCE_HEIGHTS)
    steps = np.linalg.norm(np.diff(feet[indices, 1:], axis=0), axis=1)
    local = (heights[indices][1:] + heights[indices][:-1]) / 2
    return TrajectoryStats(track.end - track.start, float(steps.sum()), float((steps / local).sum()), feet[indices])


def simplify_path(points: Float64Array, tolerance: float) -> Int64Array:
    """Return the indices of points of a line (N, 2) that keep all others within ``tolerance`` of their polyline."""
    indices, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distances = _segment_distances(points[first + 1 : last], points[first], points[last])
        worst = int(distances.argmax())
        if distances[worst] > tolerance:
            middle = first + 1 + worst
            indices.add(middle)
            spans += [(first, middle), (middle, last)]
    return np.array(sorted(indices), np.int64)


def _segment_distances(points: Float64Array, first: Float64Array, last: Float64Array) -> Float64Array:
    """Return the distance (N,) of points from the segment between two others."""
    direction = last - first
    along = np.clip((points - first) @ direction / max(float(direction @ direction), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - first - along[:, None] * direction, axis=1))


@dataclass(frozen=True, slots=True)
class CountEstimate:
    """Number of objects at a time: the count, and its interval [low, high] of probability ``INTERVAL_PROBABILITY``."""

    time: float
    count: int
    low: int
    high: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"time": round(self.time, 3), "count": self.count, "low": self.low, "high": self.high}


def estimate_counts(tracks: Sequence[Track], times: ArrayLike, size: tuple[int, int]) -> list[CountEstimate]:
    """Return the number of tracks at each of ``times`` in seconds, with an interval.

    Three things make a count uncertain. A track may be a false positive: its score is the probability that one
    observation is right, and each two seconds are another observation that would have to be wrong, too. A doubtful
    track that never moves repeats the same observation: it is not counted, see ``is_scenery``. An object may be present
    undetected: what appears or vanishes inside the frame was probably present for a while before or after. And some
    objects have no track, or two.

    Args:
        size: width and height of the frame, at whose border objects enter and leave.
    """
    at = np.asarray(times, np.float64)
    spans = np.array([(t.start, t.end) for t in tracks]).reshape(-1, 2)
    scenery = np.array([is_scenery(t) for t in tracks], bool)
    misses = 1 - np.array([t.score for t in tracks], np.float64).clip(0, 1)
    observations = np.where(scenery, 1, 1 + (spans[:, 1] - spans[:, 0]) / EVIDENCE_SECONDS)
    scores = MAX_TRACK_PROBABILITY * (1 - misses**observations)
    slack = np.array([_slack(t, size) for t in tracks]).reshape(-1, 2)
    visible = (spans[:, :1] <= at) & (at <= spans[:, 1:])
    possible = (spans[:, :1] - slack[:, :1] <= at) & (at <= spans[:, 1:] + slack[:, 1:])
    probabilities = scores[:, None] * np.where(visible, 1.0, UNSEEN_PROBABILITY * possible)
    present = visible[~scenery].sum(axis=0).tolist()
    return [CountEstimate(time, present[n], *_interval(probabilities[:, n])) for n, time in enumerate(at.tolist())]


def is_scenery(track: Track) -> bool:
    """Return whether a track is doubtful and never moves, such as a traffic cone that resembles a person."""
    if track.score >= MAX_STATIC_SCORE or not len(track.boxes):
        return False
    height = float((track.boxes[:, 4] - track.boxes[:, 2]).mean())
    reach = np.ptp(trajectory_stats(track).path[:, 1:], axis=0)
    return float(np.hypot(*reach)) < MIN_MOTION_HEIGHTS * height


def _slack(track: Track, size: tuple[int, int]) -> tuple[float, float]:
    """Return the seconds before and after a track in which its object may have been present."""
    inner = np.array([*(BORDER_FRACTION * s for s in size), *((1 - BORDER_FRACTION) * s for s in size)])
    ends = track.boxes[[0, -1], 1:5]
    is_inside = np.all((ends[:, :2] > inner[:2]) & (ends[:, 2:] < inner[2:]), axis=1)
    return UNSEEN_SECONDS * float(is_inside[0]), UNSEEN_SECONDS * float(is_inside[1])


def _interval(probabilities: Float64Array) -> tuple[int, int]:
    """Return the bounds of the number of objects, if each is present independently and some more were missed.

    Quantiles of a Poisson binomial distribution plus a Poisson one.
    """
    distribution = _missed(MISS_RATE * float(probabilities.sum()))
    for p in probabilities[probabilities > 0].clip(0, 1).tolist():
        distribution = np.convolve(distribution, [1 - p, p])
    low, high = np.searchsorted(
        np.cumsum(distribution), np.array([1 - INTERVAL_PROBABILITY, 1 + INTERVAL_PROBABILITY]) / 2 - 1e-12
    ).tolist()
    return low, high


def _missed(mean: float) -> Float64Array:
    """Return the probability of 0, 1, 2, ... objects without a track."""
    numbers = np.arange(8 + round(4 * mean))
    distribution = np.cumprod(np.concatenate([[math.exp(-mean)], mean / numbers[1:]]))
    return np.asarray(distribution / distribution.sum())
