"""Perturbations of clips: regions or motion removed, to measure how much a network relies on them."""

from __future__ import annotations

import cv2
import numpy as np

from kinoscope.core.arrays import Int64Array
from kinoscope.core.explanation import TimeSeries
from kinoscope.core.media import Pixels
from kinoscope.explanation.target import Target

BLUR_SIGMA_SHARE = 0.1
"""Standard deviation of the blur, as a share of the frame's longer side."""

SEGMENTS = 8
"""Length of a clip over the length of the segment that is frozen at a time."""


def blurred_mean(frames: Pixels) -> Pixels:
    """Return a baseline clip (T, H, W, 3) without content: every frame is the blurred mean of all frames.

    A grey baseline would add sharp edges (Petsiuk et al., 2018), and frames that are blurred one by one still contain
    motion.
    """
    mean = frames.mean(0, dtype=np.float32)
    sigma = BLUR_SIGMA_SHARE * max(frames.shape[1:3])
    blurred = cv2.GaussianBlur(mean, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.broadcast_to(blurred.round().astype(np.uint8), frames.shape).copy()


def freeze_segment(frames: Pixels, first: int, length: int) -> Pixels:
    """Return a clip (T, H, W, 3) whose ``length`` frames from ``first`` on repeat the frame before, or the one after.

    The frame after them is repeated if ``first`` is 0.
    """
    frozen = frames.copy()
    last = min(first + length, len(frames))
    frozen[first:last] = frames[first - 1 if first else min(last, len(frames) - 1)]
    return frozen


def temporal_importance(target: Target, frames: Pixels) -> TimeSeries:
    """Return for each frame (T,) the mean drop of the class's log-odds when a segment around it is frozen."""
    length = max(1, round(len(frames) / SEGMENTS))
    starts = range(len(frames) - length + 1)
    drops = target.scores([frames])[0] - target.scores(freeze_segment(frames, first, length) for first in starts)
    total, count = np.zeros(len(frames)), np.zeros(len(frames))
    for first, drop in zip(starts, drops, strict=True):
        total[first : first + length] += drop
        count[first : first + length] += 1
    return np.asarray(total / count, np.float32)


def cell_indices(shape: tuple[int, ...], grid: tuple[int, ...]) -> Int64Array:
    """Return the index of the cell of each pixel (T, H, W), in a grid of so many cells along each axis."""
    sides = [np.arange(length) * count // length for length, count in zip(shape, grid, strict=True)]
    t, y, x = np.meshgrid(*sides, indexing="ij")
    return np.asarray((t * grid[1] + y) * grid[2] + x, np.int64)
