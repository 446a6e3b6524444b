import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.models import sample
from kinoscope.models.inference.face_mesh import (
    LIPS,
    MIN_PRESENCE,
    RIGID_POINTS,
    region_from_landmarks,
    region_from_mesh,
)
from kinoscope.models.inference.mouth_tracker import (
    CANONICAL_POINTS,
    MIRRORED_POINTS,
    MOUTH_POINTS,
    FaceTracker,
    crop_mouth,
    mouth_transform,
    resample_mouth,
    stabilized_mouth_points,
)
from kinoscope.source import open_source

GENERATOR = np.random.default_rng(0)


def head(scale=80.0, angle=0.0, at=(200.0, 150.0)):
    """A mesh whose steady points are those of the model, rotated in the frame."""
    mesh = GENERATOR.normal(0, 0.3, (468, 3))
    mesh[RIGID_POINTS] = CANONICAL_POINTS
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return (mesh @ turn * scale + (*at, 0)).astype(np.float32), mesh


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_points_do_not_depend_on_where_the_head_is_and_how_it_is_held(angle):
    seen, own = head(scale=57, angle=angle, at=(333, 20))
    np.testing.assert_allclose(stabilized_mouth_points(seen), own[MOUTH_POINTS], atol=1e-3)


def test_a_mirrored_face_has_its_points_at_their_mirrors():
    assert sorted(MIRRORED_POINTS) == list(range(61))
    assert [MIRRORED_POINTS[MIRRORED_POINTS[i]] for i in range(61)] == list(range(61))
    assert MOUTH_POINTS[:40] == LIPS
    assert MOUTH_POINTS[MIRRORED_POINTS[0]] == 291  # the corners of the mouth are 61 and 291


def test_a_mouth_is_brought_to_other_times():
    points = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 61, 3), np.float32)
    pictures = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((3, 4, 4), np.uint8)
    wanted, times = np.array([-0.1, 0.0, 0.03, 0.1, 0.3]), np.array([0.0, 0.1, 0.2])
    mixed, nearest = resample_mouth(wanted, times, points, pictures)
    assert mixed[:, 0, 0] == pytest.approx([0, 0, 0.3, 1, 2], abs=1e-5)
    assert nearest[:, 0, 0].tolist() == [0, 0, 0, 1, 2]


def test_the_crop_of_a_mouth_is_upright_and_centred():
    for angle in (0.0, 0.5):
        mesh, _ = head(angle=angle)
        mesh[152, :2] = mesh[[33, 263], :2].mean(axis=0) + 90 * np.array([-np.sin(angle), np.cos(angle)])
        into = mouth_transform(mesh, 48)
        assert into @ [*mesh[LIPS, :2].mean(axis=0), 1] == pytest.approx([24, 24], abs=1e-3)
        left, right = (into @ [*mesh[i, :2], 1] for i in (33, 263))
        assert left[1] == pytest.approx(right[1], abs=1e-3)
        assert left[0] < right[0]
    picture = np.full((300, 400, 3), 7, np.uint8)
    assert (crop_mouth(picture, mesh, 48) == 7).all()


def test_regions_are_squares_upright_by_the_eyes():
    mesh, _ = head(angle=0.3)
    x, y, side, angle = region_from_mesh(mesh)
    assert angle == pytest.approx(0.3, abs=1e-5)
    assert side > np.ptp(mesh[:, 0]) * 0.9
    assert np.hypot(x - 200, y - 150) < 80
    five = np.array([[40.0, 50], [80, 50], [60, 70], [45, 90], [75, 90]])
    assert region_from_landmarks(five) == pytest.approx([60, 70, 160, 0])


@pytest.mark.models
@pytest.mark.slow
def test_a_talking_face_is_tracked_in_every_frame():
    try:
        path = sample("carphone_pristine.mp4")
        follower = FaceTracker()
    except WeightsMissing as error:
        pytest.skip(str(error))
    with open_source(str(path), end=1.0) as source:
        pictures = [(picture.pixels(), float(picture.time)) for picture in source.lazy_frames()]
    faces = [follower(pixels, time) for pixels, time in pictures]
    assert [len(found) for found in faces] == [1] * len(pictures)
    assert {found[0].id for found in faces} == {0}
    assert min(found[0].presence for found in faces) >= MIN_PRESENCE
    boxes = np.array([found[0].box for found in faces])
    assert np.abs(np.diff(boxes, axis=0)).max() < 12
    after = follower(pictures[0][0], 2.0, cut=True)
    assert after[0].id == 1
