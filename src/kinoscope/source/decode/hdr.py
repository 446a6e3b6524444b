"""Convert high dynamic range to the standard range that networks are trained on and written video is tagged as.

PQ (SMPTE ST 2084) and HLG (ARIB STD-B67) as ITU-R BT.2100 defines them are converted to linear light, compressed to a
display of 100 nits by the curve of ITU-R BT.2390 (section 5.4.1, EETF), converted to the primaries of BT.709 (BT.2087),
and encoded for the display of BT.1886. Light up to about 27 nits stays as it is, and 1,000 nits become white.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels

PQ_TRANSFER, HLG_TRANSFER = 16, 18
"""Transfer characteristics of a stream (ITU-T H.273)."""

PEAK_NITS, WHITE_NITS = 1000.0, 100.0
"""Nits of the brightest light that is distinguished, and of white on a display of standard range."""

DISPLAY_GAMMA, SYSTEM_GAMMA = 2.4, 1.2
"""Gamma of a display of standard range (BT.1886), and system gamma of HLG on a display of 1,000 nits (BT.2100)."""

ROWS_PER_BLOCK = 64
"""Rows that are converted at once: intermediate arrays are four times as large as the frame."""

TABLE_SIZE = 4096
"""Entries of the lookup tables of light."""

LUMA_WEIGHTS = np.array([0.2627, 0.6780, 0.0593], np.float32)
"""Weights of R, G, B of BT.2020 in luminance."""

TO_BT709 = {
    1: np.eye(3, dtype=np.float32),
    9: np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32),
    12: np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]], np.float32),
}
"""Primaries of a stream (ITU-T H.273: BT.709, BT.2020, Display P3) -> matrix from linear RGB to that of BT.709."""


def to_sdr(pixels: NDArray[np.uint16], transfer: int, primaries: int = 9) -> Pixels:
    """Return (H, W, 3) uint8 RGB of standard range from (H, W, 3) 16-bit RGB in PQ or HLG."""
    sdr = np.empty(pixels.shape, np.uint8)
    for row in range(0, len(pixels), ROWS_PER_BLOCK):
        sdr[row : row + ROWS_PER_BLOCK] = _convert(pixels[row : row + ROWS_PER_BLOCK], transfer, primaries)
    return sdr


def _convert(pixels: NDArray[np.uint16], transfer: int, primaries: int) -> Pixels:
    linear = (_pq_table() if transfer == PQ_TRANSFER else _hlg_table())[pixels]
    if transfer == HLG_TRANSFER:
        linear *= _hlg_gains()[_table_index(linear @ LUMA_WEIGHTS)][..., None]
    sdr: Pixels = _display_codes()[_table_index(linear @ TO_BT709.get(primaries, TO_BT709[9]).T)]
    return sdr


def _table_index(light: Float32Array) -> NDArray[np.intp]:
    """Return the indices of light in 0 to 1 in a table with evenly spaced square roots, for resolution in the dark."""
    steps: NDArray[np.intp] = np.rint(np.sqrt(light.clip(0, 1)) * (TABLE_SIZE - 1)).astype(np.intp)
    return steps


def _eetf(nits: Float64Array) -> Float64Array:
    """Compress light to the range of the display (BT.2390: Hermite spline in PQ above a knee)."""
    top = _pq_code(np.array(PEAK_NITS))
    source, white = (_pq_code(nits) / top).clip(0, 1), float(_pq_code(np.array(WHITE_NITS)) / top)
    knee = 1.5 * white - 0.5
    t = (source - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    return _pq_nits(np.where(source < knee, source, spline) * top)


def _pq_nits(code: Float64Array) -> Float64Array:
    root = np.power(code, 32 / 2523)
    return 10_000 * np.power(np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root), 16384 / 2610)


def _pq_code(nits: Float64Array) -> Float64Array:
    root = np.power(nits / 10_000, 2610 / 16384)
    return np.asarray(np.power((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root), 2523 / 32))


@cache
def _pq_table() -> Float32Array:
    """Return the light of the display, 1 for white, of each 16-bit code of PQ."""
    return (_eetf(_pq_nits(np.arange(65536) / 65535)) / WHITE_NITS).astype(np.float32)


@cache
def _hlg_table() -> Float32Array:
    """Return the light of the scene, in 0 to 1, of each 16-bit code of HLG."""
    code = np.arange(65536) / 65535
    bright = (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(code <= 0.5, code**2 / 3, bright).clip(0, 1).astype(np.float32)


@cache
def _hlg_gains() -> Float32Array:
    """Return the ratio of display light to scene light, for each luminance of the scene in 0 to 1."""
    scene = (np.arange(TABLE_SIZE).clip(0.5) / (TABLE_SIZE - 1)) ** 2
    return (_eetf(PEAK_NITS * scene**SYSTEM_GAMMA) / WHITE_NITS / scene).astype(np.float32)


@cache
def _display_codes() -> Pixels:
    """Return the 8-bit code of each root of linear light."""
    light = (np.arange(TABLE_SIZE) / (TABLE_SIZE - 1)) ** 2
    return np.rint(255 * light ** (1 / DISPLAY_GAMMA)).astype(np.uint8)
