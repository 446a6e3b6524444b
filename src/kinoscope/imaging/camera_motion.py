"""Camera motion between consecutive frames: an affine map, fitted robustly to tracked corners.

Corners: Shi and Tomasi, "Good Features to Track", CVPR 1994. Tracking: Lucas and Kanade, in pyramids (Bouguet, 2000).
Fit: RANSAC (Fischler and Bolles, 1981) of a translation, a rotation and a zoom.
"""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array, UInt8Array
from kinoscope.core.media import Pixels, Size

MAX_CORNERS, MIN_INLIERS = 300, 12
"""Corners that are tracked, and inliers that the camera's motion needs."""

MIN_CORNER_QUALITY, MASK_MARGIN_PIXELS = 0.001, 4
"""Minimum quality of a corner, as a share of the best one's, and pixels around a moving object without corners: its
outline has the strongest."""

MIN_INLIER_FRACTION = 0.5
"""Minimum share of inliers among the tracked corners."""

MIN_QUADRANTS = 3
"""Quadrants of the frame that must contain inliers: those in one region only belong to a moving object."""


def identity_affine() -> Float64Array:
    """Return the identity map (2, 3)."""
    return np.eye(2, 3)


def compose_affine(after: Float64Array, before: Float64Array) -> Float64Array:
    """Return the map (2, 3) that applies ``before`` and then ``after``."""
    return np.asarray(after[:, :2] @ before + np.column_stack([np.zeros((2, 2)), after[:, 2]]))


class CameraMotion:
    """Estimator of the camera's motion between consecutive frames.

    Args:
        size: width and height in which the motion is reported; the frames may be of another size.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self._last: UInt8Array | None = None

    def update(self, pixels: Pixels, moving: Float64Array | None = None) -> Float64Array:
        """Return the map (2, 3) from the last frame to this one (H, W, 3), in pixels of ``size``.

        Where it cannot be estimated (the first frame, a blank wall, a cut) it is the identity.

        Args:
            moving: (N, 4) boxes, in pixels of ``size``, in the last frame, of objects that move by themselves.
        """
        import cv2

        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return identity_affine()
        scale = np.array(self.size) / (grey.shape[1], grey.shape[0])
        affine = _fit(last, grey, _corner_mask(last.shape, None if moving is None else moving / np.tile(scale, 2)))
        if affine is None:
            return identity_affine()
        # Scaled by S, x goes to S A S^-1 x + S t.
        return np.column_stack([affine[:, :2] * scale[:, None] / scale[None, :], affine[:, 2] * scale])


def _corner_mask(shape: tuple[int, ...], moving: Float64Array | None) -> UInt8Array:
    """Return the mask (H, W) of where corners may be: neither in the boxes nor at their boundaries."""
    mask = np.full(shape, 255, np.uint8)
    margin = np.array([-MASK_MARGIN_PIXELS, -MASK_MARGIN_PIXELS, MASK_MARGIN_PIXELS, MASK_MARGIN_PIXELS])
    for x1, y1, x2, y2 in np.zeros((0, 4), int) if moving is None else (moving + margin).round().astype(int).clip(0):
        mask[y1:y2, x1:x2] = 0
    return mask


def _fit(last: UInt8Array, grey: UInt8Array, mask: UInt8Array) -> Float64Array | None:
    import cv2

    corners = cv2.goodFeaturesToTrack(last, MAX_CORNERS, MIN_CORNER_QUALITY, 5, mask=mask)
    if corners is None or len(corners) < MIN_INLIERS:
        return None
    # Reproducible: RANSAC uses OpenCV's global random generator.
    cv2.setRNGSeed(0)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(last, grey, corners, np.empty_like(corners))
    tracked = status.ravel() == 1
    if tracked.sum() < MIN_INLIERS:
        return None
    affine, inlier_mask = cv2.estimateAffinePartial2D(corners[tracked], moved[tracked], ransacReprojThreshold=1.0)
    inliers = inlier_mask.ravel() == 1
    if affine is None or inliers.sum() < max(MIN_INLIERS, MIN_INLIER_FRACTION * tracked.sum()):
        return None
    is_right, is_low = (corners[tracked][inliers].reshape(-1, 2) > np.array(last.shape[::-1]) / 2).T
    if len(np.unique(2 * is_low + is_right)) < MIN_QUADRANTS:
        return None
    return np.asarray(affine, np.float64)
