from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.results import Track
from kinoscope.core.trajectories import CountEstimate, estimate_counts, is_scenery, simplify_path, trajectory_stats

SIZE = (640, 480)


def walk(*feet, width=20, height=40, score=0.9, number=1):
    """A track through (time, x, y) of where it stands."""
    boxes = [[t, x - width / 2, y - height, x + width / 2, y, score] for t, x, y in feet]
    return Track(number, "objects", "person", score, np.array(boxes))


def test_a_straight_walk():
    stats = trajectory_stats(walk(*[(t / 10, 100 + 4 * t, 200) for t in range(21)]))
    assert (stats.seconds, stats.length, stats.heights) == (2, 80, 2)
    assert (stats.speed, stats.heights_per_second) == (40, 1)
    assert stats.path.tolist() == [[0, 100, 200], [2, 180, 200]]


def test_a_path_around_a_corner_consists_of_its_corners():
    way = [(t, 100 + 10 * t, 200) for t in range(11)] + [(10 + t, 200, 200 + 10 * t) for t in range(1, 6)]
    stats = trajectory_stats(walk(*way))
    assert stats.path.tolist() == [[0, 100, 200], [10, 200, 200], [15, 200, 250]]
    assert stats.length == 150


def test_what_shakes_does_not_move():
    rng = np.random.default_rng(0)
    stats = trajectory_stats(walk(*[(t / 25, *(300 + rng.uniform(-1.5, 1.5, 2))) for t in range(200)], height=40))
    assert stats.length < 4
    assert len(stats.path) == 2


def test_far_and_near_have_one_pace():
    near, far = walk((0, 0, 100), (1, 80, 100), height=80), walk((0, 0, 100), (1, 20, 100), height=20)
    assert trajectory_stats(near).heights_per_second == trajectory_stats(far).heights_per_second == 1
    assert (trajectory_stats(near).speed, trajectory_stats(far).speed) == (80, 20)


def test_a_moment_and_nothing_have_no_speed():
    assert trajectory_stats(walk((1, 50, 50))).to_dict() == {
        "seconds": 0, "length": 0, "speed": 0, "heights_per_second": 0, "path": [[1, 50, 50]],
    }  # fmt: skip
    assert trajectory_stats(Track(1, "objects", "person", 0.5, np.zeros((0, 6)))).seconds == 0


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=30), st.floats(0.01, 50))
def test_no_point_is_farther_off_than_allowed(points, most):
    line = np.array(points)
    kept = simplify_path(line, most)
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    for first, last in pairwise(kept):
        way = line[last] - line[first]
        for point in line[first : last + 1]:
            along = np.clip((point - line[first]) @ way / max(way @ way, 1e-12), 0, 1)
            assert np.linalg.norm(point - line[first] - along * way) <= most + 1e-6


def across(score=1.0, start=0.0, end=4.0):
    """From the left edge to the right one."""
    return walk((start, 10, 200), ((start + end) / 2, 320, 200), (end, 635, 200), score=score)


def test_what_is_certain_is_counted_so():
    assert estimate_counts([across(), across(start=2, end=6)], [1, 3, 5, 7], SIZE) == [
        CountEstimate(1, 1, 1, 1),
        CountEstimate(3, 2, 1, 2),  # one track in 33 is another's second one
        CountEstimate(5, 1, 1, 1),
        CountEstimate(7, 0, 0, 0),
    ]


def test_doubtful_tracks_widen_the_interval():
    (stats,) = estimate_counts([across(0.5, end=1e-9) for _ in range(4)], [0], SIZE)
    # Of four fair coins, 1/16 show no head: more than 5 %.
    assert (stats.count, stats.low, stats.high) == (4, 0, 4)
    (stats,) = estimate_counts([across(0.9, end=1e-9) for _ in range(10)], [0], SIZE)
    assert (stats.count, stats.low, stats.high) == (10, 7, 11)


def test_what_stays_grows_sure():
    (stats,) = estimate_counts([across(0.5, end=20) for _ in range(4)], [1], SIZE)
    assert (stats.count, stats.low, stats.high) == (4, 3, 5)


def test_what_vanishes_in_the_middle_was_perhaps_there_for_a_while():
    lost = walk((0, 10, 200), (4, 320, 200), score=1.0)
    assert [(c.count, c.low, c.high) for c in estimate_counts([lost], [4, 5.5, 6.5, -0.5], SIZE)] == [
        (1, 1, 1),
        (0, 0, 1),
        (0, 0, 0),
        (0, 0, 0),
    ]


def test_nothing_is_counted_as_nothing():
    assert estimate_counts([], [0.5], SIZE) == [CountEstimate(0.5, 0, 0, 0)]
    assert estimate_counts([], [], SIZE) == []
    assert estimate_counts([across()], [1], SIZE)[0].to_dict() == {"time": 1, "count": 1, "low": 1, "high": 1}


@given(st.lists(st.floats(0, 1), max_size=12))
def test_the_interval_is_in_order_and_within_what_there_is(scores):
    (stats,) = estimate_counts([across(score) for score in scores], [2.0], SIZE)
    assert 0 <= stats.low <= stats.count == len(scores)
    assert stats.low <= stats.high <= stats.count + 2


def standing(score, seconds=50, shake=1.5, height=24):
    rng = np.random.default_rng(0)
    return walk(
        *[(t / 5, *(300 + rng.uniform(-shake, shake, 2))) for t in range(5 * seconds)], height=height, score=score
    )


def test_what_is_doubtful_and_never_moves_does_not_count_however_long_it_stays():
    cone = standing(0.45)
    assert is_scenery(cone)
    (stats,) = estimate_counts([cone, across(0.8), across(0.8)], [2], SIZE)
    assert stats.count == 2
    assert stats.low <= 2 < stats.high


def test_a_static_person_with_a_high_score_counts():
    assert not is_scenery(standing(0.55))
    assert estimate_counts([standing(0.75)], [2], SIZE)[0].count == 1


def test_what_is_doubtful_but_moves_counts():
    slow = walk(*[(t, 100 + 2 * t, 200) for t in range(20)], height=40, score=0.42)
    assert not is_scenery(slow)
    assert estimate_counts([slow], [2], SIZE)[0].count == 1


def test_an_empty_track_is_no_scenery():
    assert not is_scenery(Track(1, "objects", "person", 0.3, np.zeros((0, 6))))


def test_among_many_some_are_missed_and_some_are_doubles():
    (stats,) = estimate_counts([across(0.8, end=20) for _ in range(10)], [2], SIZE)
    assert (stats.count, stats.low, stats.high) == (10, 9, 11)
