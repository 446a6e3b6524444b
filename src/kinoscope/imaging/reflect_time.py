"""Reflection padding in time, for videos that are shorter than a network's clips."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array

BOUNDARY_EPSILON_SECONDS = 1e-3
"""Seconds. In reverse, the frame on screen at the moment at which another begins is the one before it."""


def reflect_times(times: Float64Array, first: float, end: float) -> Float64Array:
    """Fold times beyond a video back into it, as if it were played backwards from its end, and forwards again.

    Motion so continues at the same speed. A frozen last frame would look as if all had stopped, and a restart like
    a cut; either misleads a network that detects motion.

    Args:
        times: (T,) in seconds.
        first, end: the video lies in [first, end), in seconds; end after first.

    Returns:
        (T,) times in [first, end); those that lie there already are unchanged.
    """
    length = end - first
    phase = np.mod(times - first, 2 * length)
    folded = np.where(phase < length, phase, np.maximum(2 * length - phase - BOUNDARY_EPSILON_SECONDS, 0))
    inside = (times >= first) & (times < end)
    return np.where(inside, times, np.clip(first + folded, first, np.nextafter(end, first)))
