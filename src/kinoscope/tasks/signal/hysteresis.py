"""Scores along a line turned into stretches: hysteresis thresholding, as in Canny's edge detector (1986)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Span = tuple[int, int]
"""First index and one past the last."""


def hysteresis_spans(scores: ArrayLike, on: float, off: float, gap: int = 0, shortest: int = 1) -> list[Span]:
    """Give the stretches of ``scores`` that reach ``on`` somewhere and stay at or above ``off`` throughout.

    Args:
        scores: (N,) values in time order.
        on, off: thresholds, ``off <= on``: a stretch begins by rising to ``on``, and ends by falling under ``off``.
            What lies at or above ``off`` just before the rise does not belong to it.
        gap: stretches with at most this many values between them are joined.
        shortest: stretches of fewer values, counted after joining, are left out.
    """
    values = np.asarray(scores)
    found: list[Span] = []
    inside = False
    for i, value in enumerate(values.tolist()):
        if not inside and value >= on:
            start, inside = i, True
        elif inside and value < off:
            found.append((start, i))
            inside = False
    if inside:
        found.append((start, len(values)))
    return [(a, b) for a, b in _join(found, gap) if b - a >= shortest]


def _join(found: list[Span], gap: int) -> list[Span]:
    joined: list[Span] = []
    for start, end in found:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined
