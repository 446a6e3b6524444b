"""How near one picture comes to another, and how quietly pictures follow each other."""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Pixels

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
"""Side of the window that structure is compared in, and the standard deviation of its weights, in pixels."""

UNIFORM_WINDOW = 7
"""Side of the window in which all pixels count alike."""

SSIM_CONSTANTS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""What keeps ratios of small numbers quiet, for 8-bit pictures."""


def psnr(a: Pixels, b: Pixels) -> float:
    """Give the peak signal-to-noise ratio of two pictures (..., C) in dB; infinite where they are equal."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(a: Pixels, b: Pixels) -> float:
    """Give the structural similarity of two pictures (H, W, C), at least 11 pixels wide and high: 1 where equal.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004; of grey pictures.
    """
    x, y = (picture.astype(np.float64) @ [0.299, 0.587, 0.114] for picture in (a, b))
    mean_x, mean_y = _blur(x), _blur(y)
    spread_x, spread_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    common = _blur(x * y) - mean_x * mean_y
    first, second = SSIM_CONSTANTS
    likeness = (2 * mean_x * mean_y + first) * (2 * common + second)
    return float((likeness / ((mean_x**2 + mean_y**2 + first) * (spread_x + spread_y + second))).mean())


def flicker(pictures: Pixels) -> float:
    """Give how much pictures (T, H, W, C) that show nearly the same jump to and fro, in grey levels of 255.

    It is the mean size of their second difference in time: what moves evenly, or lights up slowly, has none.
    """
    grey = pictures.astype(np.float64) @ [0.299, 0.587, 0.114]
    return float(np.abs(np.diff(grey, 2, axis=0)).mean()) if len(pictures) > 2 else 0.0


def _blur(grey: Float64Array) -> Float64Array:
    """Average (H, W) over the window, without its edges."""
    weights = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    weights /= weights.sum()
    down = np.lib.stride_tricks.sliding_window_view(grey, SSIM_WINDOW, axis=0) @ weights
    return np.asarray(np.lib.stride_tricks.sliding_window_view(down, SSIM_WINDOW, axis=1) @ weights, np.float64)


def frame_squared_error(made: Float64Array, true: Float64Array) -> Float64Array:
    """Give the squared error of frames (..., H, W, C) in 0 to 1, summed over each frame: (...).

    It is how predictions of Moving MNIST are scored: the mean squared error times the number of pixels.
    """
    return np.asarray(np.square(np.asarray(made, np.float64) - true).sum((-3, -2, -1)))


def uniform_ssim(made: Float64Array, true: Float64Array, span: float = 2.0) -> Float64Array:
    """Give the structural similarity of frames (..., H, W, C) in 0 to 1, at least 7 pixels wide and high: (...).

    As predictions of Moving MNIST are scored: windows of 7 x 7 pixels that all count alike, variances of samples, and a
    span of 2, as scikit-image took it for floating-point pictures before it asked for one.

    Args:
        span: between the least and the greatest value of a picture, which sets how quiet small ratios are kept.
    """
    x, y = (np.moveaxis(np.asarray(one, np.float64), -1, -3) for one in (made, true))
    mean_x, mean_y = _even(x), _even(y)
    grow = UNIFORM_WINDOW**2 / (UNIFORM_WINDOW**2 - 1)
    spread_x, spread_y = grow * (_even(x * x) - mean_x**2), grow * (_even(y * y) - mean_y**2)
    common = grow * (_even(x * y) - mean_x * mean_y)
    first, second = (0.01 * span) ** 2, (0.03 * span) ** 2
    likeness = (2 * mean_x * mean_y + first) * (2 * common + second)
    likeness /= (mean_x**2 + mean_y**2 + first) * (spread_x + spread_y + second)
    return np.asarray(likeness.mean((-3, -2, -1)))


def _even(values: Float64Array) -> Float64Array:
    """Average (..., H, W) over windows of 7 x 7, without the edges."""
    for axis in (-2, -1):
        sums = np.cumsum(values, axis)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        count = sums.shape[axis]
        values = (
            sums.take(range(UNIFORM_WINDOW, count), axis) - sums.take(range(count - UNIFORM_WINDOW), axis)
        ) / UNIFORM_WINDOW
    return np.asarray(values)
