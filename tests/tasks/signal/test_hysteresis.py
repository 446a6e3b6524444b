from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.tasks.signal.hysteresis import hysteresis_spans


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([0, 0.4, 0.4], []),
        ([0, 0.6, 0.4, 0.2, 0], [(1, 3)]),
        ([0.9], [(0, 1)]),
        ([0.4, 0.4, 0.6, 0.4], [(2, 4)]),
        ([0.6, 0.1, 0.6], [(0, 1), (2, 3)]),
    ],
)
def test_a_segment_begins_at_on_and_ends_under_off(scores, expected):
    assert hysteresis_spans(scores, on=0.5, off=0.3) == expected


def test_short_gaps_are_joined_before_short_segments_are_left_out():
    scores = [1, 0, 1, 0, 0, 0, 1, 0]
    assert hysteresis_spans(scores, 0.5, 0.5, gap=1, min_length=2) == [(0, 3)]
    assert hysteresis_spans(scores, 0.5, 0.5, gap=3) == [(0, 7)]


@given(st.lists(st.floats(0, 1)), st.integers(0, 3), st.integers(1, 4))
def test_segments_are_in_order_apart_and_hold_a_high_score(scores, gap, shortest):
    found = hysteresis_spans(scores, 0.6, 0.4, gap, shortest)
    assert all(end - start >= shortest and max(scores[start:end]) >= 0.6 for start, end in found)
    assert all(after - before > gap for (_, before), (after, _) in pairwise(found))
    assert all(a == b for a, b in zip(found, hysteresis_spans(np.array(scores), 0.6, 0.4, gap, shortest), strict=True))
