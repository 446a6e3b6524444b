import cv2
import numpy as np
import pytest

from kinoscope.imaging.camera_motion import CameraMotion, compose_affine


def scene(seed=0, size=(240, 320)):
    """A blurred random texture, in which corners are found."""
    noise = np.random.default_rng(seed).integers(0, 255, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)


def moved(picture, affine):
    return cv2.warpAffine(picture, np.array(affine, float), picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


def test_translation_rotation_and_zoom_are_estimated():
    turned = np.add(cv2.getRotationMatrix2D((160, 120), 2.0, 1.03), [[0, 0, 6], [0, 0, -4]])
    camera, picture = CameraMotion((320, 240)), scene()
    assert camera.update(picture).tolist() == np.eye(2, 3).tolist()
    found = camera.update(moved(picture, turned))
    corners = np.array([[0, 0, 1], [320, 0, 1], [320, 240, 1], [0, 240, 1]])
    assert np.abs(corners @ (found - turned).T).max() < 0.7


def test_motion_is_in_pixels_of_the_displayed_size():
    camera, picture = CameraMotion((1280, 480)), scene()
    camera.update(picture)
    found = camera.update(moved(picture, [[1, 0, 5], [0, 1, 3]]))
    assert found == pytest.approx(np.array([[1, 0, 20], [0, 1, 6]]), abs=0.5)


def test_what_moves_by_itself_is_left_out():
    picture, other = scene(), scene(1)
    before, after = picture.copy(), picture.copy()
    before[20:220, 20:200], after[20:220, 40:220] = other[20:220, 20:200], other[20:220, 20:200]
    camera = CameraMotion((320, 240))
    camera.update(before)
    assert camera.update(after, np.array([[15.0, 15, 230, 225]])) == pytest.approx(np.eye(2, 3), abs=0.3)


def test_a_cut_a_blank_wall_and_another_size_yield_the_identity():
    camera = CameraMotion((320, 240))
    wall = np.full((240, 320, 3), 90, np.uint8)
    for picture in (scene(), scene(5), wall, wall, scene(size=(120, 160))):
        assert camera.update(picture).tolist() == np.eye(2, 3).tolist()


def test_maps_are_done_one_after_the_other():
    shift, double = np.array([[1.0, 0, 5], [0, 1, 7]]), np.array([[2.0, 0, 1], [0, 2, 0]])
    assert compose_affine(double, shift) @ [1, 1, 1] == pytest.approx([13, 16])


def test_an_object_that_moves_before_a_blank_wall_is_not_the_camera():
    before = np.full((240, 320, 3), 90, np.uint8)
    after = before.copy()
    before[10:110, 10:130], after[10:110, 20:140] = scene()[:100, :120], scene()[:100, :120]
    camera = CameraMotion((320, 240))
    camera.update(before)
    assert camera.update(after).tolist() == np.eye(2, 3).tolist()
