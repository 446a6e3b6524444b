"""Log-mel of sound: how loud each of 40 bands of hearing is, every 10 ms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array

SAMPLE_RATE, HOP_LENGTH, WINDOW_LENGTH, FFT_SIZE = 16_000, 160, 400, 512
"""Samples a second, from one step to the next, of a window (25 ms), and of its Fourier transform."""

NUM_BANDS, MIN_HERTZ, MAX_HERTZ = 40, 60.0, 7600.0
"""Number of bands, and the frequencies in Hz that they lie between."""

POWER_FLOOR = 1e-6
"""Power that is silence, at a level of ``TARGET_RMS``."""

TARGET_RMS, MAX_GAIN = 0.1, 100.0
"""Root mean square that sound is brought to, and the most that it is made louder."""


def log_mel(samples: Float32Array, level: float | None = None) -> Float32Array:
    """Give the log of the power in each band: (N // 160 + 1, 40); row k is that of the window around 10 ms * k.

    Args:
        samples: (N,) at 16 kHz.
        level: root mean square of the sound that they are from; their own if not given.
    """
    own = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain = min(TARGET_RMS / max(own if level is None else level, 1e-9), MAX_GAIN)
    padded = np.pad(samples, (WINDOW_LENGTH // 2, WINDOW_LENGTH // 2)).astype(np.float32) * np.float32(gain)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_LENGTH)[::HOP_LENGTH]
    power = np.abs(np.fft.rfft(windows * _hann(), FFT_SIZE)) ** 2
    return np.asarray(np.log(power @ _bank().T + POWER_FLOOR), np.float32)


@lru_cache
def _hann() -> NDArray[Any]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)


@lru_cache
def _bank() -> NDArray[Any]:
    """Give the triangles of the bands, (40, 257); mel as in O'Shaughnessy, "Speech communication", 1987."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (MIN_HERTZ, MAX_HERTZ))
    edges = 700 * (10 ** (np.linspace(low, high, NUM_BANDS + 2) / 2595) - 1)
    before, centre, after = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE)[None]
    return np.clip(np.minimum((hertz - before) / (centre - before), (after - hertz) / (after - centre)), 0, None)
