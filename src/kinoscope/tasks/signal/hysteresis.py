"""Hysteresis thresholding of a series of scores, as in Canny's edge detector (1986)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Span = tuple[int, int]
"""First index and one past the last."""


def hysteresis_spans(scores: ArrayLike, on: float, off: float, gap: int = 0, min_length: int = 1) -> list[Span]:
    """Return the ranges of ``scores`` that reach ``on`` somewhere and stay at or above ``off`` throughout.

    Args:
        scores: (N,) values in time order.
        on, off: thresholds, ``off <= on``: a range begins where the scores rise to ``on``, and ends where they fall
            below ``off``. Values at or above ``off`` just before the rise do not belong to it.
        gap: ranges with at most this many values between them are joined.
        min_length: ranges of fewer values, counted after joining, are left out.
    """
    values = np.asarray(scores)
    ranges: list[Span] = []
    inside = False
    for i, value in enumerate(values.tolist()):
        if not inside and value >= on:
            start, inside = i, True
        elif inside and value < off:
            ranges.append((start, i))
            inside = False
    if inside:
        ranges.append((start, len(values)))
    return [(start, end) for start, end in _join(ranges, gap) if end - start >= min_length]


def _join(ranges: list[Span], gap: int) -> list[Span]:
    joined: list[Span] = []
    for start, end in ranges:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined
