"""The highest places of a curve, each with its sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.tasks.signal.hysteresis import Span


def find_peaks(scores: ArrayLike, on: float, sides: float) -> list[Span]:
    """Give the stretches around the peaks of ``scores``, the highest first; no two overlap.

    Where ``spans`` would join what lies on one plateau, here each peak has its own stretch. What only adjoins a higher
    peak's stretch is its shoulder, and no peak.

    Args:
        scores: (N,) values in time order, not negative.
        on: height from which a peak counts, above 0.
        sides: share of the peak's height down to which its stretch goes.
    """
    values = np.array(scores, np.float64)
    found: list[Span] = []
    shoulders: list[Span] = []
    while len(values) and values.max() >= on:
        peak = int(values.argmax())
        least = sides * values[peak]
        start, end = peak, peak + 1
        while start > 0 and values[start - 1] >= least:
            start -= 1
        while end < len(values) and values[end] >= least:
            end += 1
        if not any(start == past or end == first for first, past in found + shoulders):
            found.append((start, end))
        else:
            shoulders.append((start, end))
        values[start:end] = -np.inf
    return found
