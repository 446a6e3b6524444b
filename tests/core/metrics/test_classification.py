import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kinoscope.core.metrics.classification import (
    average_precision,
    balanced_accuracy,
    binned_calibration_error,
    bootstrap,
    bootstrap_replicates,
    calibration_error,
    confusion_matrix,
    cross_entropy,
    fit_temperature,
    mcnemar,
    mean_average_precision,
    per_class_precision,
    per_class_recall,
    reliability_bins,
    sigmoid,
    softmax,
    top_k_accuracy,
    top_k_hits,
)

LOGITS = np.array([[3, 1, 0], [0, 2, 1], [1, 0, 2], [5, 4, 3]], np.float32)


def test_probabilities_are_those_of_the_definition_and_never_overflow():
    assert softmax([[0, math.log(3)]]) == pytest.approx(np.array([[0.25, 0.75]]))
    assert softmax([[1000, 0], [-1000, 0]]).tolist() == [[1, 0], [0, 1]]
    assert sigmoid([0, math.log(3), -math.log(3)]) == pytest.approx([0.5, 0.75, 0.25])
    assert sigmoid([1e6, -1e6]).tolist() == [1, 0]
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


def test_cross_entropy_of_worked_cases():
    assert cross_entropy([[0, math.log(3)]], [[0, 1]]) == pytest.approx([math.log(4 / 3)])
    assert cross_entropy([[0, math.log(3)]], [[0.5, 0.5]]) == pytest.approx([math.log(4) - math.log(3) / 2])
    # Each class by itself: half sure of a no, three quarters of a yes.
    assert cross_entropy([[0, math.log(3)]], [[0, 1]], True) == pytest.approx([math.log(2) + math.log(4 / 3)])
    assert cross_entropy([[1000, 0]], [[0, 1]]) == pytest.approx([1000])


def test_top_k_counts_classes_among_the_highest():
    # Ranked: 0 1 2, 1 2 0, 2 0 1, 0 1 2.
    assert top_k_accuracy(LOGITS, [0, 1, 1, 2], 1) == 0.5
    assert top_k_accuracy(LOGITS, [0, 2, 1, 1], 2) == 0.75
    assert top_k_accuracy(LOGITS, [0, 2, 1, 1], 5) == 1
    assert top_k_hits([[1, 1]], [1]).tolist() == [False]
    assert math.isnan(top_k_accuracy(np.zeros((0, 3)), []))


def test_confusion_has_a_row_for_each_actual_class():
    found = confusion_matrix([0, 1, 1, 0, 1], [0, 0, 0, 1, 1], 3)
    assert found.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]
    assert per_class_recall(found) == pytest.approx([1 / 3, 1 / 2, math.nan], nan_ok=True)
    assert per_class_precision(found) == pytest.approx([1 / 2, 1 / 3, math.nan], nan_ok=True)
    assert balanced_accuracy(found) == pytest.approx(5 / 12)
    assert math.isnan(balanced_accuracy(np.zeros((2, 2))))


def test_average_precision_of_a_worked_case():
    # By falling score: yes no yes no yes. Precision at each yes: 1/1, 2/3, 3/5; their mean is 34/45.
    assert average_precision([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 1]) == pytest.approx(34 / 45)
    # Equal scores are found together: 2 of 4 at once, whatever their order.
    assert average_precision([1, 1, 1, 1], [0, 1, 1, 0]) == 0.5
    assert math.isnan(average_precision([0.1, 0.2], [0, 0]))
    assert math.isnan(average_precision([], []))


def plain_average_precision(scores, positive):
    """The definition, threshold by threshold."""
    area, last = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [p for s, p in zip(scores, positive, strict=True) if s >= threshold]
        recall = sum(chosen) / sum(positive)
        area, last = area + (recall - last) * sum(chosen) / len(chosen), recall
    return area


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20))
def test_average_precision_is_its_definition(rows):
    scores, positive = zip(*rows, strict=True)
    if any(positive):
        assert average_precision(scores, positive) == pytest.approx(plain_average_precision(scores, positive))


def test_mean_average_precision_leaves_out_classes_without_a_clip():
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.9, 0.5], [0.7, 0.5, 0.5]])
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    assert mean_average_precision(scores, targets) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)


def test_calibration_error_of_a_worked_case():
    # Two bins. (0, .5]: one at .5, which is right. (.5, 1]: .9 right, .8 wrong, .7 right, .6 wrong: .75 sure, .5 right.
    rows = reliability_bins([0.5, 0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1, 0], 2)
    assert rows == pytest.approx(np.array([[1, 0.5, 1.0], [4, 0.75, 0.5]]))
    assert binned_calibration_error(rows) == pytest.approx((1 * 0.5 + 4 * 0.25) / 5)
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert calibration_error(probabilities, [0, 0], 1) == pytest.approx(0.35)
    assert calibration_error(probabilities, [[1, 0], [1, 0]], 1) == pytest.approx(0)
    assert math.isnan(calibration_error(np.zeros((0, 2)), []))


