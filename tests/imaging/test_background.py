"""What moves before a still camera: exact boxes on drawn frames."""

import numpy as np

from kinoscope.imaging.background import BackgroundModel

BACK = np.random.default_rng(0).integers(80, 120, (108, 192, 3)).astype(np.uint8)


def learned(times=30):
    background = BackgroundModel()
    for _ in range(times):
        background.apply(BACK)
    return background


def painted(*boxes):
    picture = BACK.copy()
    for x1, y1, x2, y2 in boxes:
        picture[y1:y2, x1:x2] = (250, 20, 20)
    return picture


def test_a_static_background_has_no_moving_regions():
    found = learned().apply(BACK)
    assert found.boxes.shape == (0, 4)
    assert found.moving == 0
    assert found.still


def test_boxes_of_new_objects_are_returned_largest_first():
    found = learned().apply(painted((10, 20, 26, 40), (100, 30, 140, 80)))
    assert len(found.boxes) == 2
    assert np.abs(found.boxes - [[100, 30, 140, 80], [10, 20, 26, 40]]).max() <= 2
    assert found.mask[50, 120] == 255
    assert found.mask[5, 5] == 0


def test_specks_are_noise():
    assert not len(learned().apply(painted((10, 10, 12, 12))).boxes)


def test_a_moving_camera_is_reported():
    found = learned().apply(np.roll(255 - BACK, 40, axis=1))
    assert found.moving > 0.9
    assert not found.still


def test_no_more_boxes_than_the_limit_are_returned():
    boxes = [(10 + 30 * i, 10 + 30 * j, 22 + 30 * i, 22 + 30 * j) for i in range(6) for j in range(3)]
    assert len(learned().apply(painted(*boxes)).boxes) == 12
