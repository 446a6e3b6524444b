"""Similarity of two images, and the flicker of frame sequences."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Pixels

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
"""Side of the SSIM window, and the standard deviation of its weights, in pixels."""

UNIFORM_WINDOW = 7
"""Side of the uniform SSIM window, in pixels."""

SSIM_CONSTANTS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""Constants that stabilise ratios of small numbers, for 8-bit images."""


def psnr(a: Pixels, b: Pixels) -> float:
    """Return the peak signal-to-noise ratio of two images (..., C) in dB; infinite where they are equal."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(a: Pixels, b: Pixels) -> float:
    """Return the structural similarity of two images (H, W, C), at least 11 pixels wide and high: 1 where equal.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004; of luma.
    """
    x, y = (image.astype(np.float64) @ [0.299, 0.587, 0.114] for image in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    spread_x, spread_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    common = _blur(x * y) - mean_x * mean_y
    first, second = SSIM_CONSTANTS
    numerator = (2 * mean_x * mean_y + first) * (2 * common + second)
    return float((numerator / ((mean_x**2 + mean_y**2 + first) * (spread_x + spread_y + second))).mean())


def flicker(frames: Pixels) -> float:
    """Return the flicker of frames (T, H, W, C) of nearly the same content, in grey levels of 255.

    It is the mean absolute second difference in time: what moves or brightens steadily has none.
    """
    grey = frames.astype(np.float64) @ [0.299, 0.587, 0.114]
    return float(np.abs(np.diff(grey, 2, axis=0)).mean()) if len(frames) > 2 else 0.0


def _blur(grey: Float64Array) -> Float64Array:
    """Average (H, W) over the window, without its borders."""
    weights = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    weights /= weights.sum()
    down = np.lib.stride_tricks.sliding_window_view(grey, SSIM_WINDOW, axis=0) @ weights
    return np.asarray(np.lib.stride_tricks.sliding_window_view(down, SSIM_WINDOW, axis=1) @ weights, np.float64)


def frame_squared_error(predicted: Float64Array, target: Float64Array) -> Float64Array:
    """Return the squared error of frames (..., H, W, C) in 0 to 1, summed over each frame: (...).

    It is how predictions of Moving MNIST are scored: the mean squared error times the number of pixels.
    """
    return np.asarray(np.square(np.asarray(predicted, np.float64) - target).sum((-3, -2, -1)))


def uniform_ssim(predicted: Float64Array, target: Float64Array, data_range: float = 2.0) -> Float64Array:
    """Return the structural similarity of frames (..., H, W, C) in 0 to 1, at least 7 pixels wide and high: (...).

    As predictions of Moving MNIST are scored: uniform windows of 7 x 7 pixels, sample variances, and a data range of 2,
    as scikit-image took it for floating-point images before it asked for one.

    Args:
        data_range: between the smallest and the greatest value of a frame, which sets the stabilising constants.
    """
    x, y = (np.moveaxis(np.asarray(one, np.float64), -1, -3) for one in (predicted, target))
    mean_x, mean_y = _uniform_mean(x), _uniform_mean(y)
    unbiased = UNIFORM_WINDOW**2 / (UNIFORM_WINDOW**2 - 1)
    spread_x, spread_y = unbiased * (_uniform_mean(x * x) - mean_x**2), unbiased * (_uniform_mean(y * y) - mean_y**2)
    common = unbiased * (_uniform_mean(x * y) - mean_x * mean_y)
    first, second = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    ratio = (2 * mean_x * mean_y + first) * (2 * common + second)
    ratio /= (mean_x**2 + mean_y**2 + first) * (spread_x + spread_y + second)
    return np.asarray(ratio.mean((-3, -2, -1)))


def _uniform_mean(values: Float64Array) -> Float64Array:
    """Average (..., H, W) over windows of 7 x 7, without the borders."""
    for axis in (-2, -1):
        sums = np.cumsum(values, axis)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        count = sums.shape[axis]
        values = (
            sums.take(range(UNIFORM_WINDOW, count), axis) - sums.take(range(count - UNIFORM_WINDOW), axis)
        ) / UNIFORM_WINDOW
    return np.asarray(values)
