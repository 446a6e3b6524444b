import math

import numpy as np
import pytest

from kinoscope.core.metrics.image_quality import flicker, frame_squared_error, psnr, ssim, uniform_ssim

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def test_equal_images():
    assert psnr(NOISE, NOISE) == math.inf
    assert ssim(NOISE, NOISE) == pytest.approx(1)


def test_a_known_error():
    a, b = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 51, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * math.log10(5))
    assert psnr(b, a) == psnr(a, b)


def test_ssim_of_flat_images_depends_on_brightness_only():
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


def test_the_squared_error_is_summed_over_a_frame():
    true = np.zeros((2, 3, 4, 5, 1))
    made = true.copy()
    made[0, 1, 0, 0, 0], made[0, 1, 3, 4, 0], made[1, 2] = 0.5, 1.0, 0.1
    expected = np.zeros((2, 3))
    expected[0, 1], expected[1, 2] = 1.25, 0.2
    assert frame_squared_error(made, true) == pytest.approx(expected)


def test_similarity_in_even_windows_worked_by_hand():
    true, made = np.zeros((7, 7, 1)), np.zeros((7, 7, 1))
    true[0, 0], made[6, 6] = 1, 1
    # One window: both means are 1/49, both sample variances (1 - 1/49) / 48 = 1/49, the covariance -(1/49) / 48.
    mean, spread, common = 1 / 49, 1 / 49, -1 / 49 / 48
    first, second = 0.02**2, 0.06**2
    by_hand = (2 * mean * mean + first) * (2 * common + second)
    by_hand /= (2 * mean * mean + first) * (2 * spread + second)
    assert uniform_ssim(made, true) == pytest.approx(by_hand)
    assert uniform_ssim(true, true) == pytest.approx(1)


def test_similarity_in_even_windows_of_flat_frames_and_of_many():
    dark, light = np.full((2, 4, 9, 8, 3), 0.2), np.full((2, 4, 9, 8, 3), 0.4)
    flat = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert uniform_ssim(dark, light, data_range=1) == pytest.approx(np.full((2, 4), flat))
    random = np.random.default_rng(0).random((2, 4, 9, 8, 3))
    one = uniform_ssim(random[1, 2], light[1, 2])
    assert uniform_ssim(random, light)[1, 2] == pytest.approx(one)
    windows = np.lib.stride_tricks.sliding_window_view(random[1, 2], (7, 7), axis=(0, 1))
    means, spreads = windows.mean((-2, -1)), windows.var((-2, -1), ddof=1)
    slow = (2 * means * 0.4 + 4e-4) * 36e-4 / ((means**2 + 0.16 + 4e-4) * (spreads + 36e-4))
    assert float(one) == pytest.approx(slow.mean())
