"""How late sound is against the picture, from how alike the two are at every lag: the offset, its interval, its drift.

A lag is how many seconds after a picture the sound that is compared with it comes; where sound and picture fit best at
a positive lag, the sound is late. Likenesses come in blocks, one row each: the sum over the frames of a short stretch.
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
"""Seconds around the best lag in which likeness is high for the same reason."""

PARABOLA_RADIUS_SECONDS = 0.05
"""Seconds on each side of the best lag through which a parabola is laid."""

MIN_AGREEMENT = 0.9
"""Share of drawings that find the offset within a frame, under which it is doubted."""

BOOTSTRAP_SAMPLES = 200
"""Times that blocks are drawn anew for an interval."""

GROUP_SECONDS = 1.0
"""Seconds of neighbouring blocks that are drawn together: what is said in a second is one piece of evidence."""

ZERO_SIGMA_SECONDS = 0.015
"""Seconds by which one true zero differs from another, a standard deviation, where no calibration says so."""

ZERO_HOLD_SECONDS = 2.0
"""Seconds after which what is said has another zero: other sounds, another pose."""

MAX_DRIFT_BINS = 120
"""Most stretches that a drift is sought in."""

MAX_CLOCK_DRIFT, MAX_SPEED_CHANGE = 0.005, 0.06
"""Largest drift of a clock that is looked for, and of another speed, as of film shown at 25 frames a second."""


@dataclass(frozen=True, slots=True)
class OffsetCalibration:
    """What a network's likenesses are worth, fitted on people whom it had not seen.

    Attributes:
        weights: of a constant, the margin, its product with the root of the seconds, and the logarithm of the
            seconds, in the logit of being right within a frame.
        spread: seconds by which a person's true zero differs from another's, a standard deviation.
    """

    weights: tuple[float, float, float, float] = (-2.0, 0.0, 20.0, 0.0)
    spread: float = ZERO_SIGMA_SECONDS

    def confidence(self, margin: float, seconds: float) -> float:
        """Give the probability that an offset is right within a frame."""
        x = np.array([1.0, margin, margin * np.sqrt(seconds), np.log(max(seconds, 0.04))])
        return float(1 / (1 + np.exp(-np.clip(x @ self.weights, -30, 30))))


@dataclass(frozen=True, slots=True)
class SyncOffset:
    """An offset of sound against picture.

    Attributes:
        seconds: how late the sound is; negative: early.
        low, high: its 95 % interval.
        confidence: probability that it is right within a frame, 0 to 1.
        evidence: seconds of picture and sound that were compared.
    """

    seconds: float
    low: float
    high: float
    confidence: float
    compared_seconds: float


@dataclass(frozen=True, slots=True)
class ClockDrift:
    """How the offset changes.

    Attributes:
        rate: in seconds per second. low, high: its 95 % interval.
        at: the offset at time 0.
        curve: (L,) likeness of all frames at each lag, once the drift is taken out.
        error: what the measurement itself may be off by (95 %), in seconds per second.
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
    """Give how far the best lag of a curve (L,) stands out: its likeness over the best that is not near it."""
    best = int(curve.argmax())
    far = np.abs(LAGS - LAGS[best]) > PEAK_RADIUS_SECONDS + 1e-9
    return float(curve[best] - curve[far].max())


