"""Face tracking by meshes, and mouth observations: the points of a mouth, a crop of it.

A face is searched in the whole frame now and then; in between its own mesh defines its region (``face_mesh``), which
costs a thirtieth of a search and yields 468 points in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.models.inference.face_mesh import (
    CHIN,
    EYE_CORNERS,
    LIPS,
    MIN_PRESENCE,
    RIGID_POINTS,
    FaceMeshEstimator,
    region_from_landmarks,
    region_from_mesh,
)
from kinoscope.models.inference.faces import FaceDetector

SEARCH_INTERVAL_SECONDS = 1.0
"""Seconds between two searches of the whole frame."""

MIN_FACE_PIXELS = 40
"""Side in pixels of the smallest face to detect: in a smaller one the lips are not discernible."""

MAX_FACES = 6
"""Maximum number of faces tracked at once; the largest."""

MOUTH_POINTS = LIPS + CHIN
"""Mesh indices of the points that show the motion of a mouth."""

MIRRORED_POINTS = [
    *(10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 19, 18, 17, 16, 15, 14, 13, 12, 11),
    *(30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 39, 38, 37, 36, 35, 34, 33, 32, 31),
    *(40, 46, 47, 48, 49, 50, 41, 42, 43, 44, 45, 51, 52, 53, 54, 56, 55, 58, 57, 60, 59),
]
"""Index of each of these points in a mirrored face."""

CANONICAL_POINTS: Float64Array = np.array(
    [
        *([-0.5, 0.068, 0.09], [-0.198, 0.087, 0.031], [0.198, 0.087, 0.031], [0.5, 0.068, 0.09]),
        *([0.0, 0.038, -0.156], [0.0, 0.127, -0.195], [0.0, 0.211, -0.243], [0.0, 0.289, -0.296]),
        *([0.0, 0.374, -0.35], [0.0, -0.511, -0.156], [-0.385, -0.482, -0.064], [0.385, -0.482, -0.064]),
        *([-0.767, 0.062, 0.642], [0.767, 0.062, 0.642]),
    ]
)
"""The rigid points of a head that faces the camera: the mean of 13 people's meshes, made symmetric."""

MOUTH_CROP_SIDE = 64
"""Side in pixels of a mouth crop."""

MOUTH_CROP_SCALE = 0.8
"""Side of a mouth crop, over the distance from the eyes' centre to the chin: cheeks and chin included."""


@dataclass(slots=True)
class TrackedFace:
    """A face in one frame. ``mesh`` (468, 3) is in pixels of that frame, ``presence`` in [0, 1]."""

    id: int
    mesh: Float32Array
    presence: float

    @property
    def box(self) -> Float64Array:
        """Left, top, right and bottom of its points."""
        return np.concatenate([self.mesh[:, :2].min(axis=0), self.mesh[:, :2].max(axis=0)])


@dataclass
class FaceTracker:
    """A tracker of the faces of a video; all frames must have one size.

    Args:
        device, threads: see ``models.load``.
        search_interval: seconds between two searches of the whole frame.
    """

    device: str = "auto"
    threads: int | None = 1
    search_interval: float = SEARCH_INTERVAL_SECONDS
    _searched: float = field(default=-np.inf, init=False)
    _known: list[TrackedFace] = field(default_factory=list, init=False)
    _next: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.detector = FaceDetector(self.device, self.threads, MIN_FACE_PIXELS)
        self.mesh_estimator = FaceMeshEstimator(self.device, self.threads)

    def __call__(self, frame: Pixels, time: float, cut: bool = False) -> list[TrackedFace]:
        """Return the faces of the next frame (H, W, 3) at a time in seconds; after a cut all are new."""
        if cut:
            self._known = []
        self._known = self._mesh(frame, [(face.id, region_from_mesh(face.mesh)) for face in self._known])
        if cut or time - self._searched >= self.search_interval:
            self._searched = time
            self._known = _largest(self._known + self._detect(frame))
        return self._known

    def _mesh(self, frame: Pixels, regions: list[tuple[int, Float64Array]]) -> list[TrackedFace]:
        """Return the faces with these ids whose regions contain one."""
        meshes, presences = self.mesh_estimator(frame, np.array([region for _, region in regions]).reshape(-1, 4))
        faces = zip((number for number, _ in regions), meshes, presences.tolist(), strict=True)
        return [TrackedFace(*face) for face in faces if face[2] >= MIN_PRESENCE]

    def _detect(self, frame: Pixels) -> list[TrackedFace]:
        """Return the faces that are not tracked yet."""
        detections = self.detector(frame, frame.shape[1::-1])
        new = [p for p in detections.points if not any(_inside(p.mean(axis=0), face.box) for face in self._known)]
        regions = [(self._next + n, region_from_landmarks(points)) for n, points in enumerate(new)]
        self._next += len(regions)
        # The first mesh from a coarse region is itself coarse: a second pass, from its own region, is not.
        coarse = self._mesh(frame, regions)
        return self._mesh(frame, [(face.id, region_from_mesh(face.mesh)) for face in coarse])


def _inside(point: Float64Array, box: Float64Array) -> bool:
    return bool(np.all(point >= box[:2]) and np.all(point <= box[2:]))


def _largest(faces: list[TrackedFace]) -> list[TrackedFace]:
    return sorted(faces, key=lambda face: -float(np.ptp(face.mesh[:, 0])))[:MAX_FACES]


def stabilized_mouth_points(mesh: Float32Array) -> Float32Array:
    """Return the points of the mouth and the chin, (61, 3), in head coordinates, without the head's motion.

    The points that speech does not move are aligned with the canonical ones by the least-squares similarity (Umeyama,
    TPAMI 1991); one unit is the distance of the eyes' outer corners there.
    """
    rigid = mesh[RIGID_POINTS].astype(np.float64)
    source, centre = rigid - rigid.mean(axis=0), CANONICAL_POINTS.mean(axis=0)
    u, s, vt = np.linalg.svd(source.T @ (CANONICAL_POINTS - centre))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * signs).sum() / (source**2).sum()
    mouth = (mesh[MOUTH_POINTS] - rigid.mean(axis=0)) @ ((u * signs) @ vt) * scale + centre
    return np.asarray(mouth, np.float32)


def resample_mouth(
    target_times: Float64Array, times: Float64Array, points: Float32Array, crops: Pixels
) -> tuple[Float32Array, Pixels]:
    """Resample a mouth at other times: linearly interpolated points, nearest crops.

    Args:
        target_times: (T,) in seconds.
        times: (N,) increasing, at least two, of the observations.
        points: (N, P, 3).
        crops: (N, H, W) or (N, H, W, C).
    """
    next_index = np.clip(np.searchsorted(times, target_times - 1e-6), 1, len(times) - 1)
    weight_of_next = np.clip(
        (target_times - times[next_index - 1]) / np.maximum(times[next_index] - times[next_index - 1], 1e-9), 0, 1
    )
    weight = weight_of_next[:, None, None].astype(np.float32)
    interpolated = points[next_index - 1] * (1 - weight) + points[next_index] * weight
    return interpolated, crops[np.where(weight_of_next > 0.5, next_index, next_index - 1)]


def mouth_transform(mesh: Float32Array, side: int = MOUTH_CROP_SIDE) -> Float64Array:
    """Return the affine transform (2, 3) from the frame to an upright crop of the mouth."""
    eyes, chin = mesh[EYE_CORNERS, :2], mesh[152, :2]
    eye_line = eyes[1] - eyes[0]
    angle = np.arctan2(eye_line[1], eye_line[0])
    size = MOUTH_CROP_SCALE * max(float(np.hypot(*(chin - eyes.mean(axis=0)))), float(np.hypot(*eye_line)))
    centre = mesh[LIPS, :2].mean(axis=0)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * side / max(size, 1.0)
    return np.hstack([rotation, (side / 2 - rotation @ centre)[:, None]])


def crop_mouth(frame: Pixels, mesh: Float32Array, side: int = MOUTH_CROP_SIDE) -> Pixels:
    """Return an upright crop (side, side, 3) of the mouth."""
    import cv2

    return np.asarray(cv2.warpAffine(frame, mouth_transform(mesh, side), (side, side), flags=cv2.INTER_AREA), np.uint8)
