"""What moves before a camera that stands still: the parts of a picture that differ from what is always there.

The background is a mixture of Gaussians for each pixel (Zivkovic & van der Heijden, "Efficient adaptive density
estimation per image pixel for the task of background subtraction", Pattern Recognition Letters 2006), which OpenCV
has. What it marks is cleaned, and what touches is one region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array, UInt8Array
from kinoscope.core.media import Pixels

MAX_MOVING_FRACTION = 0.4
"""Share of the picture that may move; more is a camera that moves, or a light that goes on."""

HISTORY_FRAMES = 250
"""Pictures over which the background is learned."""

VARIANCE_THRESHOLD = 24.0
"""Squared distance in standard deviations from which a pixel is no background."""


@dataclass(frozen=True, slots=True)
class MovingRegions:
    """What moves in a picture.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the picture, the largest first.
        mask: (H, W) uint8, 255 where something moves.
        moving: share of the picture that moves, 0 to 1.
    """

    boxes: Float64Array
    mask: UInt8Array
    moving: float

    @property
    def still(self) -> bool:
        """Whether the camera stands still."""
        return self.moving <= MAX_MOVING_FRACTION


class BackgroundModel:
    """Learns what is always there, and tells what is not.

    Args:
        smallest: share of the picture's area under which a region is noise.
        most: regions told of one picture, the largest.
    """

    def __init__(self, smallest: float = 0.0008, most: int = 12) -> None:
        import cv2

        self._smallest, self._most = smallest, most
        self._model = cv2.createBackgroundSubtractorMOG2(
            history=HISTORY_FRAMES, varThreshold=VARIANCE_THRESHOLD, detectShadows=True
        )

    def apply(self, pixels: Pixels) -> MovingRegions:
        """Learn from a picture (H, W, C), and give what moves in it. Shadows are not taken for things."""
        import cv2

        raw = self._model.apply(cv2.GaussianBlur(pixels, (3, 3), 0))
        mask = np.where(raw == 255, np.uint8(255), np.uint8(0))
        moving = float((mask > 0).mean())
        side = max(3, round(max(mask.shape) / 100)) | 1
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((2 * side, side), np.uint8)), np.uint8)
        return MovingRegions(self._boxes(mask), mask, moving)

    def _boxes(self, mask: UInt8Array) -> Float64Array:
        import cv2

        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        rows = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= self._smallest * mask.size]
        rows = rows[np.argsort(-rows[:, cv2.CC_STAT_AREA], kind="stable")][: self._most].astype(np.float64)
        return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
