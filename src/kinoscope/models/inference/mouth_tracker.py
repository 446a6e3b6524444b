"""Faces followed through a video by their meshes, and what of each shows speech: points of the mouth, a picture of it.

A face is looked for all over the picture now and then; in between its own mesh says where it is (``mesh``), which
costs a thirtieth of a search and gives 468 points in every frame.
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
"""Seconds between two looks all over the picture."""

MIN_FACE_PIXELS = 40
"""Side in pixels of the smallest face looked for: of a smaller one the lips do not show."""

MAX_FACES = 6
"""Faces followed at once; the largest."""

MOUTH_POINTS = LIPS + CHIN
"""Indices of the points that tell how a mouth moves."""

MIRRORED_POINTS = [
    *(10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 19, 18, 17, 16, 15, 14, 13, 12, 11),
    *(30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 39, 38, 37, 36, 35, 34, 33, 32, 31),
    *(40, 46, 47, 48, 49, 50, 41, 42, 43, 44, 45, 51, 52, 53, 54, 56, 55, 58, 57, 60, 59),
]
"""Where each of these points lies in a mirrored face."""

CANONICAL_POINTS: Float64Array = np.array(
    [
        *([-0.5, 0.068, 0.09], [-0.198, 0.087, 0.031], [0.198, 0.087, 0.031], [0.5, 0.068, 0.09]),
        *([0.0, 0.038, -0.156], [0.0, 0.127, -0.195], [0.0, 0.211, -0.243], [0.0, 0.289, -0.296]),
        *([0.0, 0.374, -0.35], [0.0, -0.511, -0.156], [-0.385, -0.482, -0.064], [0.385, -0.482, -0.064]),
        *([-0.767, 0.062, 0.642], [0.767, 0.062, 0.642]),
    ]
)
"""Where the steady points lie in a head that looks straight ahead: the mean of 13 people's meshes, made symmetric."""

MOUTH_CROP_SIDE = 64
"""Side in pixels of a mouth's picture."""

MOUTH_CROP_SCALE = 0.8
"""Side of what a mouth's picture shows, over the distance from the eyes' middle to the chin: cheeks and chin too."""


@dataclass(slots=True)
class TrackedFace:
    """A face in one picture. ``mesh`` (468, 3) is in pixels of that picture, ``presence`` in 0 to 1."""

    id: int
    mesh: Float32Array
    presence: float

    @property
    def box(self) -> Float64Array:
        """Left, top, right and bottom of its points."""
        return np.concatenate([self.mesh[:, :2].min(axis=0), self.mesh[:, :2].max(axis=0)])


@dataclass
class FaceTracker:
    """Follow the faces of a video; pictures must all have one size.

    Args:
        device, threads: see ``models.load``.
        search: seconds between two looks all over the picture.
    """

    device: str = "auto"
    threads: int | None = 1
    search: float = SEARCH_INTERVAL_SECONDS
    _searched: float = field(default=-np.inf, init=False)
    _known: list[TrackedFace] = field(default_factory=list, init=False)
    _next: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.finder = FaceDetector(self.device, self.threads, MIN_FACE_PIXELS)
        self.mesher = FaceMeshEstimator(self.device, self.threads)

    def __call__(self, picture: Pixels, time: float, cut: bool = False) -> list[TrackedFace]:
        """Give the faces of the next picture (H, W, 3) at a time in seconds; after a cut all are new."""
        if cut:
            self._known = []
        self._known = self._mesh(picture, [(face.id, region_from_mesh(face.mesh)) for face in self._known])
        if cut or time - self._searched >= self.search:
            self._searched = time
            self._known = _largest(self._known + self._look(picture))
        return self._known

    def _mesh(self, picture: Pixels, wanted: list[tuple[int, Float64Array]]) -> list[TrackedFace]:
        meshes, presences = self.mesher(picture, np.array([where for _, where in wanted]).reshape(-1, 4))
        faces = zip((number for number, _ in wanted), meshes, presences.tolist(), strict=True)
        return [TrackedFace(*face) for face in faces if face[2] >= MIN_PRESENCE]

    def _look(self, picture: Pixels) -> list[TrackedFace]:
        """Give the faces that are not followed yet."""
        found = self.finder(picture, picture.shape[1::-1])
        new = [p for p in found.points if not any(_inside(p.mean(axis=0), face.box) for face in self._known)]
        wanted = [(self._next + n, region_from_landmarks(points)) for n, points in enumerate(new)]
        self._next += len(wanted)
        # The first mesh in a rough region is itself rough: a second look, from its own region, is not.
        rough = self._mesh(picture, wanted)
        return self._mesh(picture, [(face.id, region_from_mesh(face.mesh)) for face in rough])


