"""Grids of clips: side by side as one clip, or as rows of frames in one image."""

from __future__ import annotations

import math

import cv2
import numpy as np

from kinoscope.core.media import Pixels
from kinoscope.views.video.contact_sheet import BACKGROUND, GAP

STRIP_COLUMNS = 8
"""Frames in a row of a strip, at most."""


def grid(clips: Pixels, columns: int | None = None) -> Pixels:
    """Tile clips (N, T, H, W, 3) into one (T, H', W', 3), ``columns`` in a row; about square by default."""
    count, frames, height, width, _ = clips.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    tiled = np.full((frames, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), BACKGROUND, np.uint8)
    for number, clip in enumerate(clips):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        tiled[:, top : top + height, left : left + width] = clip
    return tiled


def strips(clips: Pixels, columns: int = STRIP_COLUMNS) -> Pixels:
    """Draw clips (N, T, H, W, 3) as rows of ``columns`` frames, spaced evenly from first to last: (H', W', 3)."""
    indices = np.unique(np.linspace(0, clips.shape[1] - 1, columns).round().astype(int))
    image: Pixels = grid(clips[:, indices].reshape(-1, 1, *clips.shape[2:]), len(indices))[0]
    return image


def enlarge(clip: Pixels, factor: int) -> Pixels:
    """Enlarge a clip (T, H, W, 3) by an integer factor with bicubic interpolation."""
    if factor == 1:
        return clip
    height, width = clip.shape[1:3]
    size = (width * factor, height * factor)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in clip])
