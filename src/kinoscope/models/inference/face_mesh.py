"""The 468 points of faces, followed from picture to picture: each face's last points say where to look for the next.

The regions are those of Kartynnik et al. (arXiv 1907.06724): upright by the eyes' outer corners, half as large again
as the points reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.models import load

CROP_SIDE = 192
"""Side of a face's picture in pixels."""

REGION_SCALE = 1.5
"""Side of a region over the longer reach of a mesh's points."""

LANDMARK_REGION_SCALE = 4.0
"""Side of a region over the distance from the eyes to the mouth, where only five points are known."""

MIN_PRESENCE = 0.5
"""Presence from which there is a face."""

EYE_CORNERS = [33, 263]
"""Outer corners of the eyes, left in the picture before right."""

LIPS = [
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
]
"""The lips' outer edge and their inner one, each from a corner round below to the other corner and back above."""

CHIN = [152, 148, 176, 149, 150, 136, 377, 400, 378, 379, 365, 18, 200, 199, 175, 83, 313, 50, 280, 205, 425]
"""The chin, the lower jaw and the cheeks."""

RIGID_POINTS = [33, 133, 362, 263, 168, 6, 197, 195, 5, 10, 67, 297, 127, 356]
"""Points that speech does not move: corners of the eyes, bridge of the nose, forehead, temples."""


class FaceMeshEstimator:
    """Give the points of faces in a picture."""

    def __init__(self, device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("mesh", None, device, threads=threads)

    def __call__(self, picture: Pixels, regions: Float64Array) -> tuple[Float32Array, Float32Array]:
        """Find the points in regions of a picture (H, W, 3).

        Args:
            regions: (N, 4): centre x, y and side in pixels, angle in radians, see ``region_from_mesh``.

        Returns:
            Meshes (N, 468, 3) in pixels of the picture, and presences (N,), 0 to 1.
        """
        maps = [_crop_transform(*row) for row in regions.tolist()]
        crops = np.array([_crop(picture, into) for into in maps], np.uint8).reshape(-1, CROP_SIDE, CROP_SIDE, 3)
        points, presence = self.runner(crops)
        for mesh, into in zip(points, maps, strict=True):
            back = np.linalg.inv(np.vstack([into, [0, 0, 1]]))
            mesh[:, :2] = mesh[:, :2] @ back[:2, :2].T + back[:2, 2]
            mesh[:, 2] *= np.hypot(back[0, 0], back[1, 0])
        return points, presence.reshape(-1)


def region_from_mesh(mesh: Float32Array) -> Float64Array:
    """Give the region (4,) of a face whose mesh is known: centre x, y and side in pixels, angle in radians."""
    angle = _angle(*mesh[EYE_CORNERS, :2])
    turned = mesh[:, :2] @ _rotation(angle)
    low, high = turned.min(axis=0), turned.max(axis=0)
    centre = (low + high) / 2 @ _rotation(-angle)
    return np.array([*centre, REGION_SCALE * (high - low).max(), angle])


def region_from_landmarks(points: Float64Array) -> Float64Array:
    """Give the region (4,) of a face of which only eyes, nose and corners of the mouth (5, 2) are known."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    side = LANDMARK_REGION_SCALE * max(float(np.hypot(*(mouth - eyes))), float(np.hypot(*(points[1] - points[0]))))
    return np.array([*(eyes * 0.5 + mouth * 0.5), side, _angle(points[0], points[1])])


def _angle(left: Float64Array, right: Float64Array) -> float:
    return float(np.arctan2(*(right - left)[::-1]))


def _rotation(angle: float) -> Float64Array:
    """Give the matrix that, from the right, turns rows of x, y by ``-angle``."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _crop_transform(x: float, y: float, side: float, angle: float) -> Float64Array:
    """Give the affine map (2, 3) from the picture to the crop of a region."""
    turn = _rotation(angle).T * CROP_SIDE / max(side, 1.0)
    return np.hstack([turn, (CROP_SIDE / 2 - turn @ [x, y])[:, None]])


def _crop(picture: Pixels, into: Float64Array) -> NDArray[Any]:
    import cv2

    return np.asarray(cv2.warpAffine(picture, into, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR))
