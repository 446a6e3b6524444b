"""Clips with something taken away, to see whether a network misses it."""

from __future__ import annotations

import cv2
import numpy as np

from kinoscope.core.arrays import Int64Array
from kinoscope.core.explanation import TimeSeries
from kinoscope.core.media import Pixels
from kinoscope.explanation.target import Target

BLUR_SIGMA_SHARE = 0.1
"""Standard deviation of the blur, as a share of the picture's longer side."""

SEGMENTS = 8
"""Into so many stretches a clip's time is cut, one of which stands still at a time."""


def blurred_mean(frames: Pixels) -> Pixels:
    """Give a clip (T, H, W, 3) in which nothing is to be seen: every picture is the mean of all, blurred.

    Grey in place of what is taken away would leave sharp edges, which are something to see (Petsiuk et al., 2018); and
    pictures that are blurred one by one still move.
    """
    mean = frames.mean(0, dtype=np.float32)
    sigma = BLUR_SIGMA_SHARE * max(frames.shape[1:3])
    soft = cv2.GaussianBlur(mean, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.broadcast_to(soft.round().astype(np.uint8), frames.shape).copy()


def freeze_segment(frames: Pixels, first: int, length: int) -> Pixels:
    """Give a clip (T, H, W, 3) whose frames from ``first`` on stand still: the one before stays, or the one after."""
    still = frames.copy()
    last = min(first + length, len(frames))
    still[first:last] = frames[first - 1 if first else min(last, len(frames) - 1)]
    return still


def temporal_importance(target: Target, frames: Pixels) -> TimeSeries:
    """Give (T,) how far the log-odds of the class fall, on average, when motion stops around each frame."""
    length = max(1, round(len(frames) / SEGMENTS))
    starts = range(len(frames) - length + 1)
    drops = target.scores([frames])[0] - target.scores(freeze_segment(frames, first, length) for first in starts)
    total, count = np.zeros(len(frames)), np.zeros(len(frames))
    for first, drop in zip(starts, drops, strict=True):
        total[first : first + length] += drop
        count[first : first + length] += 1
    return np.asarray(total / count, np.float32)


def cell_indices(shape: tuple[int, ...], grid: tuple[int, ...]) -> Int64Array:
    """Give for each place of a clip (T, H, W) the number of its cell, of a grid of so many along each axis."""
    sides = [np.arange(length) * count // length for length, count in zip(shape, grid, strict=True)]
    t, y, x = np.meshgrid(*sides, indexing="ij")
    return np.asarray((t * grid[1] + y) * grid[2] + x, np.int64)
