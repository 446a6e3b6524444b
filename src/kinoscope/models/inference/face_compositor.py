"""Lower faces of a video that are painted anew: where they lie, steadily over time, and how they are laid back.

A face is followed by its mesh. The points that speech does not move say where its lower half is, so that the crop does
not move with the mouth that it hides.
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
"""Side of a lower face, and how far its middle lies below the eyes, in distances of the eyes' outer corners."""

SMOOTHING_SECONDS = 0.06
"""Seconds, a standard deviation, over which the place of a crop is averaged."""

MAX_GAP_SECONDS = 0.25
"""Seconds without a face after which its way begins anew."""

MAX_FRAME_SIDE = 960
"""Longer side in pixels of the pictures in which faces are followed."""


@dataclass(frozen=True)
class FaceTrajectory:
    """One face through a stretch of a video.

    Attributes:
        times: (T,) of its pictures, in seconds.
        into: (T, 2, 3) affine maps from the picture as shown to the crop.
        lay: (T, 2, 4) affine maps from points of a head that keeps still (``points_of``) to the crop.
        points: (T, 61, 3) of its mouth, as if the head kept still.
    """

    times: Float64Array
    into: Float64Array
    lay: Float64Array
    points: Float32Array

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rest(self) -> Float32Array:
        """(61, 3) where the points of the mouth lie on average."""
        return np.asarray(self.points.mean(axis=0), np.float32)

    @property
    def places(self) -> Float32Array:
        """(T, 61, 2) where the points lie in the crops, in pixels."""
        return self.placed(self.points, slice(None))

    def placed(self, points: Float32Array, part: slice) -> Float32Array:
        """Give where points (N, 61, 3) of the head that keeps still lie in the crops of a part: (N, 61, 2)."""
        lay = self.lay[part]
        return np.asarray(np.einsum("tij,tpj->tpi", lay[:, :, :3], points) + lay[:, None, :, 3], np.float32)


def track_face(
    source: Source,
    look: Callable[[Pixels, float], Sequence[TrackedFace]],
    progress: Callable[[float], None] | None = None,
) -> list[FaceTrajectory]:
    """Read a source and give the ways of the face that is to be painted: of several, that seen largest and longest.

    Args:
        look: gives the faces of the next picture, see ``mouths.Follower``.
        progress: told the time of each picture.
    """
    size = source.info.fit(MAX_FRAME_SIDE)
    scale = source.info.width / size[0]
    seen: dict[int, list[tuple[float, Float32Array]]] = {}
    for picture in source.lazy_frames():
        for face in look(picture.pixels(size), float(picture.time)):
            seen.setdefault(face.id, []).append(
                (float(picture.time), face.mesh[RIGID_POINTS + MOUTH_POINTS] * np.float32(scale))
            )
        if progress:
            progress(float(picture.time))
    return [_trajectory(rows) for rows in _split_at_gaps(_select_main_face(seen))]


def _select_main_face(seen: dict[int, list[tuple[float, Float32Array]]]) -> dict[int, list[tuple[float, Float32Array]]]:
    """Leave in each picture the face that is seen largest and longest in the whole."""
    ranked = sorted(seen, key=lambda id: -sum(float(np.ptp(mesh[:, 0])) for _, mesh in seen[id]))
    taken: set[float] = set()
    chosen = {}
    for id in ranked:
        chosen[id] = [row for row in seen[id] if row[0] not in taken]
        taken |= {time for time, _ in chosen[id]}
    return chosen


def _split_at_gaps(chosen: dict[int, list[tuple[float, Float32Array]]]) -> Iterator[list[tuple[float, Float32Array]]]:
    """Yield stretches without gaps, two pictures long at least."""
    for rows in chosen.values():
        cuts = [i for i in range(1, len(rows)) if rows[i][0] - rows[i - 1][0] > MAX_GAP_SECONDS]
        for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            if end - start > 1:
                yield rows[start:end]


def _trajectory(rows: list[tuple[float, Float32Array]]) -> FaceTrajectory:
    times = np.array([time for time, _ in rows])
    meshes = np.array([mesh for _, mesh in rows], np.float64)
    into = smooth_over_time(times, np.array([crop_transform(mesh[: len(RIGID_POINTS), :2]) for mesh in meshes]))
    found = [estimate_pose(mesh) for mesh in meshes]
    lay = smooth_over_time(
        times, np.array([_head_to_crop(one, place) for (_, one), place in zip(found, into, strict=True)])
    )
    return FaceTrajectory(times, into, lay, np.array([points for points, _ in found], np.float32))


