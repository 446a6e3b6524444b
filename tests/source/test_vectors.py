from fractions import Fraction

import numpy as np
import pytest
from source_making import encode

from kinoscope.core.media import Frame
from kinoscope.source import open_source
from kinoscope.source.scaling import Orientation
from kinoscope.source.vectors import is_reference, turn
from kinoscope.source.writer import Writer

ROOM = np.random.default_rng(1).integers(0, 255, (40, 60, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)


def flows(path):
    with open_source(str(path)) as source:
        source.vectors = True
        return [(picture.key, picture.flow()) for picture in source.read()]


def pan(path, steps, preset="medium"):
    """A room seen by a camera that moves so that everything goes 3 pixels left and 2 down with each of ``steps``."""
    with Writer(path, (320, 240), quality=18, preset=preset) as writer:
        for n, time in enumerate(np.cumsum(steps).tolist()):
            writer.write(Frame(ROOM[100 - 2 * n :, 3 * n :][:240, :320].copy(), Fraction(time, 25)))
    return path


@pytest.mark.parametrize("preset", ["veryfast", "medium", "slow"])
def test_a_pan_is_told_in_pixels_a_second_whatever_the_references(tmp_path, preset):
    told = flows(pan(tmp_path / "a.mp4", [1] * 30, preset))
    assert [len(flow) == 0 for _, flow in told] == [key for key, _ in told]
    medians = np.array([np.median(flow.speeds, axis=0) for key, flow in told if not key])
    # Where the encoder took an older reference than the nearest, or another vector that cost less, is its own affair.
    assert (np.abs(medians - (-75, 50)).max(axis=1) > 3).sum() <= 2


def test_uneven_times_are_reckoned_with(tmp_path):
    told = flows(pan(tmp_path / "a.mkv", [1, 2] * 15, "ultrafast"))  # no B-frames: each refers to the one before
    medians = np.array([np.median(flow.speeds, axis=0) for _, flow in told[1:]])
    assert medians[0::2, 0] == pytest.approx(np.full(15, -37.5), abs=2)
    assert medians[1::2, 0] == pytest.approx(np.full(14, -75), abs=2)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_vectors_turn_with_the_picture(rotation, mirror):
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[1, 5] = 255
    here, right = np.array([[5.5, 1.5]]), np.array([[1.0, 0.0]])
    orientation = Orientation(rotation, mirror)
    point, speed = turn(here, right, (8, 6), orientation)
    y, x = np.argwhere(orientation.apply(picture)[..., 0])[0]
    assert point[0] == pytest.approx([x + 0.5, y + 0.5])
    moved = np.roll(picture, 1, axis=1)
    y, x = np.argwhere(orientation.apply(moved)[..., 0])[0]
    assert point[0] + speed[0] == pytest.approx([x + 0.5, y + 0.5])


def test_a_rotated_video_tells_points_inside_the_displayed_picture(tmp_path):
    path = encode(tmp_path / "a.mp4", count=10, rotation=90, size=(64, 48))
    with open_source(str(path)) as source:
        source.vectors = True
        assert source.info.size == (48, 64)
        points = np.concatenate([picture.flow().points for picture in source.read()])
    assert len(points)
    assert points.max(axis=0).tolist() == [40, 56]


@pytest.mark.parametrize(("codec", "form"), [("mjpeg", "yuvj420p"), ("ffv1", "yuv420p")])
def test_codecs_without_vectors_tell_nothing(tmp_path, codec, form):
    told = flows(encode(tmp_path / "a.mkv", count=5, codec=codec, pix_fmt=form))
    assert [len(flow) for _, flow in told] == [0] * 5


def test_nothing_is_told_that_was_not_asked_for(tmp_path):
    with open_source(str(pan(tmp_path / "a.mp4", [1] * 5))) as source:
        assert [len(picture.flow()) for picture in source.read()] == [0] * 5


def test_mpeg4_with_b_frames(tmp_path):
    path = encode(tmp_path / "a.mkv", count=12, codec="mpeg4", max_b_frames=2)
    assert sum(len(flow) > 0 for _, flow in flows(path)) >= 6


def test_whether_others_refer_to_a_picture_is_read_from_its_first_slice():
    assert is_reference(bytes([0, 0, 0, 2, 0x65, 1, 9, 9]), False)
    assert not is_reference(bytes([0, 0, 0, 2, 0x06, 1, 0, 0, 0, 2, 0x01, 1]), False)
    assert not is_reference(bytes([0, 0, 1, 0, 0x01, 1]), False)  # a length of 256 is no start code
    assert is_reference(bytes([0, 0, 0, 1, 0x09, 1, 0, 0, 0, 1, 0x41, 1]), True)
    assert not is_reference(bytes([0, 0, 0, 1, 0x09, 1, 0, 0, 1, 0x01, 1, 2]), True)
    assert is_reference(b"", True)
