"""Time ranges in many videos at once, stored as columns, and their set operations.

All operations work on whole columns, so that hundreds of thousands of tracks are filtered in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array

MAX_MERGE_GAP_SECONDS = 1.0
"""Gap in seconds up to which two intervals are merged into one moment."""

VIDEO_SPACING_SECONDS = 1e7
"""Distance between videos laid out on one time axis; more seconds than any video lasts."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """A table of time ranges.

    Attributes:
        video: (N,) int64, index of the video.
        start, end: (N,) float64, seconds; a range without length counts too.
        score: (N,) float64, in [0, 1].
    """

    video: Int64Array
    start: Float64Array
    end: Float64Array
    score: Float64Array

    @classmethod
    def empty(cls) -> Self:
        """Return a table without rows."""
        return cls.of([], [], [], [])

    @classmethod
    def of(cls, video: Any, start: Any, end: Any, score: Any) -> Self:
        """Build a table from sequences."""
        return cls(np.asarray(video, np.int64), *(np.asarray(column, np.float64) for column in (start, end, score)))

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, rows: Any) -> Intervals:
        """Return the rows that a mask or indices select."""
        return Intervals(*(getattr(self, field.name)[rows] for field in fields(self)))

    def concatenate(self, other: Intervals) -> Intervals:
        """Return the rows of both tables."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Intervals(*(np.concatenate(pair) for pair in pairs))

    def merged(self, gap: float = MAX_MERGE_GAP_SECONDS) -> Intervals:
        """Return the rows sorted by video and time, merged with the highest score if at most ``gap`` seconds apart."""
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
    """Return which intervals are at most ``reach`` seconds apart, as indices into ``left`` and into ``right``.

    Both must be merged, so that each is sorted and none overlap.
    """
    (first, last), (begin, end) = left._on_axis(), right._on_axis()
    # Positions on the axis are rounded, so a small tolerance keeps intervals that only touch.
    low = np.searchsorted(end, first - reach - 1e-6)
    high = np.searchsorted(begin, last + reach + 1e-6, "right")
    counts = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(left)), counts)
    others = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return rows, others


def intersect_near(left: Intervals, right: Intervals, seconds: float) -> Intervals:
    """Return the parts of both that are at most ``seconds`` from the other; the score is the mean of both."""
    rows, others = find_pairs(left, right, seconds)
    a, b = left[rows], right[others]
    # Of a long interval, only the time around the other counts.
    start = np.minimum(np.maximum(a.start, b.start - seconds), np.maximum(b.start, a.start - seconds))
    end = np.maximum(np.minimum(a.end, b.end + seconds), np.minimum(b.end, a.end + seconds))
    return Intervals(a.video, start, end, (a.score + b.score) / 2).merged(0)


def intersect(left: Intervals, right: Intervals) -> Intervals:
    """Return the time that both share; the score is the mean of both."""
    rows, others = find_pairs(left, right)
    a, b = left[rows], right[others]
    start, end = np.maximum(a.start, b.start), np.minimum(a.end, b.end)
    moments = (a.start == a.end) | (b.start == b.end)
    both = Intervals(a.video, start, end, (a.score + b.score) / 2)
    return both[(end > start) | (moments & (end >= start))]


def exclude_overlapping(left: Intervals, right: Intervals) -> Intervals:
    """Return the rows of ``left`` that share no time with any of ``right``."""
    rows, others = find_pairs(left, right)
    a, b = left[rows], right[others]
    overlap = np.minimum(a.end, b.end) > np.maximum(a.start, b.start)
    overlap |= (a.start == a.end) | (b.start == b.end)
    keep = np.ones(len(left), bool)
    keep[rows[overlap]] = False
    return left[keep]
