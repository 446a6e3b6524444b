"""Many clips at once: side by side as one that plays, or as rows of pictures."""

from __future__ import annotations

import math

import cv2
import numpy as np

from kinoscope.core.media import Pixels
from kinoscope.views.video.contact_sheet import BACKGROUND, GAP

STRIP_COLUMNS = 8
"""Pictures in a row of a strip, at most."""


def grid(clips: Pixels, columns: int | None = None) -> Pixels:
    """Lay clips (N, T, H, W, 3) side by side as one (T, H', W', 3), ``columns`` in a row; about square if not given."""
    count, frames, height, width, _ = clips.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    laid = np.full((frames, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), BACKGROUND, np.uint8)
    for number, clip in enumerate(clips):
        top, left = (
            GAP + place * (side + GAP) for place, side in zip(divmod(number, columns), (height, width), strict=True)
        )
        laid[:, top : top + height, left : left + width] = clip
    return laid


def strips(clips: Pixels, columns: int = STRIP_COLUMNS) -> Pixels:
    """Draw clips (N, T, H, W, 3) as rows of ``columns`` pictures, spread evenly from first to last: (H', W', 3)."""
    picks = np.unique(np.linspace(0, clips.shape[1] - 1, columns).round().astype(int))
    pictures: Pixels = grid(clips[:, picks].reshape(-1, 1, *clips.shape[2:]), len(picks))[0]
    return pictures


def enlarge(clip: Pixels, times: int) -> Pixels:
    """Give a clip (T, H, W, 3) with each pixel so many times as wide and high, smoothly."""
    if times == 1:
        return clip
    height, width = clip.shape[1:3]
    size = (width * times, height * times)
    return np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) for picture in clip])
