"""Audio-video offset from similarities at every lag: the offset, its interval, and its drift.

A lag is the time in seconds from a frame to the audio that is compared with it; where audio and video fit best at a
positive lag, the audio is late. Similarities come in blocks, one row each: the sum over the frames of a short section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array

FRAME_SECONDS = 0.04
"""Seconds of a frame, here and in the published measures: 25 a second."""

LAG_STEP_SECONDS = 0.01
"""Seconds from one lag to the next."""

MAX_LAG_SECONDS = 1.0
"""Seconds of the largest lag."""

LAGS = np.asarray(
    np.arange(-round(MAX_LAG_SECONDS / LAG_STEP_SECONDS), round(MAX_LAG_SECONDS / LAG_STEP_SECONDS) + 1)
    * LAG_STEP_SECONDS,
    np.float64,
)
"""All lags, in seconds."""

PEAK_RADIUS_SECONDS = 2 * FRAME_SECONDS
"""Seconds around the best lag that belong to the same peak of similarity."""

PARABOLA_RADIUS_SECONDS = 0.05
"""Seconds on each side of the best lag through which a parabola is fitted."""

MIN_AGREEMENT = 0.9
"""Share of resamples that find the offset within a frame, under which confidence is reduced."""

BOOTSTRAP_SAMPLES = 200
"""Resamples of an interval."""

GROUP_SECONDS = 1.0
"""Seconds of neighbouring blocks that are resampled together, since they are correlated."""

ZERO_SIGMA_SECONDS = 0.015
"""Standard deviation in seconds of the true zero between people, where no calibration states it."""

ZERO_HOLD_SECONDS = 2.0
"""Seconds after which speech has another zero: other phonemes, another pose."""

MAX_DRIFT_BINS = 120
"""Maximum number of sections in which drift is estimated."""

MAX_CLOCK_DRIFT, MAX_SPEED_CHANGE = 0.005, 0.06
"""Maximum drift of a clock that is searched, and of another speed, as of film shown at 25 frames a second."""


@dataclass(frozen=True, slots=True)
class OffsetCalibration:
    """Calibration of a network's similarities, fitted on people outside its training set.

    Attributes:
        weights: of a constant, the margin, its product with the root of the seconds, and the logarithm of the
            seconds, in the logit of being right within a frame.
        spread: standard deviation in seconds of the true zero between people.
    """

    weights: tuple[float, float, float, float] = (-2.0, 0.0, 20.0, 0.0)
    spread: float = ZERO_SIGMA_SECONDS

    def confidence(self, margin: float, seconds: float) -> float:
        """Return the probability that an offset is right within a frame."""
        features = np.array([1.0, margin, margin * np.sqrt(seconds), np.log(max(seconds, 0.04))])
        return float(1 / (1 + np.exp(-np.clip(features @ self.weights, -30, 30))))


@dataclass(frozen=True, slots=True)
class SyncOffset:
    """An offset of audio against video.

    Attributes:
        seconds: delay of the audio; negative: early.
        low, high: its 95 % interval.
        confidence: probability that it is right within a frame, 0 to 1.
        compared_seconds: seconds of video and audio that were compared.
    """

    seconds: float
    low: float
    high: float
    confidence: float
    compared_seconds: float


@dataclass(frozen=True, slots=True)
class ClockDrift:
    """Linear change of the offset over time.

    Attributes:
        rate: in seconds per second.
        low, high: its 95 % interval.
        offset_at_zero: the offset at time 0.
        curve: (L,) similarity of all frames at each lag, with the drift removed.
        error: error of the measurement itself (95 %), in seconds per second.
    """

    rate: float
    low: float
    high: float
    offset_at_zero: float
    curve: Float64Array
    error: float = 0.0

    @property
    def is_significant(self) -> bool:
        """Whether a drift of 0 lies outside the interval, and the drift is more than the measurement's own error."""
        return not self.low <= 0 <= self.high and abs(self.rate) > self.error


