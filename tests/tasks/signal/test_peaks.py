"""Peaks of a curve: the highest first, each with its own sides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.tasks.signal.peaks import find_peaks


def test_each_peak_has_its_sides():
    assert find_peaks([0, 1, 4, 3, 1, 0, 2, 1, 0], 2, 0.5) == [(2, 4), (6, 8)]


def test_takes_the_highest_first():
    assert find_peaks([3, 0, 9, 0, 5], 1, 0.9) == [(2, 3), (4, 5), (0, 1)]


def test_leaves_out_shoulders():
    assert find_peaks([0, 3, 9, 4, 3, 0, 0], 2, 0.5) == [(2, 3)]


def test_finds_nothing_in_nothing():
    assert find_peaks([], 1, 0.5) == []
    assert find_peaks([0, 0.9, 0], 1, 0.5) == []


@given(st.lists(st.floats(0, 10), max_size=40), st.floats(0.5, 9), st.floats(0.1, 1))
def test_no_two_overlap_and_each_reaches_the_height(values, on, sides):
    found = find_peaks(values, on, sides)
    taken = np.zeros(len(values), int)
    for start, end in found:
        taken[start:end] += 1
        assert max(values[start:end]) >= on
        assert min(values[start:end]) >= sides * max(values[start:end])
    assert taken.max(initial=0) <= 1
    tops = [max(values[start:end]) for start, end in found]
    assert tops == sorted(tops, reverse=True)
