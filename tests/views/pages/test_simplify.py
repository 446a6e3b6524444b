import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.pages.simplify import simplify_boxes


def walk(times, xs):
    """Boxes of 10 px whose left edge is at ``xs``."""
    xs = np.asarray(xs, float)
    return np.column_stack([times, xs, xs * 0, xs + 10, xs * 0 + 10, xs * 0 + 1])


def distance(boxes, kept):
    lines = [np.interp(boxes[:, 0], boxes[kept, 0], boxes[kept, i]) for i in range(1, 5)]
    return np.abs(np.column_stack(lines) - boxes[:, 1:5]).max()


def test_a_straight_line_keeps_its_ends():
    times = np.arange(100) / 25
    assert simplify_boxes(walk(times, times * 7), 1).tolist() == [0, 99]


def test_a_bend_is_kept():
    assert simplify_boxes(walk(np.arange(5), [0, 10, 20, 10, 0]), 1).tolist() == [0, 2, 4]


def test_one_box_is_kept():
    assert simplify_boxes(walk([2.0], [5]), 1).tolist() == [0]


def test_boxes_of_one_time_are_within_the_bound_or_kept():
    assert simplify_boxes(walk([1, 1, 1], [0, 50, 0]), 1).tolist() == [0, 1, 2]


def test_a_long_track_is_thinned_and_within_the_bound():
    random = np.random.default_rng(0)
    boxes = walk(np.arange(40_000) / 30, random.normal(0, 0.3, 40_000).cumsum())
    kept = simplify_boxes(boxes, 1)
    assert distance(boxes, kept) <= 1
    assert len(kept) < len(boxes) / 3


@settings(max_examples=40)
@given(st.lists(st.floats(-500, 500), min_size=1, max_size=60), st.floats(0.1, 5))
def test_every_box_left_out_is_within_the_bound(xs, bound):
    boxes = walk(np.arange(len(xs)), xs)
    kept = simplify_boxes(boxes, bound)
    assert kept[0] == 0
    assert kept[-1] == len(xs) - 1
    assert distance(boxes, kept) <= bound + 1e-9
