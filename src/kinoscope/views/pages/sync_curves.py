"""Similarity of lips and audio over time and at each lag: the curves of the task ``sync``, reduced for drawing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.views.timeline import Timeline

MAX_COLUMNS = 600
"""Columns of the plot."""

SINGLE_COLUMN_SECONDS = 0.6
"""Width in seconds of a single column."""

FEATURE_NAMES = ("times", "offsets", "confidences", "curves", "lags")


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of the plot of a synchronization over time, one for each of N windows in which a person speaks.

    Attributes:
        times: (N,) centres of the windows in seconds.
        width: of a window in seconds.
        offsets: (N,) seconds by which the audio is late.
        confidences: (N,) of the offsets, 0 to 1.
        curves: (N, L) similarity at each lag, from 0 for the median of a window to 1 for the highest.
        lags: (L,) in seconds, evenly spaced and ascending.
    """

    times: Float64Array
    width: float
    offsets: Float64Array
    confidences: Float64Array
    curves: Float64Array
    lags: Float64Array


def sync_columns(timeline: Timeline, max_columns: int = MAX_COLUMNS) -> Columns | None:
    """Return the features of the task ``sync`` as columns to draw, or None without features.

    Args:
        timeline: with the features ``sync.*``.
        max_columns: above this number neighbours are merged, with the offset of the highest confidence.
    """
    features = [timeline.features.get(f"sync.{name}") for name in FEATURE_NAMES]
    if any(values is None for values in features):
        return None
    times, offsets, confidences, curves, lags = (np.nan_to_num(np.asarray(values, np.float64)) for values in features)
    if not len(times):
        return Columns(times, SINGLE_COLUMN_SECONDS, offsets, confidences, curves.reshape(0, len(lags)), lags)
    width = float(np.diff(times).min()) if len(times) > 1 else SINGLE_COLUMN_SECONDS
    slots = np.rint((times - times[0]) / width).astype(np.int64)
    merged = int(slots[-1]) // max_columns + 1
    columns, starts = np.unique(slots // merged, return_index=True)
    groups = np.split(np.arange(len(times)), starts[1:])
    best = np.array([group[confidences[group].argmax()] for group in groups])
    means = np.array([curves[group].mean(axis=0) for group in groups])
    centres = times[0] + (columns * merged + (merged - 1) / 2) * width
    return Columns(centres, width * merged, offsets[best], confidences[best], _normalize(means), lags)


def _normalize(curves: Float64Array) -> Float64Array:
    """Scale similarities (N, L) from 0, the median of their column, to 1, the 99.5th percentile of all."""
    above = curves - np.median(curves, axis=1, keepdims=True)
    top = max(float(np.percentile(above, 99.5)), 1e-6)
    return np.clip(above / top, 0, 1)
