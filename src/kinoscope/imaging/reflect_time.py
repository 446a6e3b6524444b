"""What a network is shown of a video that is shorter than its clips."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array

BOUNDARY_EPSILON_SECONDS = 1e-3
"""Seconds. Backwards, the frame on screen at the moment at which another begins is the one before it."""


def reflect_times(wanted: Float64Array, first: float, end: float) -> Float64Array:
    """Fold times beyond a video back into it, as if it were played backwards from its end, and forwards again.

    Motion so goes on as fast as before. The last picture held would look as if all had stopped, and starting over like
    a cut; either misleads a network that looks for motion.

    Args:
        wanted: (T,) times in seconds.
        first, end: the video lies in [first, end), in seconds; end after first.

    Returns:
        (T,) times in [first, end); those that lie there already stay as they are.
    """
    length = end - first
    phase = np.mod(wanted - first, 2 * length)
    folded = np.where(phase < length, phase, np.maximum(2 * length - phase - BOUNDARY_EPSILON_SECONDS, 0))
    inside = (wanted >= first) & (wanted < end)
    return np.where(inside, wanted, np.clip(first + folded, first, np.nextafter(end, first)))
