import cv2
import numpy as np
import pytest

from kinoscope.imaging.thumbnail import thumbnail


def read(data):
    """Decode a JPEG file as RGB (H, W, 3)."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_it_shows_what_is_in_the_box_in_its_colours():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 50:90] = (220, 40, 40)
    shown = read(thumbnail(picture, (50, 20, 90, 60), margin=0))
    assert shown.shape == (40, 40, 3)
    assert np.abs(shown.mean((0, 1)) - (220, 40, 40)).max() < 4


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((50, 40, 90, 60), (32, 52)),
        ((0, 0, 40, 40), (46, 46)),
        ((-30, -30, 20, 20), (28, 28)),
        ((190, 90, 260, 160), (21, 21)),
    ],
)
def test_the_margin_is_clipped_to_the_frame(box, size):
    assert read(thumbnail(np.zeros((100, 200, 3), np.uint8), box)).shape[:2] == size


def test_a_large_box_is_scaled_down():
    assert read(thumbnail(np.zeros((600, 900, 3), np.uint8), (0, 0, 800, 400), margin=0)).shape[:2] == (100, 200)


@pytest.mark.parametrize("box", [(10, 10, 10, 10), (500, 500, 600, 600), (-9, -9, -5, -5)])
def test_an_empty_or_outside_box_yields_at_least_one_pixel(box):
    assert min(read(thumbnail(np.zeros((100, 200, 3), np.uint8), box)).shape[:2]) >= 1