def crop_transform(steady: Float64Array) -> Float64Array:
    """Give the map (2, 3) to the lower face from a picture in which the steady points (14, 2) lie so."""
    # A plane's similarities are the sums and products of complex numbers.
    here, there = steady @ [1, 1j], CANONICAL_POINTS[:, :2] @ [1, 1j]
    away = here - here.mean()
    turn = np.vdot(away, there - there.mean()) / max(np.vdot(away, away).real, 1e-9) * CROP_SIDE / CROP_SCALE
    move = (there.mean() - CROP_OFFSET * 1j) * CROP_SIDE / CROP_SCALE + CROP_SIDE / 2 * (1 + 1j) - turn * here.mean()
    return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])


def estimate_pose(mesh: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Give the mouth's points (61, 3) as if the head kept still, and the map (3, 4) from there back to the picture.

    ``mesh`` has the steady points, then those of the mouth. As ``mouths.points_of``, by Umeyama, TPAMI 1991.
    """
    steady, shown = mesh[: len(RIGID_POINTS)], mesh[len(RIGID_POINTS) :]
    middle, centre = steady.mean(axis=0), CANONICAL_POINTS.mean(axis=0)
    u, s, vt = np.linalg.svd((steady - middle).T @ (CANONICAL_POINTS - centre))
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * flip) @ vt * (s * flip).sum() / ((steady - middle) ** 2).sum()
    back = np.linalg.inv(turn).T
    return (shown - middle) @ turn + centre, np.hstack([back, (middle - back @ centre)[:, None]])


def _head_to_crop(back: Float64Array, into: Float64Array) -> Float64Array:
    """Give the map (2, 4) from the head that keeps still to the crop."""
    both = into[:, :2] @ back[:2]
    both[:, 3] += into[:, 2]
    return both


def smooth_over_time(times: Float64Array, values: Float64Array, calm: float = SMOOTHING_SECONDS) -> Float64Array:
    """Average values (T, ...) over their neighbours in time, by a normal curve; the mirrored ends keep their slope."""
    if len(times) < 3:
        return values
    reach = max(1, int(np.ceil(3 * calm / max(float(np.median(np.diff(times))), 1e-6))))
    reach = min(reach, len(times) - 1)
    before, after = 2 * values[0] - values[reach:0:-1], 2 * values[-1] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, values, after])
    early, late = 2 * times[0] - times[reach:0:-1], 2 * times[-1] - times[-2 : -reach - 2 : -1]
    moments = np.concatenate([early, times, late])
    total, weights = np.zeros_like(values, np.float64), np.zeros(len(times))
    for shift in range(2 * reach + 1):
        weight = np.exp(-0.5 * ((moments[shift : shift + len(times)] - times) / calm) ** 2)
        total += padded[shift : shift + len(times)] * weight.reshape(-1, *[1] * (values.ndim - 1))
        weights += weight
    return total / weights.reshape(-1, *[1] * (values.ndim - 1))


def crop_face(picture: Pixels, into: Float64Array) -> Pixels:
    """Cut a lower face (112, 112, 3) out of a picture (H, W, 3); large ones without aliasing."""
    import cv2

    shrink = float(np.hypot(into[0, 0], into[1, 0]))
    while shrink < 0.5 and min(picture.shape[:2]) > 2:
        picture, shrink = np.asarray(cv2.pyrDown(picture), np.uint8), shrink * 2
        into = np.hstack([into[:, :2] * 2, into[:, 2:]])
    return np.asarray(
        cv2.warpAffine(picture, into, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


@lru_cache
def generated_mask() -> Float32Array:
    """Give what is painted of a lower face, (112, 112): 1 from under the nose to under the chin, 0 at the edges."""
    y, x = np.mgrid[0:CROP_SIDE, 0:CROP_SIDE] / CROP_SIDE - 0.5
    far = (np.abs(x / 0.42) ** 3 + np.abs((y - 0.06) / 0.42) ** 3) ** (1 / 3)
    return np.asarray(np.clip((1 - far) / 0.12 + 0.5, 0, 1), np.float32)


MIN_BLEND_WEIGHT = 1 / 512
"""Share of what is painted under which a pixel stays exactly as it is."""

LIP_MARGIN_PIXELS = 3
"""Pixels of the crop around the lips within which what the picture had there leaves no trace, not even its grain."""

ADAPTATION_RATE = 0.3
"""Share of a picture in the colours that are matched; the rest is from those before, so that they do not flicker."""


MAX_SHARPENING = 1.5
"""Most by which painted edges are raised: more would show noise."""


@dataclass
class FaceCompositor:
    """Lay painted lower faces back into the pictures of one way, one after the other.

    Attributes:
        offset: (3,) by which the last painted colours were moved towards what is around them.
        detail: by which the last painted edges were raised, so that they are as sharp as what is around them.
    """

    offset: Float32Array | None = None
    detail: float | None = None

    def lay(self, picture: Pixels, made: Float32Array, into: Float64Array, lips: Sequence[Float32Array]) -> Pixels:
        """Give a picture (H, W, 3) with a lower face painted in; pixels outside are exactly as they were.

        Args:
            made: (S, S, 3), 0 to 255. into: (2, 3) map from the picture to the crop.
            lips: (61, 2) places of lips, painted and old: there the picture's own grain is not kept.
        """
        import cv2

        mask, face = generated_mask(), crop_face(picture, into).astype(np.float32)
        made = self._sharpen(face, made, mask)
        made = made + mask[..., None] * self._match(face, made, mask)
        left, top, right, bottom = _crop_bounds(into, picture.shape[1], picture.shape[0])
        if right <= left or bottom <= top:
            return picture
        shifted = np.hstack([into[:, :2], into[:, 2:] + into[:, :2] @ [[left], [top]]])

        def grow(layer: Float32Array, way: int) -> Float32Array:
            size, flags, edge = (right - left, bottom - top), way | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
            return np.asarray(cv2.warpAffine(layer, shifted, size, flags=flags, borderMode=edge), np.float32)

        grown = [grow(layer, cv2.INTER_CUBIC) for layer in (made.astype(np.float32), face)]
        share, still = (grow(layer, cv2.INTER_LINEAR)[..., None] for layer in (mask, _lip_mask(lips)))
        return _blend(picture, (left, top, right, bottom), grown, share, still)

    def _sharpen(self, face: Float32Array, made: Float32Array, mask: Float32Array) -> Float32Array:
        """Raise painted edges until they are as strong as those that the face had there, within bounds."""
        fine, wanted = (one - _blur(one) for one in (made, face))
        strengths = [float(np.sqrt((np.square(one).mean(axis=2) * mask).sum() / mask.sum())) for one in (fine, wanted)]
        found = float(np.clip(strengths[1] / max(strengths[0], 0.1) - 1, 0, MAX_SHARPENING))
        self.detail = found if self.detail is None else self.detail + ADAPTATION_RATE * (found - self.detail)
        return np.asarray(made + self.detail * fine * mask[..., None], np.float32)

    def _match(self, face: Float32Array, made: Float32Array, mask: Float32Array) -> Float32Array:
        """Give by how much painted colours are to be moved, so that they meet their surroundings at the edge."""
        ring = np.where((mask > 0.1) & (mask < 0.9), mask, 0)[..., None]
        found = ((face - made) * ring).sum(axis=(0, 1)) / max(float(np.square(ring).sum()), 1e-6)
        found = np.clip(found, -24, 24)
        self.offset = found if self.offset is None else self.offset + ADAPTATION_RATE * (found - self.offset)
        return np.asarray(self.offset, np.float32)


def _blur(face: Float32Array) -> Float32Array:
    """Take the fine edges away."""
    import cv2

    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1.5), np.float32)


def _crop_bounds(into: Float64Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Give left, top, right and bottom, in whole pixels of the picture, of what the crop shows."""
    back = np.linalg.inv(into[:, :2])
    corners = (np.array([[0, 0], [CROP_SIDE, 0], [0, CROP_SIDE], [CROP_SIDE, CROP_SIDE]]) - into[:, 2]) @ back.T
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    return max(int(low[0]), 0), max(int(low[1]), 0), min(int(high[0]), width), min(int(high[1]), height)


def _lip_mask(places: Sequence[Float32Array]) -> Float32Array:
    """Give a soft mask (S, S) of lips at places (61, 2), and of what is close to them."""
    import cv2

    drawn = np.zeros((CROP_SIDE, CROP_SIDE), np.uint8)
    for one in places:
        cv2.fillConvexPoly(drawn, cv2.convexHull(np.round(one[:40]).astype(np.int32)), 1)
    wide = cv2.dilate(drawn, np.ones((2 * LIP_MARGIN_PIXELS + 1, 2 * LIP_MARGIN_PIXELS + 1), np.uint8))
    return np.asarray(cv2.GaussianBlur(wide.astype(np.float32), (0, 0), LIP_MARGIN_PIXELS / 1.5), np.float32)


def _blend(
    picture: Pixels,
    box: tuple[int, int, int, int],
    grown: Sequence[Float32Array],
    share: Float32Array,
    still: Float32Array,
) -> Pixels:
    """Blend a grown crop in, with the grain that the picture has beyond its own grown crop, but for the lips."""
    left, top, right, bottom = box
    old = picture[top:bottom, left:right].astype(np.float32)
    made, face = grown
    new = made + (old - face) * (1 - still)
    mixed = np.clip(np.round(old + share * (new - old)), 0, 255).astype(np.uint8)
    done = picture.copy()
    done[top:bottom, left:right] = np.where(share > MIN_BLEND_WEIGHT, mixed, picture[top:bottom, left:right])
    return done
