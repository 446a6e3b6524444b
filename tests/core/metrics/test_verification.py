import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.errors import OptionError
from kinoscope.core.intervals import binomial_interval
from kinoscope.core.metrics.verification import (
    equal_error_rate,
    error_rates,
    operating_point,
    threshold_at_far,
)

SAME, OTHER = [0.1, 0.2, 0.3, 0.5], [0.4, 0.6, 0.7, 0.8, 0.9]


def test_rates_of_a_threshold_by_hand():
    done = operating_point(SAME, OTHER, 0.45)
    assert (done.far, done.frr, done.genuine, done.impostor) == (1 / 5, 1 / 4, 4, 5)
    assert operating_point(SAME, OTHER, 0.4).far == 1 / 5
    assert operating_point(SAME, OTHER, 0.5).frr == 0


def test_the_threshold_for_a_false_accept_rate_lies_between_two_pairs():
    none = threshold_at_far(SAME, OTHER, 0.0)
    assert none.threshold == pytest.approx(0.35)
    assert (none.far, none.frr) == (0, 1 / 4)
    one = threshold_at_far(SAME, OTHER, 0.2)
    assert one.threshold == pytest.approx(0.55)
    assert (one.far, one.frr) == (1 / 5, 0)
    assert threshold_at_far(SAME, OTHER, 0.39).threshold == one.threshold


def test_equal_distances_are_accepted_together_or_not_at_all():
    done = threshold_at_far([0.1], [0.5, 0.5, 0.5, 0.9], 0.25)
    assert done.far == 0
    assert done.threshold == pytest.approx(0.3)


def test_no_error_of_few_pairs_says_little_and_of_many_more():
    # The rule of three: without an event in n trials, the 95 % bound (one-sided) is near 3 / n.
    low, high = binomial_interval(0, 5)
    assert low == 0.0
    assert high == pytest.approx(0.5218, abs=1e-4)
    assert binomial_interval(0, 1000)[1] == pytest.approx(0.00368, abs=1e-5)
    assert binomial_interval(5, 5)[1] == 1.0
    assert binomial_interval(2, 10) == pytest.approx((0.02521, 0.55610), abs=1e-5)
    assert all(map(math.isnan, binomial_interval(0, 0)))


def test_rates_along_all_thresholds():
    thresholds, far, frr = error_rates([0.1, 0.3], [0.2, 0.4])
    assert thresholds.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert far.tolist() == [0, 0.5, 0.5, 1]
    assert frr.tolist() == [0.5, 0.5, 0, 0]
    assert equal_error_rate([0.1, 0.3], [0.2, 0.4]) == 0.5
    assert equal_error_rate([0.1, 0.2], [0.3, 0.4]) == 0
    assert math.isnan(equal_error_rate([], [0.3]))


def test_what_is_not_known_is_none_in_the_plain_form():
    plain = operating_point([], OTHER, 0.45).to_dict()
    assert plain["frr"] is None
    assert plain["frr_interval"] == [None, None]


def test_impossible_wishes():
    with pytest.raises(OptionError, match="false accept rate of 2 is not possible"):
        threshold_at_far(SAME, OTHER, 2)
    with pytest.raises(OptionError, match="no pair of different people"):
        threshold_at_far(SAME, [], 0.1)


distances = st.lists(st.floats(0, 2), min_size=1, max_size=30)


@given(distances, distances, st.floats(0, 0.99))
def test_the_threshold_keeps_its_promise_and_is_the_largest_that_does(same, other, far):
    done = threshold_at_far(same, other, far)
    assert done.far <= far + 1e-9
    above = np.array(other)[np.array(other) > done.threshold]
    if len(above):
        assert operating_point(same, other, float(above.min())).far > far - 1e-9
    low, high = done.far_interval
    assert low <= done.far <= high
