"""Stretches of time in many videos at once, as columns, and what can be done with them.

Everything here works on whole columns, so that hundreds of thousands of tracks are sifted in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array

MAX_MERGE_GAP_SECONDS = 1.0
"""Seconds without a thing up to which its moments are one moment."""

VIDEO_SPACING_SECONDS = 1e7
"""More seconds than any video lasts: videos are laid out so far apart on one axis of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Stretches of time.

    Attributes:
        video: (N,) int64, number of the video.
        start, end: (N,) float64, seconds; a moment without length counts too.
        score: (N,) float64, in [0, 1].
    """

    video: Int64Array
    start: Float64Array
    end: Float64Array
    score: Float64Array

    @classmethod
    def none(cls) -> Self:
        """Give no stretch."""
        return cls.of([], [], [], [])

    @classmethod
    def of(cls, video: Any, start: Any, end: Any, score: Any) -> Self:
        """Make columns of lists."""
        return cls(np.asarray(video, np.int64), *(np.asarray(column, np.float64) for column in (start, end, score)))

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, rows: Any) -> Intervals:
        """Give some rows, by a mask or by their numbers."""
        return Intervals(*(getattr(self, field.name)[rows] for field in fields(self)))

    def plus(self, other: Intervals) -> Intervals:
        """Give these and others."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Intervals(*(np.concatenate(pair) for pair in pairs))

    def joined(self, gap: float = MAX_MERGE_GAP_SECONDS) -> Intervals:
        """Give them in order of video and time, those that hardly part as one, with the best score among them."""
        if not len(self):
            return self
        first, last = self._on_axis()
        order = np.lexsort((last, first))
        rows, first, last = self[order], first[order], last[order]
        reach = np.maximum.accumulate(last)
        begins = np.flatnonzero(np.concatenate([[True], first[1:] > reach[:-1] + gap]))
        ends = np.maximum.reduceat(rows.end, begins)
        return Intervals(rows.video[begins], rows.start[begins], ends, np.maximum.reduceat(rows.score, begins))

    def _on_axis(self) -> tuple[Float64Array, Float64Array]:
        return self.video * VIDEO_SPACING_SECONDS + self.start, self.video * VIDEO_SPACING_SECONDS + self.end


def find_pairs(left: Intervals, right: Intervals, reach: float = 0.0) -> tuple[Int64Array, Int64Array]:
    """Give which spans are at most ``reach`` seconds apart, as numbers into ``left`` and into ``right``.

    Both must be joined, so that each is in order and none overlap.
    """
    (first, last), (begin, end) = left._on_axis(), right._on_axis()
    # Spans are rounded times FAR, so a hair of slack keeps those that just touch.
    low = np.searchsorted(end, first - reach - 1e-6)
    high = np.searchsorted(begin, last + reach + 1e-6, "right")
    counts = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(left)), counts)
    others = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return rows, others


def intersect_near(left: Intervals, right: Intervals, seconds: float) -> Intervals:
    """Give what of both is at most so many seconds from the other; the score is the mean of both."""
    rows, others = find_pairs(left, right, seconds)
    one, two = left[rows], right[others]
    # Of what lasts long, only the time around the other counts.
    start = np.minimum(np.maximum(one.start, two.start - seconds), np.maximum(two.start, one.start - seconds))
    end = np.maximum(np.minimum(one.end, two.end + seconds), np.minimum(two.end, one.end + seconds))
    return Intervals(one.video, start, end, (one.score + two.score) / 2).joined(0)


def intersect(left: Intervals, right: Intervals) -> Intervals:
    """Give the time that both share; the score is the mean of both."""
    rows, others = find_pairs(left, right)
    one, two = left[rows], right[others]
    start, end = np.maximum(one.start, two.start), np.minimum(one.end, two.end)
    moments = (one.start == one.end) | (two.start == two.end)
    both = Intervals(one.video, start, end, (one.score + two.score) / 2)
    return both[(end > start) | (moments & (end >= start))]


def exclude_overlapping(left: Intervals, right: Intervals) -> Intervals:
    """Give those of ``left`` that share no time with any of ``right``."""
    rows, others = find_pairs(left, right)
    one, two = left[rows], right[others]
    meet = np.minimum(one.end, two.end) > np.maximum(one.start, two.start)
    meet |= (one.start == one.end) | (two.start == two.end)
    free = np.ones(len(left), bool)
    free[rows[meet]] = False
    return left[free]
