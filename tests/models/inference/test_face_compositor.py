from fractions import Fraction

import cv2
import numpy as np
import pytest

from kinoscope.core.media import Pixels
from kinoscope.models.inference.face_compositor import (
    CROP_SIDE,
    FaceCompositor,
    FaceTrajectory,
    crop_face,
    crop_transform,
    estimate_pose,
    generated_mask,
    smooth_over_time,
    track_face,
)
from kinoscope.models.inference.face_mesh import RIGID_POINTS
from kinoscope.models.inference.mouth_tracker import MOUTH_POINTS, TrackedFace, stabilized_mouth_points
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import shapes
from tests.helpers.talking import DrawnFollower, mesh, picture, write

TIMES = np.arange(50) / 25


def turned(points, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    done = points.copy()
    done[:, :2] = points[:, :2] @ turn.T
    return done


def test_the_crop_does_not_move_with_the_mouth():
    closed, wide = (crop_transform(mesh(time)[RIGID_POINTS, :2] - [3 * time, 0]) for time in (0.0, 0.25))
    assert np.allclose(closed, wide)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_a_turned_face_is_upright_in_its_crop(angle):
    points = turned(mesh(0.0), angle)
    laid = (
        points[RIGID_POINTS, :2] @ crop_transform(points[RIGID_POINTS, :2])[:, :2].T
        + crop_transform(points[RIGID_POINTS, :2])[:, 2]
    )
    assert laid[0, 1] == pytest.approx(laid[3, 1], abs=1e-3)
    assert laid[3, 0] - laid[0, 0] == pytest.approx(CROP_SIDE / 1.3, rel=1e-3)


def test_a_pose_yields_the_points_at_rest_and_the_inverse_transform():
    points = turned(mesh(0.3), 0.2).astype(np.float64)
    still, back = estimate_pose(points[RIGID_POINTS + MOUTH_POINTS])
    assert np.allclose(still, stabilized_mouth_points(points.astype(np.float32)), atol=1e-4)
    assert np.allclose(still @ back[:, :3].T + back[:, 3], points[MOUTH_POINTS], atol=1e-6)


def test_what_moves_evenly_stays_as_it_is_when_smoothed():
    line = 3 + 2 * TIMES[:, None]
    assert np.allclose(smooth_over_time(TIMES, line), line)
    noisy = line + np.random.default_rng(0).normal(0, 1, line.shape)
    assert np.std((smooth_over_time(TIMES, noisy) - line)[10:-10]) < 0.6 * np.std((noisy - line)[10:-10])
    assert np.array_equal(smooth_over_time(TIMES[:2], line[:2]), line[:2])


def test_a_face_is_tracked_through_gaps(tmp_path):
    with open_source(write(tmp_path / "a.mp4", hidden=range(20, 30), rate=None)) as source:
        first, second = track_face(source, DrawnFollower())
    assert np.allclose(first.times, TIMES[:20])
    assert np.allclose(second.times, TIMES[30:])
    assert first.landmarks.shape == (20, 61, 2)
    assert first.rest_points.shape == (61, 3)


def test_of_two_faces_the_larger_is_taken_all_along():
    small, large = mesh(0.0), 2 * mesh(0.0)

    class Two:
        def __call__(self, pixels: Pixels, time: float) -> list[TrackedFace]:
            return [TrackedFace(0, small, 1.0), *([TrackedFace(1, large, 1.0)] if time > 0.35 else [])]

    ways = track_face(shapes(duration=1, rate=10, width=160, height=160), Two())
    assert sorted(len(way) for way in ways) == [4, 6]
    widths = {len(way): float(np.ptp(way.transforms[0, 0, :2])) for way in ways}
    assert widths[6] == pytest.approx(widths[4] / 2, rel=0.2)


def way(count=3):
    points = [mesh(0.0)] * count
    into = np.array([crop_transform(one[RIGID_POINTS, :2].astype(np.float64)) for one in points])
    return FaceTrajectory(TIMES[:count], into, np.zeros((count, 2, 4)), np.zeros((count, 61, 3), np.float32))


LIPS = [np.full((61, 2), CROP_SIDE / 2, np.float32)]


def test_outside_the_mask_every_pixel_is_as_it_was():
    old, into = picture(0.0), way().transforms[0]
    done = FaceCompositor().blend(old, np.full((CROP_SIDE, CROP_SIDE, 3), 255, np.float32), into, LIPS)
    share = cv2.warpAffine(generated_mask(), into, old.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    reach = cv2.dilate((share > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(done[~reach], old[~reach])
    assert not np.array_equal(done[reach], old[reach])
    assert done is not old


def test_what_was_not_changed_comes_back_as_it_was():
    old, into = picture(0.0), way().transforms[0]
    face = crop_face(old, into).astype(np.float32)
    done = FaceCompositor().blend(old, face, into, [])
    assert np.abs(done.astype(int) - old).max() <= 1


def test_colours_are_matched_to_what_is_around():
    old, into = picture(0.0), way().transforms[0]
    face = crop_face(old, into).astype(np.float32)
    mask = generated_mask()[..., None]
    done = FaceCompositor().blend(old, face - 20 * mask, into, [])
    assert np.abs(done.astype(int) - old).mean() < 1


def test_matched_colours_follow_slowly():
    layer, old, into = FaceCompositor(), picture(0.0), way().transforms[0]
    face, mask = crop_face(old, into).astype(np.float32), generated_mask()[..., None]
    layer.blend(old, face, into, LIPS)
    layer.blend(old, face - 10 * mask, into, LIPS)
    assert layer.offset == pytest.approx([3, 3, 3], abs=0.2)


def test_a_mouth_softer_than_the_frame_is_sharpened():
    old, into = picture(0.0), way().transforms[0]
    face = crop_face(old, into).astype(np.float32)
    layer = FaceCompositor()
    soft = cv2.GaussianBlur(face, (0, 0), 1.0).astype(np.float32)
    done = layer.blend(old, soft, into, LIPS)
    plain = FaceCompositor(detail=0.0)
    plain.blend(old, face, into, LIPS)
    assert layer.detail is not None
    assert layer.detail > 0.2
    assert plain.detail == 0
    assert np.abs(done.astype(int) - old).mean() < 2


def test_a_face_that_leaves_the_frame_is_generated_where_it_is_visible():
    old, into = picture(0.0), way().transforms[0].copy()
    into[:, 2] -= [CROP_SIDE, 0]
    done = FaceCompositor().blend(old, np.zeros((CROP_SIDE, CROP_SIDE, 3), np.float32), into, LIPS)
    assert done.shape == old.shape
    into[:, 2] -= [10 * CROP_SIDE, 0]
    assert np.array_equal(FaceCompositor().blend(old, np.zeros((CROP_SIDE, CROP_SIDE, 3), np.float32), into, LIPS), old)


def test_times_are_those_of_the_frames(tmp_path):
    with open_source(write(tmp_path / "a.mkv", 1.0, start=1.5, rate=None)) as source:
        (one,) = track_face(source, DrawnFollower())
    assert one.times.tolist() == [float(Fraction(3, 2) + Fraction(n, 25)) for n in range(25)]
