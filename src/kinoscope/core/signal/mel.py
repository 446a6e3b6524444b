"""Log-mel of sound: how loud each of 40 bands of hearing is, every 10 ms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array

RATE, HOP, WINDOW, TRANSFORM = 16_000, 160, 400, 512
"""Samples a second, from one step to the next, of a window (25 ms), and of its Fourier transform."""

BANDS, LOWEST, HIGHEST = 40, 60.0, 7600.0
"""Number of bands, and the frequencies in Hz that they lie between."""

FLOOR = 1e-6
"""Power that is silence, at a level of ``LEVEL``."""

LEVEL, MOST_GAIN = 0.1, 100.0
"""Root mean square that sound is brought to, and the most that it is made louder."""


def log_mel(samples: Float32Array, level: float | None = None) -> Float32Array:
    """Give the log of the power in each band: (N // 160 + 1, 40); row k is that of the window around 10 ms * k.

    Args:
        samples: (N,) at 16 kHz.
        level: root mean square of the sound that they are from; their own if not given.
    """
    own = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain = min(LEVEL / max(own if level is None else level, 1e-9), MOST_GAIN)
    padded = np.pad(samples, (WINDOW // 2, WINDOW // 2)).astype(np.float32) * np.float32(gain)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * _hann(), TRANSFORM)) ** 2
    return np.asarray(np.log(power @ _bank().T + FLOOR), np.float32)


@lru_cache
def _hann() -> NDArray[Any]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


@lru_cache
def _bank() -> NDArray[Any]:
    """Give the triangles of the bands, (40, 257); mel as in O'Shaughnessy, "Speech communication", 1987."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    before, centre, after = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = np.fft.rfftfreq(TRANSFORM, 1 / RATE)[None]
    return np.clip(np.minimum((hertz - before) / (centre - before), (after - hertz) / (after - centre)), 0, None)
