import cv2
import numpy as np
import pytest

from kinoscope.core.errors import OutputError
from kinoscope.views.video.contact_sheet import GAP, draw_contact_sheet, save_image


def clip(frames, height=8, width=16):
    return np.stack([np.full((height, width, 3), 10 * index, np.uint8) for index in range(frames)])


def test_frames_from_first_to_last():
    image = draw_contact_sheet([("", clip(9))], columns=3, width=16)
    assert image.shape == (8 + 2 * GAP, 3 * (16 + GAP) + GAP, 3)
    middles = [image[GAP + 4, GAP + column * (16 + GAP) + 8, 0] for column in range(3)]
    assert middles == [0, 40, 80]


def test_a_caption_is_written_above():
    plain, named = draw_contact_sheet([("", clip(2))]), draw_contact_sheet([("fight 93 % — 1.5 s", clip(2))])
    line = named[: named.shape[0] - plain.shape[0]]
    assert line.shape[0] > 10
    assert line.min() < 60


def test_few_frames_are_not_repeated_and_any_shape_goes():
    image = draw_contact_sheet([("", clip(2)), ("", clip(8, 32, 16))], columns=4, width=16)
    assert image.shape == (8 + 32 + 3 * GAP, 4 * 18 + GAP, 3)
    assert (image[GAP : GAP + 8, GAP + 2 * 18 : GAP + 3 * 18] == 255).all()


def test_no_rows_but_an_empty_sheet():
    assert draw_contact_sheet([]).shape == (GAP, 8 * 130 + GAP, 3)


def test_frames_are_saved_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    save_image(tmp_path / "deep" / "ä b.png", pixels)
    data = np.frombuffer((tmp_path / "deep" / "ä b.png").read_bytes(), np.uint8)
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1], pixels)
    save_image(tmp_path / "a.JPG", pixels)
    assert (tmp_path / "a.JPG").read_bytes()[:2] == b"\xff\xd8"


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"give a name that ends in .png, .jpg or .jpeg"):
        save_image(tmp_path / "a.gif", clip(1)[0])