def test_the_temperature_of_a_worked_case():
    # 8 of 10 answers are right, each with logits (ln 4 * 3, 0): as they stand, 98 % sure. With ten thousand such, the
    # best temperature makes them 80 % sure: ln 4 * 3 / T = ln 4.
    logits = np.tile([3 * math.log(4), 0], (10_000, 1))
    actual = np.arange(10_000) % 5 == 0
    assert fit_temperature(logits, actual.astype(int)) == pytest.approx(3, rel=1e-3)
    targets = np.stack([~actual, ~actual], 1)
    assert fit_temperature(np.full((10_000, 2), 2 * math.log(4)), targets) == pytest.approx(2, rel=1e-3)


def test_a_few_right_answers_are_no_certainty():
    logits = np.array([[5.0, 0], [0, 5], [5, 0], [0, 5]])
    temperature = fit_temperature(logits, [0, 1, 0, 1])
    # With one clip of unknown class among five, 4.5 of 5 are right: e^(5 / T) = 9.
    assert temperature == pytest.approx(5 / math.log(9), rel=1e-6)
    assert fit_temperature(np.zeros((0, 3)), []) == 1


@pytest.mark.slow
@given(arrays(np.float64, (12, 3), elements=st.floats(-5, 5)), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_no_other_temperature_has_less_loss(logits, actual):
    best = fit_temperature(logits, actual)
    targets = (12 * np.eye(3)[actual] + 1 / 3) / 13

    def loss(temperature):
        return -np.sum(targets * np.log(softmax(logits / temperature)))

    around = [max(0.05, best * 0.99), min(20, best * 1.01), 0.05, 20]
    assert loss(best) <= min(map(loss, around)) + 1e-9


def test_the_bootstrap_interval_is_that_of_all_drawings():
    # Three groups, drawn three times: all 27 drawings are as likely, so their percentiles are what is sought.
    values, groups = np.array([0.0, 0, 1, 1, 1, 5]), np.array(["a", "a", "b", "b", "b", "c"])
    means = [np.concatenate([values[groups == g] for g in drawing]).mean() for drawing in product("abc", repeat=3)]
    low, high = bootstrap(np.mean, [values], groups, samples=5000)
    assert (low, high) == (min(means), max(means)) == (0, 5)
    drawn = bootstrap_replicates(np.mean, [values], groups, samples=5000)
    assert set(drawn.round(9)) <= set(np.round(means, 9))
    assert drawn.mean() == pytest.approx(np.mean(means), abs=0.06)


def test_the_bootstrap_is_repeatable_and_draws_arrays_alike():
    one = np.arange(20.0)

    def together(a, b):
        assert np.array_equal(a, b)
        return a.mean()

    first = bootstrap(together, [one, one], samples=50, seed=3)
    assert first == bootstrap(together, [one, one], samples=50, seed=3)
    assert first != bootstrap(together, [one, one], samples=50, seed=4)
    assert first[0] < 9.5 < first[1]


def test_whole_groups_make_wider_intervals():
    right = np.repeat([0, 1, 1, 0, 1], 20)
    low, high = bootstrap(np.mean, [right])
    low_of_groups, high_of_groups = bootstrap(np.mean, [right], np.repeat(np.arange(5), 20))
    assert high_of_groups - low_of_groups > 2 * (high - low)


def test_one_group_has_no_interval():
    assert all(map(math.isnan, bootstrap(np.mean, [[1.0, 2.0]], ["a", "a"])))
    assert all(map(math.isnan, bootstrap(lambda _: math.nan, [[1.0, 2.0]], samples=3)))


def test_mcnemar_by_groups_is_mcnemar_where_each_clip_is_one():
    random = np.random.default_rng(0)
    for _ in range(20):
        first, second = random.random((2, 30)) < 0.6
        assert mcnemar(first, second, np.arange(30)) == pytest.approx(mcnemar(first, second))
    # Groups gain 3, 1 and -1: of the eight sums of signs, four are at least 3 in size.
    assert mcnemar([0, 0, 0, 0, 1], [1, 1, 1, 1, 0], list("aaabc")) == 4 / 8 + 2 / 8
    assert mcnemar([], [], []) == 1


def test_mcnemar_of_a_worked_case():
    # Only the first is right in 1 clip, only the second in 5: two-sided, 2 * (C(6,0) + C(6,1)) / 2^6 = 14/64.
    first = np.array([1, 0, 0, 0, 0, 0, 1, 1, 0], bool)
    second = np.array([0, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    assert mcnemar(first, second) == mcnemar(second, first) == 14 / 64
    assert mcnemar(first, first) == 1
    assert mcnemar(np.zeros(5000, bool), np.ones(5000, bool)) == 0
