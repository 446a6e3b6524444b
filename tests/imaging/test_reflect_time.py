import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.imaging.reflect_time import reflect_times

times = st.lists(st.floats(-50, 50), min_size=1, max_size=8).map(np.array)


def test_a_short_video_is_played_to_and_fro():
    wanted = np.array([0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4])
    assert np.allclose(reflect_times(wanted, 0, 1), [0, 0.4, 0.8, 0.8, 0.4, 0, 0.4], atol=0.002)


@given(times, st.floats(-10, 10), st.floats(0.01, 20))
def test_every_time_comes_to_lie_inside(wanted, first, length):
    folded = reflect_times(wanted, first, first + length)
    assert (folded >= first).all()
    assert (folded < first + length).all()


@pytest.mark.slow
@given(st.lists(st.floats(0, 0.999), min_size=1).map(np.array), st.integers(-5, 5))
def test_times_inside_stay_as_they_are(shares, first):
    wanted = first + shares
    inside = wanted[wanted < first + 1]
    assert np.array_equal(reflect_times(inside, first, first + 1), inside)
