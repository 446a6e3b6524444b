"""Background subtraction for a static camera: the parts of a frame that differ from the background.

The background is a mixture of Gaussians for each pixel (Zivkovic & van der Heijden, "Efficient adaptive density
estimation per image pixel for the task of background subtraction", Pattern Recognition Letters 2006), as in OpenCV.
Its mask is cleaned, and connected components are the regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array, UInt8Array
from kinoscope.core.media import Pixels

MAX_MOVING_FRACTION = 0.4
"""Share of the frame that may move; more is a moving camera, or a change of light."""

HISTORY_FRAMES = 250
"""Frames over which the background is learned."""

VARIANCE_THRESHOLD = 24.0
"""Squared distance in standard deviations from which a pixel is foreground."""


@dataclass(frozen=True, slots=True)
class MovingRegions:
    """The moving parts of a frame.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the frame, the largest first.
        mask: (H, W) uint8, 255 where something moves.
        moving: share of the frame that moves, 0 to 1.
    """

    boxes: Float64Array
    mask: UInt8Array
    moving: float

    @property
    def still(self) -> bool:
        """Whether the camera is static."""
        return self.moving <= MAX_MOVING_FRACTION


class BackgroundModel:
    """Background model of one camera.

    Args:
        min_area: share of the frame's area under which a region is noise.
        max_regions: regions reported per frame, the largest.
    """

    def __init__(self, min_area: float = 0.0008, max_regions: int = 12) -> None:
        import cv2

        self._min_area, self._max_regions = min_area, max_regions
        self._model = cv2.createBackgroundSubtractorMOG2(
            history=HISTORY_FRAMES, varThreshold=VARIANCE_THRESHOLD, detectShadows=True
        )

    def apply(self, pixels: Pixels) -> MovingRegions:
        """Update the background with a frame (H, W, C), and return what moves in it. Shadows are ignored."""
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
        rows = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= self._min_area * mask.size]
        rows = rows[np.argsort(-rows[:, cv2.CC_STAT_AREA], kind="stable")][: self._max_regions].astype(np.float64)
        return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
