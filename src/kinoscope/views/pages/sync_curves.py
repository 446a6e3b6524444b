"""How alike lips and sound are over time and at each lag: the curves of the task ``sync``, in few columns to draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.results import Timeline

MAX_COLUMNS = 600
"""Columns that are drawn at most."""

SINGLE_COLUMN_SECONDS = 0.6
"""Seconds that a single column is wide."""

FEATURE_NAMES = ("times", "offsets", "confidences", "curves", "lags")


@dataclass(frozen=True, slots=True)
class Columns:
    """What is drawn of a measure over time, a column for each of N stretches.

    Attributes:
        times: (N,) middles in seconds. width: seconds of each. There are none where nobody speaks.
        offsets: (N,) seconds by which the sound is late. confidences: (N,) how sure each is, 0 to 1.
        curves: (N, L) likeness at each lag, from 0 for what is usual to 1 for what is as high as it gets.
        lags: (L,) in seconds, evenly spaced and rising.
    """

    times: Float64Array
    width: float
    offsets: Float64Array
    confidences: Float64Array
    curves: Float64Array
    lags: Float64Array


def sync_columns(timeline: Timeline, most: int = MAX_COLUMNS) -> Columns | None:
    """Give what the task ``sync`` left to be drawn; None where it left nothing.

    Args:
        timeline: with the features ``sync.*``.
        most: columns at most; of a longer video neighbours are put together, with the offset of the surest.
    """
    kept = [timeline.features.get(f"sync.{name}") for name in FEATURE_NAMES]
    if any(values is None for values in kept):
        return None
    times, offsets, confidences, curves, lags = (np.nan_to_num(np.asarray(values, np.float64)) for values in kept)
    if not len(times):
        return Columns(times, SINGLE_COLUMN_SECONDS, offsets, confidences, curves.reshape(0, len(lags)), lags)
    width = float(np.diff(times).min()) if len(times) > 1 else SINGLE_COLUMN_SECONDS
    places = np.rint((times - times[0]) / width).astype(np.int64)
    joined = int(places[-1]) // most + 1
    into, firsts = np.unique(places // joined, return_index=True)
    groups = np.split(np.arange(len(times)), firsts[1:])
    best = np.array([group[confidences[group].argmax()] for group in groups])
    means = np.array([curves[group].mean(axis=0) for group in groups])
    middles = times[0] + (into * joined + (joined - 1) / 2) * width
    return Columns(middles, width * joined, offsets[best], confidences[best], _normalize(means), lags)


def _normalize(curves: Float64Array) -> Float64Array:
    """Give likenesses from 0, the middle of their column, to 1, the highest of all but a few."""
    above = curves - np.median(curves, axis=1, keepdims=True)
    top = max(float(np.percentile(above, 99.5)), 1e-6)
    return np.clip(above / top, 0, 1)
