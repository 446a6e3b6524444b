"""Peaks of a curve, each with its range."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.tasks.signal.hysteresis import Span


def find_peaks(scores: ArrayLike, on: float, edge_share: float) -> list[Span]:
    """Return the ranges around the peaks of ``scores``, the highest first; no two overlap.

    Where ``hysteresis_spans`` would join several peaks on one plateau, here each peak has its own range. A range that
    only adjoins that of a higher peak is its shoulder, and no peak.

    Args:
        scores: (N,) values in time order, not negative.
        on: height from which a peak counts, above 0.
        edge_share: share of the peak's height down to which its range extends.
    """
    values = np.array(scores, np.float64)
    peaks: list[Span] = []
    shoulders: list[Span] = []
    while len(values) and values.max() >= on:
        peak = int(values.argmax())
        floor = edge_share * values[peak]
        start, end = peak, peak + 1
        while start > 0 and values[start - 1] >= floor:
            start -= 1
        while end < len(values) and values[end] >= floor:
            end += 1
        if not any(start == stop or end == first for first, stop in peaks + shoulders):
            peaks.append((start, end))
        else:
            shoulders.append((start, end))
        values[start:end] = -np.inf
    return peaks
