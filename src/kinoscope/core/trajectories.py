"""What a track amounts to: how long it stayed, how far and how fast it went, on what path; and how many there were.

A path goes by the middle of the box's lower edge, where a thing stands. What shakes less than a tenth of its height is
not motion: the path is simplified (Douglas and Peucker, "Algorithms for the reduction of the number of points required
to represent a digitized line or its caricature", Cartographica 1973) and measured along its corners. Since a picture
knows no metres, speed is told in the thing's own heights too, which makes near and far alike.
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
"""Share of its height by which a path may be off where it is simplified."""

UNSEEN_SECONDS = 2.0
"""Seconds before and after a track, in the middle of the picture, in which the thing may have been there unseen."""

BORDER_FRACTION = 0.03
"""Share of the picture's side from whose edge a thing comes and goes as it likes."""

UNSEEN_PROBABILITY = 0.5
"""How likely it was there in such seconds, of how sure it is that there was something at all."""

EVIDENCE_SECONDS = 2.0
"""Seconds after which a track that goes on is a further sign that there is something."""

MAX_STATIC_SCORE, MIN_MOTION_HEIGHTS = 0.5, 0.5
"""Score under which a track that never moves does not count, and how far it must get to have moved, in its own heights:
what looks a little like something, and looks so for as long as nothing changes, is a part of the scene."""

MAX_TRACK_PROBABILITY, MISS_RATE = 0.97, 0.025
"""Largest probability that a track is one more thing (it may be another's second track), and things without a track for
each thing that has one. Chosen on the counts in benchmarks/counts.py."""

INTERVAL_PROBABILITY = 0.9
"""Probability with which a count lies in its interval."""


@dataclass(frozen=True, slots=True)
class TrajectoryStats:
    """How one object went.

    Attributes:
        seconds: from the first to the last box: its dwell time.
        length: of its path, in pixels. heights: the same in its own heights where it was.
        path: (P, 3) time, x, y of the corners of its path.
    """

    seconds: float
    length: float
    heights: float
    path: Float64Array

    @property
    def speed(self) -> float:
        """Mean speed along the path in pixels per second; 0 of what was seen for a moment only."""
        return self.length / self.seconds if self.seconds else 0.0

    @property
    def heights_per_second(self) -> float:
        """Mean speed along the path in its own heights per second."""
        return self.heights / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        told = {"seconds": round(self.seconds, 3), "length": round(self.length, 1), "speed": round(self.speed, 1)}
        corners = [[round(t, 3), round(x, 1), round(y, 1)] for t, x, y in self.path.tolist()]
        return told | {"heights_per_second": round(self.heights_per_second, 3), "path": corners}


def trajectory_stats(track: Track) -> TrajectoryStats:
    """Tell how an object went."""
    boxes = track.boxes
    if not len(boxes):
        return TrajectoryStats(0.0, 0.0, 0.0, np.zeros((0, 3)))
    feet = np.column_stack([boxes[:, 0], (boxes[:, 1] + boxes[:, 3]) / 2, boxes[:, 4]])
    heights = np.maximum(boxes[:, 4] - boxes[:, 2], 1)
    kept = simplify_path(feet[:, 1:] / heights.mean(), PATH_TOLERANCE_HEIGHTS)
    steps = np.linalg.norm(np.diff(feet[kept, 1:], axis=0), axis=1)
    local = (heights[kept][1:] + heights[kept][:-1]) / 2
    return TrajectoryStats(track.end - track.start, float(steps.sum()), float((steps / local).sum()), feet[kept])


def simplify_path(points: Float64Array, tolerance: float) -> Int64Array:
    """Choose points of a line (N, 2) such that no other is over ``most`` away from their line; give the indices."""
    kept, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        away = _away(points[first + 1 : last], points[first], points[last])
        worst = int(away.argmax())
        if away[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            spans += [(first, middle), (middle, last)]
    return np.array(sorted(kept), np.int64)


def _away(points: Float64Array, first: Float64Array, last: Float64Array) -> Float64Array:
    """Give the distance (N,) of points from the stretch between two others."""
    way = last - first
    along = np.clip((points - first) @ way / max(float(way @ way), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - first - along[:, None] * way, axis=1))


@dataclass(frozen=True, slots=True)
class CountEstimate:
    """Number of objects at a time: the count, and its interval [low, high] of probability ``INTERVAL_PROBABILITY``."""

    time: float
    count: int
    low: int
    high: int

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {"time": round(self.time, 3), "count": self.count, "low": self.low, "high": self.high}


def estimate_counts(tracks: Sequence[Track], times: ArrayLike, size: tuple[int, int]) -> list[CountEstimate]:
    """Count the tracks at each of ``times`` in seconds, with an interval.

    Three things make a count unsure. A track may be none: its score says how likely a glimpse of it is one, and each
    two seconds are another glimpse that would have to be wrong, too. What is doubtful and never moves gives the same
    glimpse again and again: it does not count, see ``is_scenery``. A thing may have been there unseen: what appears or
    vanishes in the middle of the picture was probably there for a while before or after. And some have no track, or
    two.

    Args:
        size: width and height of the picture, by whose edges things come and go.
    """
    at = np.asarray(times, np.float64)
    spans = np.array([(t.start, t.end) for t in tracks]).reshape(-1, 2)
    scenery = np.array([is_scenery(t) for t in tracks], bool)
    doubts = 1 - np.array([t.score for t in tracks], np.float64).clip(0, 1)
    glimpses = np.where(scenery, 1, 1 + (spans[:, 1] - spans[:, 0]) / EVIDENCE_SECONDS)
    scores = MAX_TRACK_PROBABILITY * (1 - doubts**glimpses)
    slack = np.array([_slack(t, size) for t in tracks]).reshape(-1, 2)
    here = (spans[:, :1] <= at) & (at <= spans[:, 1:])
    near = (spans[:, :1] - slack[:, :1] <= at) & (at <= spans[:, 1:] + slack[:, 1:])
    likely = scores[:, None] * np.where(here, 1.0, UNSEEN_PROBABILITY * near)
    present = here[~scenery].sum(axis=0).tolist()
    return [CountEstimate(time, present[n], *_interval(likely[:, n])) for n, time in enumerate(at.tolist())]


def is_scenery(track: Track) -> bool:
    """Whether a track is doubtful and never moves, such as a traffic cone that looks a little like a person."""
    if track.score >= MAX_STATIC_SCORE or not len(track.boxes):
        return False
    height = float((track.boxes[:, 4] - track.boxes[:, 2]).mean())
    reach = np.ptp(trajectory_stats(track).path[:, 1:], axis=0)
    return float(np.hypot(*reach)) < MIN_MOTION_HEIGHTS * height


def _slack(track: Track, size: tuple[int, int]) -> tuple[float, float]:
    """Give the seconds before and after a track in which it may have been there."""
    inner = np.array([*(BORDER_FRACTION * s for s in size), *((1 - BORDER_FRACTION) * s for s in size)])
    ends = track.boxes[[0, -1], 1:5]
    inside = np.all((ends[:, :2] > inner[:2]) & (ends[:, 2:] < inner[2:]), axis=1)
    return UNSEEN_SECONDS * float(inside[0]), UNSEEN_SECONDS * float(inside[1])


def _interval(likely: Float64Array) -> tuple[int, int]:
    """Return the bounds of how many there are, if each is there independently and some more were missed.

    Quantiles of a Poisson binomial distribution plus a Poisson one.
    """
    chance = _missed(MISS_RATE * float(likely.sum()))
    for p in likely[likely > 0].clip(0, 1).tolist():
        chance = np.convolve(chance, [1 - p, p])
    low, high = np.searchsorted(
        np.cumsum(chance), np.array([1 - INTERVAL_PROBABILITY, 1 + INTERVAL_PROBABILITY]) / 2 - 1e-12
    ).tolist()
    return low, high


def _missed(mean: float) -> Float64Array:
    """Return the probability of 0, 1, 2, ... things without a track."""
    numbers = np.arange(8 + round(4 * mean))
    chance = np.cumprod(np.concatenate([[math.exp(-mean)], mean / numbers[1:]]))
    return np.asarray(chance / chance.sum())
