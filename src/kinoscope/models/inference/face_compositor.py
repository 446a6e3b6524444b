"""Compositing of generated lower faces: smooth crops of a face over time, and blending back into the frames.

A face is tracked by its mesh. The points that speech does not move define its lower half, so that the crop does not
follow the mouth that is hidden in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.models.inference.face_mesh import RIGID_POINTS
from kinoscope.models.inference.mouth_tracker import CANONICAL_POINTS, MOUTH_POINTS, TrackedFace

if TYPE_CHECKING:
    from kinoscope.source.base import Source


CROP_SIDE = 112
"""Side in pixels of a lower face."""

CROP_SCALE, CROP_OFFSET = 1.3, 0.82
"""Side of a lower face, and distance of its centre below the eyes, in distances of the eyes' outer corners."""

SMOOTHING_SECONDS = 0.06
"""Standard deviation of the temporal smoothing of crops."""

MAX_GAP_SECONDS = 0.25
"""Maximum time without a face within one trajectory."""

MAX_FRAME_SIDE = 960
"""Maximum longer side in pixels of the frames in which faces are tracked."""


@dataclass(frozen=True)
class FaceTrajectory:
    """One face over a stretch of a video.

    Attributes:
        times: (T,) of its frames, in seconds.
        transforms: (T, 2, 3) affine transforms from the displayed frame to the crop.
        projections: (T, 2, 4) affine transforms from head coordinates (``stabilized_mouth_points``) to the crop.
        points: (T, 61, 3) of its mouth, in head coordinates.
    """

    times: Float64Array
    transforms: Float64Array
    projections: Float64Array
    points: Float32Array

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rest_points(self) -> Float32Array:
        """(61, 3) mean points of the mouth."""
        return np.asarray(self.points.mean(axis=0), np.float32)

    @property
    def landmarks(self) -> Float32Array:
        """(T, 61, 2) points of the mouth in the crops, in pixels."""
        return self.project(self.points, slice(None))

    def project(self, points: Float32Array, part: slice) -> Float32Array:
        """Project points (N, 61, 3) in head coordinates into the crops of a part: (N, 61, 2)."""
        projections = self.projections[part]
        return np.asarray(
            np.einsum("tij,tpj->tpi", projections[:, :, :3], points) + projections[:, None, :, 3], np.float32
        )


def track_face(
    source: Source,
    track: Callable[[Pixels, float], Sequence[TrackedFace]],
    progress: Callable[[float], None] | None = None,
) -> list[FaceTrajectory]:
    """Read a source and return the trajectories of the main face: of several, the one with the largest total width.

    Args:
        track: returns the faces of the next frame, see ``mouth_tracker.FaceTracker``.
        progress: called with the time of each frame.
    """
    size = source.info.fit(MAX_FRAME_SIDE)
    scale = source.info.width / size[0]
    meshes_by_face: dict[int, list[tuple[float, Float32Array]]] = {}
    for frame in source.lazy_frames():
        for face in track(frame.pixels(size), float(frame.time)):
            meshes_by_face.setdefault(face.id, []).append(
                (float(frame.time), face.mesh[RIGID_POINTS + MOUTH_POINTS] * np.float32(scale))
            )
        if progress:
            progress(float(frame.time))
    return [_trajectory(samples) for samples in _split_at_gaps(_select_main_face(meshes_by_face))]


def _select_main_face(
    meshes_by_face: dict[int, list[tuple[float, Float32Array]]],
) -> dict[int, list[tuple[float, Float32Array]]]:
    """Keep in each frame the face with the largest width summed over all frames."""
    ranked = sorted(meshes_by_face, key=lambda id: -sum(float(np.ptp(mesh[:, 0])) for _, mesh in meshes_by_face[id]))
    taken_times: set[float] = set()
    selected = {}
    for id in ranked:
        selected[id] = [row for row in meshes_by_face[id] if row[0] not in taken_times]
        taken_times |= {time for time, _ in selected[id]}
    return selected


