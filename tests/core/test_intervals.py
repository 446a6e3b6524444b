"""Intervals: their worked cases, and how often they hold the true value, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinoscope.core.intervals import (
    binomial_interval,
    difference_interval,
    proportion_interval,
    small_sample_factor,
    variance_of_mean,
)


def of(right: list[int], groups: list[int]) -> tuple[float, float]:
    return proportion_interval(float(np.mean(right)), variance_of_mean(right, groups), np.ones(len(right)), groups)


def test_clips_that_stand_for_themselves_have_the_exact_binomial_interval() -> None:
    assert of([1] * 10, list(range(10))) == pytest.approx((0.6915, 1), abs=1e-4)
    assert of([0] * 10, list(range(10))) == pytest.approx((0, 0.3085), abs=1e-4)
    low, high = of([1, 0] * 20, list(range(40)))
    assert (low, high) == pytest.approx(binomial_interval(19.5, 39), abs=1e-3)


def test_groups_that_are_all_right_count_as_so_many_clips_at_most() -> None:
    assert of([1] * 80, [i // 2 for i in range(80)])[0] < binomial_interval(40, 40)[0] < binomial_interval(80, 80)[0]
    assert of([1] * 80, [i // 8 for i in range(80)])[0] < binomial_interval(10, 10)[0]


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_have_no_interval(groups: int) -> None:
    assert all(map(math.isnan, of([1] * 8, [i % groups for i in range(8)])))
    assert not any(map(math.isnan, of([1] * 9, [i % 3 for i in range(9)])))


def test_no_clip_at_all_has_no_interval() -> None:
    assert all(map(math.isnan, proportion_interval(math.nan, 0.0, [], [])))
    assert all(map(math.isnan, proportion_interval(0.5, 0.0, [0, 0], ["a", "b"])))
    assert math.isnan(variance_of_mean([], []))


def test_the_variance_of_a_mean_goes_by_groups() -> None:
    # Groups of two: their sums are off the mean 0.5 by 1, -1, 0: 3/2 * 2 / 36.
    assert variance_of_mean([1, 1, 0, 0, 1, 0], list("aabbcc")) == pytest.approx(3 / 2 * 2 / 36)
    assert small_sample_factor(10) == pytest.approx(2.2622 / 1.95996, abs=1e-4)


def test_equal_clips_of_both_models_make_a_small_difference() -> None:
    ends = (0.348, 0.933), (0.348, 0.933)
    assert difference_interval(0.7, 0.7, ends, 1.0) == pytest.approx((-0.119, 0.119), abs=1e-3)
    # Newcombe (1998), independent shares: 56/70 and 48/80 by Wilson give 0.0524 to 0.3339.
    wilson = (0.4905, 0.7003), (0.6914, 0.8775)
    assert difference_interval(48 / 80, 56 / 70, wilson, 0.0) == pytest.approx((0.0524, 0.3339), abs=2e-3)


def coverage(groups: int, clips: int, share: float, alike: float, trials: int = 400) -> float:
    """Return how often the interval holds the share, of groups with clips that are so much alike (0 not, 1 wholly)."""
    random, held = np.random.default_rng(7), 0
    for _ in range(trials):
        chances = np.where(random.random(groups) < alike, random.random(groups) < share, share)
        sizes = random.integers(1, 2 * clips, groups)
        owners = np.repeat(np.arange(groups), sizes)
        right = random.random(len(owners)) < chances[owners]
        low, high = of(right.tolist(), owners.tolist())
        held += low <= share <= high
    return held / trials


@pytest.mark.parametrize("alike", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(("groups", "clips"), [(4, 4), (10, 1), (10, 6), (30, 4)])
def test_the_interval_holds_the_true_share_in_about_19_of_20_samples(
    groups: int, clips: int, share: float, alike: float
) -> None:
    assert coverage(groups, clips, share, alike) > 0.9


def test_the_percentile_interval_of_a_bootstrap_did_not() -> None:
    """Why there is another: drawn anew, few groups that are all right leave an interval without any width."""
    from kinoscope.core.metrics.classification import bootstrap

    assert bootstrap(np.mean, [np.ones(8)], np.repeat(["a", "b"], 4), samples=50) == (1, 1)
