"""Confidence intervals (95 %) that also hold for few clips, and for clips that resemble one another.

Clips of one group (a person, a recording) are not independent, and with few groups their variance is hardly known. So
the interval of a proportion uses the effective number of independent clips, and the number of groups.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import Float64Array

Interval = tuple[float, float]

CONFIDENCE_LEVEL = 0.95
"""Probability that an interval contains the true value."""

MIN_GROUPS = 3
"""Minimum number of groups for an interval: two may agree by chance."""

UNKNOWN_INTERVAL: Interval = (math.nan, math.nan)


def binomial_interval(count: float, trials: float, level: float = CONFIDENCE_LEVEL) -> Interval:
    """Return the interval of a proportion of ``count`` successes in ``trials`` (Clopper & Pearson, Biometrika 1934).

    Both may be fractions: an effective number of independent trials.
    """
    from scipy.special import betaincinv

    if not trials:
        return UNKNOWN_INTERVAL
    tail = (1 - level) / 2
    low = float(betaincinv(count, trials - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, trials - count, 1 - tail)) if count < trials else 1.0
    return low, high


def proportion_interval(value: float, variance: float, weights: ArrayLike, groups: ArrayLike) -> Interval:
    """Return the interval of a proportion, or of a mean of proportions, measured on clips of several groups.

    Korn & Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data", Survey Methodology 1998: Clopper and Pearson's for an effective number of clips, which is smaller the
    more the groups differ and the fewer they are. Where nothing varies, as where all is correct, the correlation within
    a group is unknown, so that each group counts as one clip.

    Args:
        value: of the proportion, in 0 to 1.
        variance: of it, over resampled groups.
        weights: (N,) weight of each clip; 0 for clips that do not count.
        groups: (N,) the group of each clip.

    Returns:
        Its bounds; NaN both, where there are fewer than ``MIN_GROUPS`` groups.
    """
    count, clips, independent = _effective_counts(np.asarray(weights, np.float64), np.asarray(groups))
    if math.isnan(value) or count < MIN_GROUPS:
        return UNKNOWN_INTERVAL
    effective = min(value * (1 - value) / variance, clips) if variance > 0 else independent
    if independent < clips - 1e-9:
        effective /= small_sample_factor(count) ** 2
    return binomial_interval(value * effective, effective)


def _effective_counts(weights: Float64Array, groups: NDArray[np.generic]) -> tuple[int, float, float]:
    """Return the number of groups, and the effective numbers of clips and of groups of the weights (Kish)."""
    used = weights > 0
    if not used.any():
        return 0, 0.0, 0.0
    each = weights[used] / weights[used].sum()
    _, group = np.unique(groups[used], return_inverse=True)
    together = np.bincount(group, each)
    return len(together), float(1 / np.sum(each**2)), float(1 / np.sum(together**2))


def small_sample_factor(groups: int) -> float:
    """Return how many times wider an interval is when its standard error has few groups (Student, 1908)."""
    from scipy.special import ndtri, stdtrit

    tail = 1 - (1 - CONFIDENCE_LEVEL) / 2
    return float(stdtrit(groups - 1, tail) / ndtri(tail))


def variance_of_mean(values: ArrayLike, groups: ArrayLike) -> float:
    """Return the variance of the mean of values (N,) over resampled groups (N,); NaN for fewer than two groups."""
    numbers = np.asarray(values, np.float64)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(group, numbers - numbers.mean()) if len(numbers) else np.zeros(0)
    if len(sums) < 2:
        return math.nan
    return float(len(sums) / (len(sums) - 1) * np.sum(sums**2) / len(numbers) ** 2)


def difference_interval(
    first: float, second: float, intervals: tuple[Interval, Interval], correlation: float
) -> Interval:
    """Return the interval of the second minus the first of two proportions of the same clips.

    Zou & Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 2008; for two
    proportions it is the interval of Newcombe (1998).

    Args:
        first, second: the two proportions.
        intervals: of each proportion.
        correlation: of both, over resampled groups.
    """
    (low1, high1), (low2, high2) = intervals
    return (
        second - first - _combined_width(second - low2, high1 - first, correlation),
        second - first + _combined_width(high2 - second, first - low1, correlation),
    )


def _combined_width(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * correlation * first * second))
