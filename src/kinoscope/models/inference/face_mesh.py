"""Face meshes of 468 points, tracked from frame to frame: the points of a face define its region in the next frame.

The regions are those of Kartynnik et al. (arXiv 1907.06724): rotated upright by the outer corners of the eyes, and 1.5
times the extent of the points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.models import load

CROP_SIDE = 192
"""Side of a face crop in pixels."""

REGION_SCALE = 1.5
"""Side of a region over the larger extent of a mesh's points."""

LANDMARK_REGION_SCALE = 4.0
"""Side of a region over the distance from the eyes to the mouth, if only five landmarks are known."""

MIN_PRESENCE = 0.5
"""Minimum presence of a face."""

EYE_CORNERS = [33, 263]
"""Outer corners of the eyes, left in the frame before right."""

LIPS = [
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
]
"""The outer contour of the lips and the inner one, each from a corner along the lower lip to the other corner and
back."""

CHIN = [152, 148, 176, 149, 150, 136, 377, 400, 378, 379, 365, 18, 200, 199, 175, 83, 313, 50, 280, 205, 425]
"""The chin, the lower jaw and the cheeks."""

RIGID_POINTS = [33, 133, 362, 263, 168, 6, 197, 195, 5, 10, 67, 297, 127, 356]
"""Points that speech does not move: corners of the eyes, bridge of the nose, forehead, temples."""


class FaceMeshEstimator:
    """An estimator of face meshes."""

    def __init__(self, device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("mesh", None, device, threads=threads)

    def __call__(self, frame: Pixels, regions: Float64Array) -> tuple[Float32Array, Float32Array]:
        """Estimate the meshes in regions of a frame (H, W, 3).

        Args:
            regions: (N, 4): centre x, y and side in pixels, angle in radians, see ``region_from_mesh``.

        Returns:
            Meshes (N, 468, 3) in pixels of the frame, and presences (N,) in [0, 1].
        """
        transforms = [_crop_transform(*row) for row in regions.tolist()]
        crops = np.array([_crop(frame, transform) for transform in transforms], np.uint8).reshape(
            -1, CROP_SIDE, CROP_SIDE, 3
        )
        points, presence = self.runner(crops)
        for mesh, transform in zip(points, transforms, strict=True):
            inverse = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))
            mesh[:, :2] = mesh[:, :2] @ inverse[:2, :2].T + inverse[:2, 2]
            mesh[:, 2] *= np.hypot(inverse[0, 0], inverse[1, 0])
        return points, presence.reshape(-1)


def region_from_mesh(mesh: Float32Array) -> Float64Array:
    """Return the region (4,) of a face with a mesh (468, 3): centre x, y and side in pixels, angle in radians."""
    angle = _angle(*mesh[EYE_CORNERS, :2])
    rotated = mesh[:, :2] @ _rotation(angle)
    lowest, highest = rotated.min(axis=0), rotated.max(axis=0)
    centre = (lowest + highest) / 2 @ _rotation(-angle)
    return np.array([*centre, REGION_SCALE * (highest - lowest).max(), angle])


def region_from_landmarks(points: Float64Array) -> Float64Array:
    """Return the region (4,) of a face with five landmarks (5, 2): eyes, nose, corners of the mouth."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    side = LANDMARK_REGION_SCALE * max(float(np.hypot(*(mouth - eyes))), float(np.hypot(*(points[1] - points[0]))))
    return np.array([*(eyes * 0.5 + mouth * 0.5), side, _angle(points[0], points[1])])


def _angle(left: Float64Array, right: Float64Array) -> float:
    """Return the angle of the line from left to right, in radians."""
    return float(np.arctan2(*(right - left)[::-1]))


def _rotation(angle: float) -> Float64Array:
    """Return the matrix (2, 2) that, multiplied from the right, rotates rows of x, y by ``-angle``."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _crop_transform(x: float, y: float, side: float, angle: float) -> Float64Array:
    """Return the affine transform (2, 3) from the frame to the crop of a region."""
    rotation = _rotation(angle).T * CROP_SIDE / max(side, 1.0)
    return np.hstack([rotation, (CROP_SIDE / 2 - rotation @ [x, y])[:, None]])


def _crop(frame: Pixels, transform: Float64Array) -> NDArray[Any]:
    import cv2

    return np.asarray(cv2.warpAffine(frame, transform, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR))
