"""Inputs that resemble real data, for the comparison of an exported network with the original."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.models.exporting.network import Array, Sample

MAX_WAVES = 4
"""Periods of the slowest patterns of an image along each axis."""

MAX_TOKEN_BYTE = 119
"""Both bytes of a token id stay below it, so that the id is one of the 30522 of MiniLM."""


def sample_pixels(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Return images or clips of smooth shades with some noise, 0 to 255."""
    field = np.zeros(shape)
    for index, length in enumerate(shape):
        waves = rng.uniform(0.5, MAX_WAVES) * np.arange(length) / length + rng.uniform()
        field = field + np.sin(2 * np.pi * waves).reshape(-1, *[1] * (len(shape) - index - 1))
    noise = rng.normal(0, 0.2, shape)
    shades = 127.5 + 90 * (field / np.sqrt(len(shape)) + noise)
    return np.asarray(shades.clip(0, 255), np.uint8)


def sample_values(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Return numbers with a standard normal distribution."""
    return rng.standard_normal(shape, np.float32)


def sample_tokens(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Return token ids (N, L, 2), low byte and high byte, with padding at the end."""
    tokens = rng.integers(1, MAX_TOKEN_BYTE, shape, np.uint8)
    tokens[:, shape[1] * 3 // 4 :] = 0
    return tokens


def sample_labels(classes: int) -> Sample:
    """Return the function that samples class indices."""
    return lambda rng, shape: rng.integers(0, max(1, classes), shape)


def sample_times(rate: float) -> Sample:
    """Return the function that returns the times in seconds, (N, T), of frames at a rate."""
    return lambda rng, shape: np.broadcast_to(np.arange(shape[1], dtype=np.float32) / np.float32(rate), shape).copy()