def _split_at_gaps(selected: dict[int, list[tuple[float, Float32Array]]]) -> Iterator[list[tuple[float, Float32Array]]]:
    """Yield stretches without gaps, of at least two frames."""
    for samples in selected.values():
        cuts = [i for i in range(1, len(samples)) if samples[i][0] - samples[i - 1][0] > MAX_GAP_SECONDS]
        for start, end in zip([0, *cuts], [*cuts, len(samples)], strict=True):
            if end - start > 1:
                yield samples[start:end]


def _trajectory(samples: list[tuple[float, Float32Array]]) -> FaceTrajectory:
    """Return the smoothed trajectory of a face from its times and meshes."""
    times = np.array([time for time, _ in samples])
    meshes = np.array([mesh for _, mesh in samples], np.float64)
    transforms = smooth_over_time(times, np.array([crop_transform(mesh[: len(RIGID_POINTS), :2]) for mesh in meshes]))
    poses = [estimate_pose(mesh) for mesh in meshes]
    projections = smooth_over_time(
        times,
        np.array(
            [_head_to_crop(inverse, transform) for (_, inverse), transform in zip(poses, transforms, strict=True)]
        ),
    )
    return FaceTrajectory(times, transforms, projections, np.array([points for points, _ in poses], np.float32))


def crop_transform(steady: Float64Array) -> Float64Array:
    """Return the transform (2, 3) from a frame with these rigid points (14, 2) to the lower face."""
    # Similarity transforms of the plane are sums and products of complex numbers.
    source, target_points = steady @ [1, 1j], CANONICAL_POINTS[:, :2] @ [1, 1j]
    centred = source - source.mean()
    rotation = (
        np.vdot(centred, target_points - target_points.mean())
        / max(np.vdot(centred, centred).real, 1e-9)
        * CROP_SIDE
        / CROP_SCALE
    )
    translation = (
        (target_points.mean() - CROP_OFFSET * 1j) * CROP_SIDE / CROP_SCALE
        + CROP_SIDE / 2 * (1 + 1j)
        - rotation * source.mean()
    )
    return np.array(
        [[rotation.real, -rotation.imag, translation.real], [rotation.imag, rotation.real, translation.imag]]
    )