def peak_lags(curves: Float64Array) -> Float64Array:
    """Give the lag at which each of curves (N, L) is highest, in seconds, finer than their step: by a parabola.

    Where the parabola opens upwards, as at the end of the lags, it is the highest point itself.
    """
    reach = round(PARABOLA_RADIUS_SECONDS / LAG_STEP_SECONDS)
    best = curves.argmax(axis=1)
    middle = np.clip(best, reach, len(LAGS) - 1 - reach)
    x = np.arange(-reach, reach + 1) * LAG_STEP_SECONDS
    around = curves[np.arange(len(curves))[:, None], middle[:, None] + np.arange(-reach, reach + 1)]
    square, slope, _ = np.polyfit(x, around.T, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(square < 0, -slope / (2 * square), np.nan)
    fits = np.abs(top) <= PARABOLA_RADIUS_SECONDS
    return np.asarray(np.where(fits, LAGS[middle] + np.nan_to_num(top), LAGS[best]))


def estimate_offset(
    blocks: Float64Array,
    counts: Float64Array,
    calibration: OffsetCalibration,
    groups: Int64Array | None = None,
    seed: int = 0,
) -> SyncOffset:
    """Measure one offset from blocks of likenesses.

    Args:
        blocks: (B, L), sums over the frames of each block, at the lags ``LAGS``.
        counts: (B,) frames of each block.
        calibration: what the likenesses are worth.
        groups: (B,) numbers of the pieces that are drawn together; neighbours of a second, if not given.
        seed: of the drawings of the interval.
    """
    total = blocks.sum(axis=0) / max(counts.sum(), 1)
    seconds = float(counts.sum() * FRAME_SECONDS)
    best = float(peak_lags(total[None])[0])
    drawn = _drawn(_pooled(blocks, _groups(counts) if groups is None else groups), seed)
    spread = np.random.default_rng(seed).normal(0, calibration.spread, BOOTSTRAP_SAMPLES)
    low, high = np.percentile(drawn + spread, [2.5, 97.5]).tolist()
    # What was fitted on windows with an answer does not know those without one: there the drawn pieces disagree.
    agree = float((np.abs(drawn - best) <= FRAME_SECONDS).mean())
    confidence = calibration.confidence(peak_margin(total), seconds) * min(1.0, agree / MIN_AGREEMENT)
    return SyncOffset(best, min(low, best), max(high, best), confidence, seconds)


def _groups(counts: Float64Array) -> Int64Array:
    """Number the pieces that blocks in a row make up: of a second, or, in a short clip, of a tenth of it."""
    seconds = np.cumsum(counts) * FRAME_SECONDS
    return np.asarray((seconds - counts * FRAME_SECONDS / 2) / min(GROUP_SECONDS, seconds[-1] / 10), np.int64)


def _pooled(blocks: Float64Array, groups: Int64Array) -> Float64Array:
    _, into = np.unique(groups, return_inverse=True)
    sums = np.zeros((into.max() + 1 if len(into) else 0, blocks.shape[1]))
    np.add.at(sums, into, blocks)
    return sums


def _drawn(pieces: Float64Array, seed: int) -> Float64Array:
    """Give the best lags of pieces drawn anew (bootstrap), (200,)."""
    generator = np.random.default_rng(seed)
    shares = generator.multinomial(len(pieces), np.full(len(pieces), 1 / len(pieces)), BOOTSTRAP_SAMPLES)
    return peak_lags(shares @ pieces)


def estimate_drift(
    blocks: Float64Array,
    times: Float64Array,
    max_rate: float = MAX_CLOCK_DRIFT,
    seed: int = 0,
    spread: float = ZERO_SIGMA_SECONDS,
) -> ClockDrift | None:
    """Find by how much the offset changes with time; None where there is too little to say.

    Args:
        blocks: (B, L) likenesses. times: (B,) of the blocks' middles, in seconds, increasing.
        most: the largest drift that is looked for.
        seed: of the drawings of the interval.
        spread: see ``OffsetCalibration``; what is said in one moment has another zero than what is said in the next,
        too.
    """
    span = float(np.ptp(times)) if len(times) else 0.0
    if span < 8.0:
        return None
    edges = np.linspace(times[0], times[-1] + 1e-6, min(MAX_DRIFT_BINS, max(4, int(span / 2))) + 1)
    into = np.searchsorted(edges, times, "right") - 1
    pieces, middle = _pooled(blocks, into), np.array([times[into == n].mean() for n in np.unique(into)])
    rates = _rates(span, max_rate)
    centre = float(middle.mean())
    sheared = np.array([_sheared(pieces, rate * (middle - centre)) for rate in rates])
    generator = np.random.default_rng(seed)
    shares = generator.multinomial(len(pieces), np.full(len(pieces), 1 / len(pieces)), BOOTSTRAP_SAMPLES)
    drawn = np.array([_best_rate(np.tensordot(share, sheared, (0, 1)), rates)[0] for share in shares])
    sums = sheared.sum(axis=1)
    rate, at = _best_rate(sums, rates)
    error = _own_error(span, spread)
    low, high = np.percentile(drawn + generator.normal(0, error / 1.96, BOOTSTRAP_SAMPLES), [2.5, 97.5]).tolist()
    curve = sums[int(sums.max(axis=1).argmax())]
    return ClockDrift(rate, min(low, rate), max(high, rate), at - rate * centre, curve, error)


def _own_error(span: float, spread: float) -> float:
    """Return how far off (95 %) the slope of a line is through moments whose zeros differ by ``spread`` seconds."""
    return float(1.96 * spread * np.sqrt(12 * ZERO_HOLD_SECONDS / span) / span)


def _rates(span: float, max_rate: float) -> Float64Array:
    """Give the drifts to try: an end of the video moves by a step from one to the next."""
    max_rate = min(max_rate, 0.8 * 2 * MAX_LAG_SECONDS / span)
    count = min(100, max(2, round(max_rate * span / 2 / (2 * LAG_STEP_SECONDS))))
    return np.linspace(-max_rate, max_rate, 2 * count + 1)


def _sheared(pieces: Float64Array, shifts: Float64Array) -> Float64Array:
    """Give likenesses (N, L) at lags that are later by ``shifts`` (N,) seconds."""
    return np.array([np.interp(LAGS + shift, LAGS, row) for row, shift in zip(pieces, shifts, strict=True)])


def _best_rate(curves: Float64Array, rates: Float64Array) -> tuple[float, float]:
    """Give the drift whose curve (R, L) rises highest, by a parabola between its neighbours, and the lag there."""
    heights = curves.max(axis=1)
    n = int(heights.argmax())
    rate = rates[n]
    if 0 < n < len(rates) - 1:
        before, here, after = heights[n - 1 : n + 2]
        bend = before - 2 * here + after
        rate += (rates[1] - rates[0]) * (0.5 * (before - after) / bend if bend < 0 else 0.0)
    return float(rate), float(peak_lags(curves[n][None])[0])


def offsets_agree(offsets: Sequence[SyncOffset], min_confidence: float = 0.9) -> bool:
    """Whether sure offsets of several stretches agree within a frame and their intervals."""
    known = [offset for offset in offsets if offset.confidence >= min_confidence]
    return all(
        abs(a.seconds - b.seconds) <= FRAME_SECONDS or (a.low <= b.high and b.low <= a.high)
        for i, a in enumerate(known)
        for b in known[:i]
    )


def describe_offset(seconds: float) -> str:
    """Say an offset as people say it: ``sound is 120 ms late``."""
    late = round(seconds * 1000)
    if abs(late) < 20:
        return "sound and picture are in sync"
    return f"sound is {abs(late)} ms {'late' if late > 0 else 'early'}"
