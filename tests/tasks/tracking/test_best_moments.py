from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kinoscope.tasks.tracking.best_moments import TopMoments


@dataclass
class View:
    time: float
    quality: float


def offer(best, time, value):
    if best.accepts(time, value):
        best.add(View(time, value))


def test_of_moments_close_in_time_the_clearly_better_one_is_kept():
    best: TopMoments[View] = TopMoments(3)
    offer(best, 0.0, 0.5)
    offer(best, 0.4, 0.52)
    assert best.moments == [View(0.0, 0.5)]
    offer(best, 0.8, 0.9)
    assert best.moments == [View(0.8, 0.9)]


def test_the_worst_makes_room():
    best: TopMoments[View] = TopMoments(2)
    for time, value in enumerate([0.5, 0.4, 0.3, 0.7]):
        offer(best, 2.0 * time, value)
    assert best.moments == [View(6.0, 0.7), View(0.0, 0.5)]
    assert best.within(-1, 1) == [View(0.0, 0.5)]


def test_a_worthless_moment_is_not_wanted():
    assert not TopMoments(2).accepts(0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 1)), max_size=40))
def test_the_best_moment_is_never_far_from_the_best_of_all(moments):
    best: TopMoments[View] = TopMoments(3)
    for time, value in moments:
        offer(best, time, value)
    values = [moment.quality for moment in best.moments]
    times = sorted(moment.time for moment in best.moments)
    assert values == sorted(values, reverse=True)
    assert len(values) <= 3
    assert all(b - a >= 1.0 for a, b in pairwise(times))
    assert not moments or values[0] * 1.1 >= max(value for _, value in moments)
