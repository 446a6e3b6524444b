import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.metrics.temporal_detection import IOU_THRESHOLDS, Segment, interpolated_precision, segment_map


def run(video, start, end, score=1.0):
    return Segment(video, "run", start, end, score)


def test_average_map_of_a_worked_case():
    # Two runs and a jump. Found runs, the surest first:
    #   0.9: a 0-8   overlaps a 0-10 by 8/10 = 0.80: right up to 0.80 (7 of the 10 overlaps)
    #   0.8: a 2-10  overlaps a 0-10 by 0.80 too, but that is taken: false up to 0.80, and false above
    #   0.7: b 5-15  overlaps b 4-14 by 9/11 = 0.818: right up to 0.80
    #   0.6: c 0-1   there is no run in c: false
    # Up to 0.80: right, false, right, false: precisions 1, 1/2, 2/3, 1/2; interpolated at the two rights 1 and 2/3;
    # AP = (1 + 2/3) / 2 = 5/6. Above, 0. So the class has 7/10 * 5/6 = 7/12.
    # The jump was not found: AP 0. The mean of both classes is 7/24.
    truth = [run("a", 0, 10), run("b", 4, 14), Segment("a", "jump", 20, 22)]
    found = [run("c", 0, 1, 0.6), run("a", 2, 10, 0.8), run("a", 0, 8, 0.9), run("b", 5, 15, 0.7)]
    scores = segment_map([*found, Segment("a", "dance", 0, 9)], truth)
    assert scores.precisions["run"] == pytest.approx((5 / 6,) * 7 + (0,) * 3)
    assert scores.precisions["jump"] == (0.0,) * 10
    assert scores.by_overlap == pytest.approx((5 / 12,) * 7 + (0,) * 3)
    assert scores.average_map == pytest.approx(7 / 24)
    assert scores.overlaps == IOU_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_a_segment_takes_the_actual_one_that_it_fits_best():
    truth = [run("a", 0, 10), run("a", 1, 9)]
    # The surest fits the second (8/8), which leaves the first (8/10) for the other.
    assert segment_map([run("a", 1, 9, 0.9), run("a", 1, 9, 0.8)], truth, [0.8]).average_map == 1


def test_a_segment_whose_best_is_taken_takes_the_next():
    truth = [run("a", 0, 10), run("a", 2, 12)]
    both = [run("a", 0, 10, 0.9), run("a", 0, 10, 0.8)]
    assert segment_map(both, truth, [0.6]).average_map == 1
    assert segment_map(both, truth, [0.7]).average_map == 0.5


def test_nothing_found_and_nothing_to_find():
    assert segment_map([], [run("a", 0, 1)]).average_map == 0
    assert math.isnan(segment_map([run("a", 0, 1)], []).average_map)
    assert segment_map([run("a", 0, 0)], [run("a", 0, 0)]).average_map == 0


def test_interpolated_precision_takes_the_maximum_of_higher_recalls():
    # Precision at the rights: 1/2 and 2/3; from the first on, 2/3 is the best.
    assert interpolated_precision([0, 1, 1], 2) == pytest.approx(2 / 3)
    assert interpolated_precision([1, 0, 0, 1], 4) == pytest.approx((1 + 1 / 2) / 4)


def plain_map(found, truth, overlap):
    """The definition, by brute force: walk down the list, then integrate the interpolated curve point by point."""

    def share(a, b):
        common = max(0, min(a.end, b.end) - max(a.start, b.start))
        union = a.end - a.start + b.end - b.start - common
        return common / union if a.video == b.video and union else 0

    taken: list[int] = []
    points, right = [(0.0, 0.0)], 0
    for place, one in enumerate(sorted(found, key=lambda s: -s.score), 1):
        free = [i for i in range(len(truth)) if i not in taken and share(one, truth[i]) >= overlap]
        if free:
            taken.append(max(free, key=lambda i: share(one, truth[i])))
            right += 1
        points.append((right / len(truth), right / place))
    area = 0.0
    for (before, _), (recall, _) in pairwise(points):
        area += (recall - before) * max(p for r, p in points if r >= recall)
    return area


segments = st.builds(
    lambda video, start, length, score: run(video, start, start + length, score),
    st.sampled_from("ab"), st.integers(0, 10), st.integers(1, 8), st.integers(0, 100),
)  # fmt: skip


@given(st.lists(segments, max_size=8), st.lists(segments, min_size=1, max_size=5), st.sampled_from(IOU_THRESHOLDS))
def test_it_is_its_definition(found, truth, overlap):
    assert segment_map(found, truth, [overlap]).average_map == pytest.approx(plain_map(found, truth, overlap))
