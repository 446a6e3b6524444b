import math

import numpy as np
import pytest

from kinoscope.core.pictures import flicker, psnr, ssim

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def test_equal_pictures():
    assert psnr(NOISE, NOISE) == math.inf
    assert ssim(NOISE, NOISE) == pytest.approx(1)


def test_a_known_error():
    a, b = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 51, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * math.log10(5))
    assert psnr(b, a) == psnr(a, b)


def test_of_flat_pictures_only_brightness_counts():
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 200, np.uint8)
    first = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 200 + first) / (100**2 + 200**2 + first))


def test_what_has_no_structure_in_common_is_unlike():
    other = np.random.default_rng(1).integers(0, 256, NOISE.shape).astype(np.uint8)
    assert ssim(NOISE, other) < 0.1


def test_flicker_is_what_goes_to_and_fro():
    levels = np.array([10, 20, 30, 40], np.uint8)
    even = np.broadcast_to(levels[:, None, None, None], (4, 8, 8, 3))
    assert flicker(even) == pytest.approx(0)
    jumping = np.broadcast_to(np.array([10, 20, 10, 20], np.uint8)[:, None, None, None], (4, 8, 8, 3))
    assert flicker(jumping) == pytest.approx(20)
    assert flicker(even[:2]) == 0
