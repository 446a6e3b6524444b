from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.library.intervals import Intervals, exclude_overlapping, find_pairs, intersect, intersect_near


def spans(*rows: tuple[int, float, float]) -> Intervals:
    return Intervals.of(*zip(*((*row, 0.5) for row in rows), strict=True)) if rows else Intervals.empty()


def rows(found: Intervals) -> list[tuple[int, float, float]]:
    return list(zip(found.video.tolist(), found.start.tolist(), found.end.tolist(), strict=True))


def test_moments_that_hardly_part_are_one() -> None:
    found = Intervals.of([1, 0, 0, 0], [0, 4, 1, 5.5], [9, 5, 2, 6], [0.1, 0.2, 0.3, 0.4]).merged()
    assert rows(found) == [(0, 1, 2), (0, 4, 6), (1, 0, 9)]
    assert found.score.tolist() == [0.3, 0.4, 0.1]
    assert rows(spans((0, 0, 10), (0, 1, 2), (0, 9, 9.5)).merged()) == [(0, 0, 10)]


def test_near_returns_the_time_around_the_meeting() -> None:
    people, cars = spans((0, 5, 12), (0, 30, 35), (1, 5, 6)), spans((0, 13, 20), (1, 40, 41))
    assert rows(intersect_near(people, cars, 3)) == [(0, 10, 15)]
    assert rows(intersect_near(people, cars, 10)) == [(0, 5, 30)]
    assert rows(intersect_near(spans((0, 0, 60)), cars, 2)) == [(0, 11, 22)]
    assert rows(intersect_near(people, cars, 0.5)) == []


def test_with_returns_the_time_that_both_share() -> None:
    shots, speech = spans((0, 0, 4), (0, 4, 9)), spans((0, 3, 5), (1, 0, 9))
    assert rows(intersect(shots, speech)) == [(0, 3, 4), (0, 4, 5)]
    assert rows(intersect(spans((0, 0, 4)), spans((0, 4, 9)))) == []
    assert rows(intersect(spans((0, 4, 4)), spans((0, 0, 9)))) == [(0, 4, 4)]


def test_without_leaves_out_what_meets() -> None:
    assert rows(exclude_overlapping(spans((0, 0, 4), (0, 6, 9), (1, 0, 4)), spans((0, 3, 5)))) == [(0, 6, 9), (1, 0, 4)]
    assert rows(exclude_overlapping(spans((0, 0, 4)), spans())) == [(0, 0, 4)]


stretches = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, 6)), max_size=12).map(
    lambda many: spans(*((video, start, start + length) for video, start, length in many)).merged(0)
)


@given(stretches, stretches, st.integers(0, 5))
def test_pairs_are_all_that_are_near(left: Intervals, right: Intervals, reach: int) -> None:
    expected = [
        (i, j)
        for i, j in product(range(len(left)), range(len(right)))
        if left.video[i] == right.video[j]
        and left.start[i] <= right.end[j] + reach
        and right.start[j] <= left.end[i] + reach
    ]
    assert list(zip(*(side.tolist() for side in find_pairs(left, right, reach)), strict=True)) == expected


@given(stretches, stretches)
def test_shared_time_is_what_both_cover(left: Intervals, right: Intervals) -> None:
    def covered(found: Intervals) -> set[tuple[int, float]]:
        halves = np.arange(0, 60, 0.5) + 0.25
        return {(video, time) for video, start, end in rows(found) for time in halves if start < time < end}

    assert covered(intersect(left, right)) == covered(left) & covered(right)