def estimate_pose(mesh: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the mouth's points (61, 3) in head coordinates, and the transform (3, 4) from there to the frame.

    ``mesh`` has the rigid points, then those of the mouth. As ``mouth_tracker.stabilized_mouth_points``, by Umeyama,
    TPAMI 1991.
    """
    steady, mouth = mesh[: len(RIGID_POINTS)], mesh[len(RIGID_POINTS) :]
    source_centre, target_centre = steady.mean(axis=0), CANONICAL_POINTS.mean(axis=0)
    u, s, vt = np.linalg.svd((steady - source_centre).T @ (CANONICAL_POINTS - target_centre))
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * flip) @ vt * (s * flip).sum() / ((steady - source_centre) ** 2).sum()
    inverse = np.linalg.inv(rotation).T
    return (mouth - source_centre) @ rotation + target_centre, np.hstack(
        [inverse, (source_centre - inverse @ target_centre)[:, None]]
    )


def _head_to_crop(inverse: Float64Array, transform: Float64Array) -> Float64Array:
    """Return the transform (2, 4) from head coordinates to the crop."""
    composed = transform[:, :2] @ inverse[:2]
    composed[:, 3] += transform[:, 2]
    return composed


def smooth_over_time(
    times: Float64Array, values: Float64Array, sigma_seconds: float = SMOOTHING_SECONDS
) -> Float64Array:
    """Smooth values (T, ...) over time with a Gaussian; the ends are padded by point reflection, which keeps their
    slope.
    """
    if len(times) < 3:
        return values
    radius = max(1, int(np.ceil(3 * sigma_seconds / max(float(np.median(np.diff(times))), 1e-6))))
    radius = min(radius, len(times) - 1)
    head, tail = 2 * values[0] - values[radius:0:-1], 2 * values[-1] - values[-2 : -radius - 2 : -1]
    padded = np.concatenate([head, values, tail])
    head_times, tail_times = 2 * times[0] - times[radius:0:-1], 2 * times[-1] - times[-2 : -radius - 2 : -1]
    padded_times = np.concatenate([head_times, times, tail_times])
    total, weights = np.zeros_like(values, np.float64), np.zeros(len(times))
    for shift in range(2 * radius + 1):
        weight = np.exp(-0.5 * ((padded_times[shift : shift + len(times)] - times) / sigma_seconds) ** 2)
        total += padded[shift : shift + len(times)] * weight.reshape(-1, *[1] * (values.ndim - 1))
        weights += weight
    return total / weights.reshape(-1, *[1] * (values.ndim - 1))


def crop_face(frame: Pixels, transform: Float64Array) -> Pixels:
    """Crop a lower face (112, 112, 3) from a frame (H, W, 3); large ones without aliasing."""
    import cv2

    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    while scale < 0.5 and min(frame.shape[:2]) > 2:
        frame, scale = np.asarray(cv2.pyrDown(frame), np.uint8), scale * 2
        transform = np.hstack([transform[:, :2] * 2, transform[:, 2:]])
    return np.asarray(
        cv2.warpAffine(
            frame, transform, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


@lru_cache
def generated_mask() -> Float32Array:
    """Return the opacity of the generated face, (112, 112): 1 from below the nose to below the chin, 0 at the
    border.
    """
    y, x = np.mgrid[0:CROP_SIDE, 0:CROP_SIDE] / CROP_SIDE - 0.5
    distance = (np.abs(x / 0.42) ** 3 + np.abs((y - 0.06) / 0.42) ** 3) ** (1 / 3)
    return np.asarray(np.clip((1 - distance) / 0.12 + 0.5, 0, 1), np.float32)


MIN_BLEND_WEIGHT = 1 / 512
"""Opacity below which a pixel stays exactly as it is."""

LIP_MARGIN_PIXELS = 3
"""Pixels of the crop around the lips in which nothing of the original frame remains, not even its grain."""

ADAPTATION_RATE = 0.3
"""Share of the current frame in the running colour and sharpness estimates, which prevents flicker."""


MAX_SHARPENING = 1.5
"""Maximum amplification of generated detail; more would amplify noise."""


@dataclass
class FaceCompositor:
    """A compositor of generated lower faces into the frames of one trajectory, in their order.

    Attributes:
        offset: (3,) running colour offset of the generated face towards its surroundings.
        detail: running amplification of generated detail towards the sharpness of the original.
    """

    offset: Float32Array | None = None
    detail: float | None = None

    def blend(
        self, frame: Pixels, generated: Float32Array, transform: Float64Array, lips: Sequence[Float32Array]
    ) -> Pixels:
        """Return a frame (H, W, 3) with a generated lower face; pixels outside of it are unchanged.

        Args:
            generated: (S, S, 3), 0 to 255.
            transform: (2, 3) from the frame to the crop.
            lips: (61, 2) landmarks of the generated and of the original lips, where the frame's own grain is removed.
        """
        import cv2

        mask, face = generated_mask(), crop_face(frame, transform).astype(np.float32)
        generated = self._sharpen(face, generated, mask)
        generated = generated + mask[..., None] * self._match(face, generated, mask)
        left, top, right, bottom = _crop_bounds(transform, frame.shape[1], frame.shape[0])
        if right <= left or bottom <= top:
            return frame
        shifted = np.hstack([transform[:, :2], transform[:, 2:] + transform[:, :2] @ [[left], [top]]])

        def grow(layer: Float32Array, interpolation: int) -> Float32Array:
            size, flags, edge = (right - left, bottom - top), interpolation | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
            return np.asarray(cv2.warpAffine(layer, shifted, size, flags=flags, borderMode=edge), np.float32)

        enlarged = [grow(layer, cv2.INTER_CUBIC) for layer in (generated.astype(np.float32), face)]
        opacity, lip_weight = (grow(layer, cv2.INTER_LINEAR)[..., None] for layer in (mask, _lip_mask(lips)))
        return _blend(frame, (left, top, right, bottom), enlarged, opacity, lip_weight)

    def _sharpen(self, face: Float32Array, generated: Float32Array, mask: Float32Array) -> Float32Array:
        """Increase generated detail up to the strength of the original's, within limits."""
        fine, reference = (item - _blur(item) for item in (generated, face))
        strengths = [
            float(np.sqrt((np.square(item).mean(axis=2) * mask).sum() / mask.sum())) for item in (fine, reference)
        ]
        target = float(np.clip(strengths[1] / max(strengths[0], 0.1) - 1, 0, MAX_SHARPENING))
        self.detail = target if self.detail is None else self.detail + ADAPTATION_RATE * (target - self.detail)
        return np.asarray(generated + self.detail * fine * mask[..., None], np.float32)

    def _match(self, face: Float32Array, generated: Float32Array, mask: Float32Array) -> Float32Array:
        """Return the colour offset of the generated face that matches its surroundings at the border."""
        ring = np.where((mask > 0.1) & (mask < 0.9), mask, 0)[..., None]
        target = ((face - generated) * ring).sum(axis=(0, 1)) / max(float(np.square(ring).sum()), 1e-6)
        target = np.clip(target, -24, 24)
        self.offset = target if self.offset is None else self.offset + ADAPTATION_RATE * (target - self.offset)
        return np.asarray(self.offset, np.float32)


def _blur(face: Float32Array) -> Float32Array:
    """Remove fine detail."""
    import cv2

    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1.5), np.float32)