def _inside(point: Float64Array, box: Float64Array) -> bool:
    return bool(np.all(point >= box[:2]) and np.all(point <= box[2:]))


def _largest(faces: list[TrackedFace]) -> list[TrackedFace]:
    return sorted(faces, key=lambda face: -float(np.ptp(face.mesh[:, 0])))[:MAX_FACES]


def stabilized_mouth_points(mesh: Float32Array) -> Float32Array:
    """Give the points of the mouth and the chin, (61, 3), as they would be if the head kept still.

    The points that speech does not move are laid on those of a model by the similarity of least squares (Umeyama,
    TPAMI 1991); one unit is the distance of the eyes' outer corners there.
    """
    steady = mesh[RIGID_POINTS].astype(np.float64)
    here, centre = steady - steady.mean(axis=0), CANONICAL_POINTS.mean(axis=0)
    u, s, vt = np.linalg.svd(here.T @ (CANONICAL_POINTS - centre))
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * flip).sum() / (here**2).sum()
    shown = (mesh[MOUTH_POINTS] - steady.mean(axis=0)) @ ((u * flip) @ vt) * scale + centre
    return np.asarray(shown, np.float32)


def resample_mouth(
    wanted: Float64Array, times: Float64Array, points: Float32Array, pictures: Pixels
) -> tuple[Float32Array, Pixels]:
    """Give a mouth at other times than it was seen at: points between their neighbours, pictures the nearest.

    Args:
        wanted: (T,) in seconds. times: (N,) increasing, two at least, at which it was seen.
        points: (N, P, 3). pictures: (N, H, W) or (N, H, W, C).
    """
    after = np.clip(np.searchsorted(times, wanted - 1e-6), 1, len(times) - 1)
    share = np.clip((wanted - times[after - 1]) / np.maximum(times[after] - times[after - 1], 1e-9), 0, 1)
    weight = share[:, None, None].astype(np.float32)
    mixed = points[after - 1] * (1 - weight) + points[after] * weight
    return mixed, pictures[np.where(share > 0.5, after, after - 1)]


def mouth_transform(mesh: Float32Array, side: int = MOUTH_CROP_SIDE) -> Float64Array:
    """Give the affine map (2, 3) from the picture to an upright picture of the mouth."""
    eyes, chin = mesh[EYE_CORNERS, :2], mesh[152, :2]
    across = eyes[1] - eyes[0]
    angle = np.arctan2(across[1], across[0])
    size = MOUTH_CROP_SCALE * max(float(np.hypot(*(chin - eyes.mean(axis=0)))), float(np.hypot(*across)))
    centre = mesh[LIPS, :2].mean(axis=0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * side / max(size, 1.0)
    return np.hstack([turn, (side / 2 - turn @ centre)[:, None]])


def crop_mouth(picture: Pixels, mesh: Float32Array, side: int = MOUTH_CROP_SIDE) -> Pixels:
    """Give an upright picture (side, side, 3) of the mouth."""
    import cv2

    return np.asarray(
        cv2.warpAffine(picture, mouth_transform(mesh, side), (side, side), flags=cv2.INTER_AREA), np.uint8
    )