def peak_margin(curve: Float64Array) -> float:
    """Return how far the best lag of a curve (L,) stands out: its similarity minus the best outside its peak."""
    best = int(curve.argmax())
    far = np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS + 1e-9
    return float(curve[best] - curve[far].max())


def peak_lags(curves: Float64Array) -> Float64Array:
    """Return the lag in seconds of the maximum of each of curves (N, L), finer than the lag step: by a parabola.

    Where the parabola opens upwards, as at the end of the lags, it is the maximum itself.
    """
    reach = round(PARABOLA_RADIUS_SECONDS / LAG_STEP_SECONDS)
    best = curves.argmax(axis=1)
    middle = np.clip(best, reach, len(LAGS) - 1 - reach)
    x = np.arange(-reach, reach + 1) * LAG_STEP_SECONDS
    neighbourhood = curves[np.arange(len(curves))[:, None], middle[:, None] + np.arange(-reach, reach + 1)]
    square, slope, _ = np.polyfit(x, neighbourhood.T, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(square < 0, -slope / (2 * square), np.nan)
    is_near = np.abs(vertex) <= PARABOLA_RADIUS_SECONDS
    return np.asarray(np.where(is_near, LAGS[middle] + np.nan_to_num(vertex), LAGS[best]))


def estimate_offset(
    blocks: Float64Array,
    counts: Float64Array,
    calibration: OffsetCalibration,
    groups: Int64Array | None = None,
    seed: int = 0,
) -> SyncOffset:
    """Return the offset of blocks of similarities.

    Args:
        blocks: (B, L), sums over the frames of each block, at the lags ``LAGS``.
        counts: (B,) frames of each block.
        calibration: of the similarities.
        groups: (B,) numbers of the blocks that are resampled together; neighbours within a second, if not given.
        seed: of the resamples of the interval.
    """
    total = blocks.sum(axis=0) / max(counts.sum(), 1)
    seconds = float(counts.sum() * FRAME_SECONDS)
    best = float(peak_lags(total[None])[0])
    resampled_lags = _bootstrap_lags(_pooled(blocks, _groups(counts) if groups is None else groups), seed)
    spread = np.random.default_rng(seed).normal(0, calibration.spread, BOOTSTRAP_SAMPLES)
    low, high = np.percentile(resampled_lags + spread, [2.5, 97.5]).tolist()
    # The calibration was fitted on windows with an answer. In those without one the resamples disagree.
    agreement = float((np.abs(resampled_lags - best) <= FRAME_SECONDS).mean())
    confidence = calibration.confidence(peak_margin(total), seconds) * min(1.0, agreement / MIN_AGREEMENT)
    return SyncOffset(best, min(low, best), max(high, best), confidence, seconds)


def _groups(counts: Float64Array) -> Int64Array:
    """Return group numbers of consecutive blocks: a second each, or in a short clip a tenth of it."""
    seconds = np.cumsum(counts) * FRAME_SECONDS
    return np.asarray((seconds - counts * FRAME_SECONDS / 2) / min(GROUP_SECONDS, seconds[-1] / 10), np.int64)


def _pooled(blocks: Float64Array, groups: Int64Array) -> Float64Array:
    _, indices = np.unique(groups, return_inverse=True)
    sums = np.zeros((indices.max() + 1 if len(indices) else 0, blocks.shape[1]))
    np.add.at(sums, indices, blocks)
    return sums


def _bootstrap_lags(groups: Float64Array, seed: int) -> Float64Array:
    """Return the best lags of resampled groups (bootstrap), (200,)."""
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), BOOTSTRAP_SAMPLES)
    return peak_lags(shares @ groups)


