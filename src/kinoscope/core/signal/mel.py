"""Log-mel spectrograms: the log power of audio in 40 mel bands, every 10 ms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array

SAMPLE_RATE, HOP_LENGTH, WINDOW_LENGTH, FFT_SIZE = 16_000, 160, 400, 512
"""Samples per second; samples per step, per window (25 ms), and per Fourier transform."""

NUM_BANDS, MIN_HERTZ, MAX_HERTZ = 40, 60.0, 7600.0
"""Number of mel bands, and the frequencies in Hz between which they lie."""

POWER_FLOOR = 1e-6
"""Power of silence, at a level of ``TARGET_RMS``."""

TARGET_RMS, MAX_GAIN = 0.1, 100.0
"""Root mean square to which audio is normalized, and the maximum gain."""


def log_mel(samples: Float32Array, rms: float | None = None) -> Float32Array:
    """Return the log of the power in each band: (N // 160 + 1, 40); row k is that of the window around 10 ms * k.

    Args:
        samples: (N,) float32 at 16 kHz.
        rms: root mean square of the audio that they are from; their own if not given.
    """
    own_rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain = min(TARGET_RMS / max(own_rms if rms is None else rms, 1e-9), MAX_GAIN)
    padded = np.pad(samples, (WINDOW_LENGTH // 2, WINDOW_LENGTH // 2)).astype(np.float32) * np.float32(gain)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_LENGTH)[::HOP_LENGTH]
    power = np.abs(np.fft.rfft(windows * _hann(), FFT_SIZE)) ** 2
    return np.asarray(np.log(power @ _filter_bank().T + POWER_FLOOR), np.float32)


@lru_cache
def _hann() -> NDArray[Any]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)


@lru_cache
def _filter_bank() -> NDArray[Any]:
    """Return the triangular mel filters, (40, 257); mel as in O'Shaughnessy, "Speech communication", 1987."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (MIN_HERTZ, MAX_HERTZ))
    edges = 700 * (10 ** (np.linspace(low, high, NUM_BANDS + 2) / 2595) - 1)
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE)[None]
    return np.clip(np.minimum((hertz - lower) / (centre - lower), (upper - hertz) / (upper - centre)), 0, None)
