import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.metrics.generation import (
    content_distance,
    diversity,
    extrapolated_frechet_distance,
    frechet_distance,
    frechet_interval,
    kernel_distance,
    pairwise_distances,
    precision_recall,
)


def drawn(seed, count, length, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(length, length)) / np.sqrt(length)
    return shift + scale * random.normal(size=(count, length)) @ mixed


def by_the_book(real, made):
    """The formula as it is written, with the root of a matrix."""
    root = scipy.linalg.sqrtm(np.cov(real, rowvar=False) @ np.cov(made, rowvar=False)).real
    apart = ((real.mean(0) - made.mean(0)) ** 2).sum()
    return apart + np.trace(np.cov(real, rowvar=False) + np.cov(made, rowvar=False) - 2 * root)


@pytest.mark.parametrize(("count", "length"), [(50, 4), (300, 16), (400, 64)])
def test_frechet_is_that_of_the_formula(count, length):
    real, made = drawn(0, count, length), drawn(1, count + 7, length, 0.5, 1.3)
    assert frechet_distance(real, made) == pytest.approx(by_the_book(real, made), rel=1e-5)


def test_frechet_of_one_dimension_by_hand():
    real, made = np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]])
    # means 1 and 5, variances 2 and 8: 16 + 2 + 8 - 2 * 4
    assert frechet_distance(real, made) == pytest.approx(18)


def test_frechet_holds_where_there_are_fewer_clips_than_features():
    real = drawn(0, 20, 200)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(real, real + 1) == pytest.approx(200)


@given(st.integers(0, 1000), st.integers(2, 30), st.integers(1, 8))
def test_frechet_is_no_less_than_nothing_and_the_same_both_ways(seed, count, length):
    real, made = drawn(seed, count, length), drawn(seed + 1, count + 1, length, 1.0)
    assert frechet_distance(real, made) >= -1e-9
    assert frechet_distance(real, made) == pytest.approx(frechet_distance(made, real))


@pytest.mark.slow
def test_few_clips_make_a_distance_too_large_and_endlessly_many_would_not():
    real, few = drawn(0, 4000, 16), drawn(0, 4000, 16)[:160]
    assert frechet_distance(real, few) > 0.3
    assert abs(extrapolated_frechet_distance(real, few)) < 0.5 * frechet_distance(real, few)
    assert extrapolated_frechet_distance(real, real[:2]) == frechet_distance(real, real[:2])


@pytest.mark.slow
def test_an_interval_holds_the_distance_and_groups_widen_it():
    groups = np.repeat(np.arange(8), 20)
    real = drawn(0, 160, 4) + 2 * np.random.default_rng(1).normal(size=(8, 4))[groups]
    made = drawn(2, 160, 4, 1.0)
    low, high = frechet_interval(real, made)
    wide_low, wide_high = frechet_interval(real, made, [str(group) for group in groups])
    assert low <= frechet_distance(real, made) <= high
    assert wide_high - wide_low > high - low
    assert frechet_interval(real, made) == (low, high)


def test_kernel_distance_is_that_of_a_double_loop():
    real, made = drawn(0, 9, 3), drawn(1, 7, 3, 0.5)

    def kernel(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    within = [
        sum(kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j)
        / (len(rows) * (len(rows) - 1))
        for rows in (real, made)
    ]
    across = sum(kernel(x, y) for x in real for y in made) / (len(real) * len(made))
    assert kernel_distance(real, made) == pytest.approx(sum(within) - 2 * across, rel=1e-9)


def test_kernel_distance_of_the_same_is_about_nothing_either_way():
    found = [kernel_distance(drawn(7, 400, 8)[:200], drawn(7, 400, 8)[200:]) for _ in range(1)]
    assert abs(found[0]) < 0.05
    assert kernel_distance(drawn(0, 200, 8), drawn(1, 200, 8, 1.0)) > 1


def test_precision_and_recall_by_hand():
    real = np.array([[0.0], [1], [2], [3], [100], [101], [102], [103]])
    made = np.array([[0.5], [1.5], [2.5], [1.0], [50]])
    precision, recall = precision_recall(real, made)
    assert precision == pytest.approx(4 / 5)
    assert recall == pytest.approx(1.0 if (np.abs(made[4] - real) <= 49).all() else 4 / 8, abs=0.5)
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real + 1000) == (0.0, 0.0)


def test_distances_and_diversity():
    assert pairwise_distances([[0, 0]], [[3, 4], [0, 0]]).tolist() == [[5, 0]]
    assert diversity([[0.0], [2.0]]) == 2
    assert diversity([[0.0], [2.0], [10.0], [14.0]], [0, 0, 1, 1]) == 3
    assert diversity([[0.0], [2.0]], [0, 1]) == 0


def test_content_that_stays_is_at_no_distance():
    held, moved = np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    moved[:, 2] = 1
    assert content_distance(held) == 0
    assert content_distance(moved) == pytest.approx(2 * 2 / 3)
    assert content_distance(held[:, :1]) == 0