def estimate_drift(
    blocks: Float64Array,
    times: Float64Array,
    max_rate: float = MAX_CLOCK_DRIFT,
    seed: int = 0,
    zero_sigma: float = ZERO_SIGMA_SECONDS,
) -> ClockDrift | None:
    """Return the change of the offset over time; None where the source is too short.

    Args:
        blocks: (B, L) similarities.
        times: (B,) of the blocks' middles, in seconds, increasing.
        max_rate: maximum drift that is searched.
        seed: of the resamples of the interval.
        zero_sigma: see ``OffsetCalibration.spread``; successive moments of speech differ as well.
    """
    span = float(np.ptp(times)) if len(times) else 0.0
    if span < 8.0:
        return None
    boundaries = np.linspace(times[0], times[-1] + 1e-6, min(MAX_DRIFT_BINS, max(4, int(span / 2))) + 1)
    bins = np.searchsorted(boundaries, times, "right") - 1
    sums_of_bins, middle = _pooled(blocks, bins), np.array([times[bins == n].mean() for n in np.unique(bins)])
    rates = _rates(span, max_rate)
    centre = float(middle.mean())
    sheared = np.array([_sheared(sums_of_bins, rate * (middle - centre)) for rate in rates])
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(len(sums_of_bins), np.full(len(sums_of_bins), 1 / len(sums_of_bins)), BOOTSTRAP_SAMPLES)
    resampled_rates = np.array([_best_rate(np.tensordot(share, sheared, (0, 1)), rates)[0] for share in shares])
    sums = sheared.sum(axis=1)
    rate, at = _best_rate(sums, rates)
    error = _slope_error(span, zero_sigma)
    low, high = np.percentile(resampled_rates + rng.normal(0, error / 1.96, BOOTSTRAP_SAMPLES), [2.5, 97.5]).tolist()
    curve = sums[int(sums.max(axis=1).argmax())]
    return ClockDrift(rate, min(low, rate), max(high, rate), at - rate * centre, curve, error)


def _slope_error(span: float, zero_sigma: float) -> float:
    """Return the error (95 %) of the slope of a line through moments whose zeros differ by ``zero_sigma`` seconds."""
    return float(1.96 * zero_sigma * np.sqrt(12 * ZERO_HOLD_SECONDS / span) / span)


def _rates(span: float, max_rate: float) -> Float64Array:
    """Return the candidate drifts: the end of the video moves by a lag step from one to the next."""
    max_rate = min(max_rate, 0.8 * 2 * MAX_LAG_SECONDS / span)
    count = min(100, max(2, round(max_rate * span / 2 / (2 * LAG_STEP_SECONDS))))
    return np.linspace(-max_rate, max_rate, 2 * count + 1)


def _sheared(rows: Float64Array, shifts: Float64Array) -> Float64Array:
    """Return similarities (N, L) at lags that are later by ``shifts`` (N,) seconds."""
    return np.array([np.interp(LAGS + shift, LAGS, row) for row, shift in zip(rows, shifts, strict=True)])


def _best_rate(curves: Float64Array, rates: Float64Array) -> tuple[float, float]:
    """Return the drift whose curve (R, L) has the highest maximum, by a parabola, and the lag there."""
    maxima = curves.max(axis=1)
    n = int(maxima.argmax())
    rate = rates[n]
    if 0 < n < len(rates) - 1:
        before, here, after = maxima[n - 1 : n + 2]
        curvature = before - 2 * here + after
        rate += (rates[1] - rates[0]) * (0.5 * (before - after) / curvature if curvature < 0 else 0.0)
    return float(rate), float(peak_lags(curves[n][None])[0])


def offsets_agree(offsets: Sequence[SyncOffset], min_confidence: float = 0.9) -> bool:
    """Return whether confident offsets of several sections agree within a frame and their intervals."""
    known = [offset for offset in offsets if offset.confidence >= min_confidence]
    return all(
        abs(a.seconds - b.seconds) <= FRAME_SECONDS or (a.low <= b.high and b.low <= a.high)
        for i, a in enumerate(known)
        for b in known[:i]
    )


def describe_offset(seconds: float) -> str:
    """Return an offset for people: ``audio is 120 ms late``."""
    late = round(seconds * 1000)
    if abs(late) < 20:
        return "audio and video are in sync"
    return f"audio is {abs(late)} ms {'late' if late > 0 else 'early'}"