def _crop_bounds(transform: Float64Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the crop in whole pixels of the frame."""
    inverse = np.linalg.inv(transform[:, :2])
    corners = (np.array([[0, 0], [CROP_SIDE, 0], [0, CROP_SIDE], [CROP_SIDE, CROP_SIDE]]) - transform[:, 2]) @ inverse.T
    lowest, highest = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    return max(int(lowest[0]), 0), max(int(lowest[1]), 0), min(int(highest[0]), width), min(int(highest[1]), height)


def _lip_mask(landmarks: Sequence[Float32Array]) -> Float32Array:
    """Return a soft mask (S, S) of lips at landmarks (61, 2), dilated by a margin."""
    import cv2

    mask = np.zeros((CROP_SIDE, CROP_SIDE), np.uint8)
    for item in landmarks:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(item[:40]).astype(np.int32)), 1)
    dilated = cv2.dilate(mask, np.ones((2 * LIP_MARGIN_PIXELS + 1, 2 * LIP_MARGIN_PIXELS + 1), np.uint8))
    return np.asarray(cv2.GaussianBlur(dilated.astype(np.float32), (0, 0), LIP_MARGIN_PIXELS / 1.5), np.float32)


def _blend(
    frame: Pixels,
    box: tuple[int, int, int, int],
    enlarged: Sequence[Float32Array],
    opacity: Float32Array,
    lip_weight: Float32Array,
) -> Pixels:
    """Blend an enlarged crop into a frame, with the grain that the frame has beyond its own enlarged crop, except on
    the lips.
    """
    left, top, right, bottom = box
    original = frame[top:bottom, left:right].astype(np.float32)
    generated, face = enlarged
    with_grain = generated + (original - face) * (1 - lip_weight)
    blended = np.clip(np.round(original + opacity * (with_grain - original)), 0, 255).astype(np.uint8)
    result = frame.copy()
    result[top:bottom, left:right] = np.where(opacity > MIN_BLEND_WEIGHT, blended, frame[top:bottom, left:right])
    return result
