"""How the camera moves from one picture to the next: an affine map, fitted robustly to corners that are followed.

Corners: Shi and Tomasi, "Good Features to Track", CVPR 1994. Following: Lucas and Kanade, in pyramids (Bouguet, 2000).
Fit: RANSAC (Fischler and Bolles, 1981) of a shift, a turn and a zoom.
"""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array, UInt8Array
from kinoscope.core.media import Pixels, Size

MAX_CORNERS, MIN_INLIERS = 300, 12
"""Corners followed, and the least of them that must agree for their motion to be the camera's."""

MIN_CORNER_QUALITY, MASK_MARGIN_PIXELS = 0.001, 4
"""Least quality of a corner, as a share of the best one's, and pixels around a moving thing without corners: its
outline has the sharpest."""

MIN_INLIER_FRACTION = 0.5
"""Least share of the followed corners that must agree."""

MIN_QUADRANTS = 3
"""Quarters of the picture in which some must agree: what agrees at one place only is a thing that moves."""


def identity_affine() -> Float64Array:
    """Give the map (2, 3) that moves nothing."""
    return np.eye(2, 3)


def compose_affine(after: Float64Array, before: Float64Array) -> Float64Array:
    """Give the map (2, 3) that does ``before`` and then ``after``."""
    return np.asarray(after[:, :2] @ before + np.column_stack([np.zeros((2, 2)), after[:, 2]]))


class CameraMotion:
    """Tell the camera's motion between the pictures that are shown to it, one after the other.

    Args:
        shown: width and height in which the motion is told; the pictures may be of another size.
    """

    def __init__(self, shown: Size) -> None:
        self.shown = shown
        self._last: UInt8Array | None = None

    def update(self, pixels: Pixels, moving: Float64Array | None = None) -> Float64Array:
        """Give the map (2, 3) from the last picture to this one (H, W, 3), in pixels as shown.

        Where nothing can be told (the first picture, an even wall, a cut) it moves nothing.

        Args:
            moving: (N, 4) boxes, as shown, in the last picture, in which things move by themselves.
        """
        import cv2

        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return identity_affine()
        scale = np.array(self.shown) / (grey.shape[1], grey.shape[0])
        found = _fit(last, grey, _outside(last.shape, None if moving is None else moving / np.tile(scale, 2)))
        if found is None:
            return identity_affine()
        # Scaled by S, x goes to S A S^-1 x + S t.
        return np.column_stack([found[:, :2] * scale[:, None] / scale[None, :], found[:, 2] * scale])


def _outside(shape: tuple[int, ...], moving: Float64Array | None) -> UInt8Array:
    """Mark where corners may be: not in the boxes, nor at their edges."""
    mask = np.full(shape, 255, np.uint8)
    around = np.array([-MASK_MARGIN_PIXELS, -MASK_MARGIN_PIXELS, MASK_MARGIN_PIXELS, MASK_MARGIN_PIXELS])
    for x1, y1, x2, y2 in np.zeros((0, 4), int) if moving is None else (moving + around).round().astype(int).clip(0):
        mask[y1:y2, x1:x2] = 0
    return mask


def _fit(last: UInt8Array, grey: UInt8Array, mask: UInt8Array) -> Float64Array | None:
    import cv2

    corners = cv2.goodFeaturesToTrack(last, MAX_CORNERS, MIN_CORNER_QUALITY, 5, mask=mask)
    if corners is None or len(corners) < MIN_INLIERS:
        return None
    # Reproducible: RANSAC draws from OpenCV's own numbers.
    cv2.setRNGSeed(0)
    moved, kept, _ = cv2.calcOpticalFlowPyrLK(last, grey, corners, np.empty_like(corners))
    good = kept.ravel() == 1
    if good.sum() < MIN_INLIERS:
        return None
    found, agree = cv2.estimateAffinePartial2D(corners[good], moved[good], ransacReprojThreshold=1.0)
    chosen = agree.ravel() == 1
    if found is None or chosen.sum() < max(MIN_INLIERS, MIN_INLIER_FRACTION * good.sum()):
        return None
    right, low = (corners[good][chosen].reshape(-1, 2) > np.array(last.shape[::-1]) / 2).T
    if len(np.unique(2 * low + right)) < MIN_QUADRANTS:
        return None
    return np.asarray(found, np.float64)
