"""Confidence intervals (95 %) that also hold for few clips, and for clips that resemble one another.

Clips of one group (a person, a recording) are not independent, and of few groups one cannot know how much groups
differ. So a share goes by as many clips as are worth as much as independent ones, and by the number of groups.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import Float64Array

Interval = tuple[float, float]

CONFIDENCE_LEVEL = 0.95
"""Probability with which an interval holds the true value."""

MIN_GROUPS = 3
"""Fewest groups for an interval: two may agree by chance whatever else there is."""

UNKNOWN_INTERVAL: Interval = (math.nan, math.nan)


def binomial_interval(count: float, trials: float, trust: float = CONFIDENCE_LEVEL) -> Interval:
    """Return the interval of a share of which ``count`` of ``trials`` came true (Clopper & Pearson, Biometrika 1934).

    Both may be fractions, of a number of trials that is worth as much as others that are not independent.
    """
    from scipy.special import betaincinv

    if not trials:
        return UNKNOWN_INTERVAL
    tail = (1 - trust) / 2
    low = float(betaincinv(count, trials - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, trials - count, 1 - tail)) if count < trials else 1.0
    return low, high


def proportion_interval(value: float, variance: float, weights: ArrayLike, groups: ArrayLike) -> Interval:
    """Return the interval of a share, or of a mean of shares, that was measured on clips of several groups.

    Korn & Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data", Survey Methodology 1998: Clopper and Pearson's of an effective number of clips, which is smaller the
    more groups differ and the fewer they are. Where nothing varies, as where all is right, nothing says how alike the
    clips of a group are, so that each group counts as one clip.

    Args:
        value: of the share, in 0 to 1.
        variance: of it, over groups drawn anew.
        weights: (N,) how much each clip counts in it; 0 for clips that do not.
        groups: (N,) what each clip belongs to.

    Returns:
        Its ends; NaN both, where there are fewer than ``MIN_GROUPS`` groups.
    """
    count, clips, independent = _worth(np.asarray(weights, np.float64), np.asarray(groups))
    if math.isnan(value) or count < MIN_GROUPS:
        return UNKNOWN_INTERVAL
    effective = min(value * (1 - value) / variance, clips) if variance > 0 else independent
    if independent < clips - 1e-9:
        effective /= small_sample_factor(count) ** 2
    return binomial_interval(value * effective, effective)


def _worth(weights: Float64Array, groups: NDArray[np.generic]) -> tuple[int, float, float]:
    """Return how many groups there are, and how many equal clips, and equal groups, the weights are worth (Kish)."""
    used = weights > 0
    if not used.any():
        return 0, 0.0, 0.0
    each = weights[used] / weights[used].sum()
    _, group = np.unique(groups[used], return_inverse=True)
    together = np.bincount(group, each)
    return len(together), float(1 / np.sum(each**2)), float(1 / np.sum(together**2))


def small_sample_factor(groups: int) -> float:
    """Return how many times wider an interval is as its spread is known from so few groups (Student, 1908)."""
    from scipy.special import ndtri, stdtrit

    tail = 1 - (1 - CONFIDENCE_LEVEL) / 2
    return float(stdtrit(groups - 1, tail) / ndtri(tail))


def variance_of_mean(values: ArrayLike, groups: ArrayLike) -> float:
    """Return the variance of the mean of values (N,) over resampled groups (N,); NaN of fewer than two groups."""
    numbers = np.asarray(values, np.float64)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(group, numbers - numbers.mean()) if len(numbers) else np.zeros(0)
    if len(sums) < 2:
        return math.nan
    return float(len(sums) / (len(sums) - 1) * np.sum(sums**2) / len(numbers) ** 2)


def difference_interval(first: float, second: float, ends: tuple[Interval, Interval], correlation: float) -> Interval:
    """Return the interval of what the second of two shares of the same clips has more than the first.

    Zou & Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 2008; of two shares
    it is the interval of Newcombe (1998).

    Args:
        ends: of the interval of each share.
        correlation: of both, over groups drawn anew.
    """
    (low1, high1), (low2, high2) = ends
    return (
        second - first - _across(second - low2, high1 - first, correlation),
        second - first + _across(high2 - second, first - low1, correlation),
    )


def _across(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one**2 + other**2 - 2 * correlation * one * other))
