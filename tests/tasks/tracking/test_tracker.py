import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.boxes import iou
from kinoscope.core.results import Event
from kinoscope.tasks.tracking.tracker import Tracker, hard_cuts
from kinoscope.views.timeline import Timeline


def box(x, y, w=40, h=80):
    """A box around a centre."""
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def feed(tracker, time, boxes, scores=None, labels=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scores = np.full(len(boxes), 0.9) if scores is None else np.array(scores)
    return tracker.update(time, boxes, scores, None if labels is None else np.array(labels)).tolist()


def test_crossing_objects_keep_their_ids():
    tracker = Tracker()
    for n in range(26):
        boxes, order = [box(100 + 16 * n, 200), box(500 - 16 * n, 240)], -1 if n % 2 else 1
        assert feed(tracker, n / 5, boxes[::order]) == [0, 1][::order]
    assert [len(t) for t in tracker.finish()] == [26, 26]


def test_an_occluded_object_comes_back_as_itself():
    tracker = Tracker()
    for n in range(20):
        seen = [] if 8 <= n < 13 else [box(100 + 20 * n, 200)]
        assert feed(tracker, n / 5, seen) == [0] * len(seen)


def test_a_longer_gap_than_max_gap_begins_a_new_track():
    tracker = Tracker(max_gap=1.0)
    assert feed(tracker, 0.0, [box(100, 100)]) == [0]
    assert feed(tracker, 1.0, [box(100, 100)]) == [0]
    assert feed(tracker, 2.1, [box(100, 100)]) == [1]


def test_a_doubtful_detection_continues_a_track_but_begins_none():
    tracker = Tracker(high_score=0.5)
    assert feed(tracker, 0.0, [box(100, 100), box(300, 100)], [0.9, 0.3]) == [0, -1]
    assert feed(tracker, 0.2, [box(102, 100), box(300, 100)], [0.2, 0.3]) == [0, -1]


def test_a_confident_detection_is_preferred_to_a_doubtful_one():
    tracker = Tracker(high_score=0.5)
    feed(tracker, 0.0, [box(100, 100)])
    assert feed(tracker, 0.2, [box(100, 100), box(108, 100)], [0.3, 0.8]) == [-1, 0]


def test_an_object_that_leaves_its_own_box_between_detections_is_tracked():
    tracker = Tracker()
    assert [feed(tracker, n / 5, [box(100 + 45 * n, 100)]) for n in range(5)] == [[0]] * 5


def test_a_cut_ends_all_tracks():
    tracker = Tracker()
    feed(tracker, 0.0, [box(100, 100)])
    tracker.end_all()
    assert feed(tracker, 0.2, [box(100, 100)]) == [1]


def test_labels_part_objects_that_lie_over_each_other():
    tracker = Tracker()
    for n in range(5):
        boxes, order = [box(100 + 5 * n, 100), box(103 + 5 * n, 104)], -1 if n % 2 else 1
        assert feed(tracker, n / 5, boxes[::order], labels=[3, 7][::order]) == [0, 1][::order]


def test_a_label_that_slips_once_is_outvoted():
    tracker = Tracker()
    for n, label in enumerate([2, 7, 2]):
        feed(tracker, n / 5, [box(100, 100)], labels=[label])
    (tracklet,) = tracker.finish()
    assert tracklet.label == 2


def test_labels_can_be_held_apart_strictly():
    tracker = Tracker(other_label=0)
    feed(tracker, 0.0, [box(100, 100)], labels=[1])
    assert feed(tracker, 0.2, [box(100, 100)], labels=[2]) == [1]


def test_score_is_that_of_the_better_half():
    tracker = Tracker()
    for n, score in enumerate([0.8, 0.2, 0.6, 0.2]):
        feed(tracker, n / 5, [box(100, 100)], [score])
    assert tracker.finish()[0].score == pytest.approx(0.7)


def test_there_is_a_box_at_every_frame_and_none_outside():
    tracker, frames = Tracker(), np.arange(0, 4, 0.04)
    for time in np.arange(1, 3.01, 0.25):
        feed(tracker, time, [box(100 + 60 * time, 100)])
    boxes = tracker.finish()[0].interpolate(frames, (1000, 1000))
    assert boxes[:, 0].tolist() == frames[(frames >= 1) & (frames <= 3)].tolist()
    truth = np.array([box(100 + 60 * time, 100) for time in boxes[:, 0]])
    assert np.diag(iou(boxes[:, 1:5], truth)).min() > 0.9
    assert np.all(boxes[:, 5] == 0.9)


def test_uneven_frame_times_are_kept_as_they_are():
    tracker = Tracker()
    for time in (0.0, 0.3, 0.35, 1.0):
        feed(tracker, time, [box(100 + 60 * time, 100)])
    frames = np.array([-0.2, 0.0, 0.11, 0.3, 0.36, 0.99, 1.0, 1.2])
    boxes = tracker.finish()[0].interpolate(frames, (1000, 1000))
    assert boxes[:, 0].tolist() == frames[1:-1].tolist()
    assert np.abs(boxes[:, [1, 3]].mean(axis=1) - (100 + 60 * boxes[:, 0])).max() < 3


def test_a_single_detection_stays_where_it_was():
    tracker = Tracker()
    feed(tracker, 0.5, [box(100, 100)])
    assert tracker.finish()[0].interpolate(np.array([0.4, 0.5, 0.6]), (1000, 1000)).tolist() == [
        [0.5, *box(100, 100), 0.9]
    ]


def test_a_frame_that_is_not_later_is_ignored():
    tracker = Tracker()
    assert feed(tracker, 1.0, [box(100, 100)]) == [0]
    assert feed(tracker, 1.0, [box(101, 100)]) == [-1]
    assert feed(tracker, 0.9, [box(101, 100)]) == [-1]
    assert feed(tracker, 1.1, []) == []


def test_ended_tracks_are_given_once():
    tracker = Tracker(max_gap=0.5)
    feed(tracker, 0.0, [box(100, 100)])
    assert tracker.pop_finished() == []
    feed(tracker, 1.0, [box(300, 100)])
    assert [t.id for t in tracker.pop_finished()] == [0]
    assert [t.id for t in tracker.finish()] == [1]


def test_a_track_is_expected_where_its_motion_leads():
    tracker = Tracker()
    for n in range(10):
        feed(tracker, n / 5, [box(100 + 10 * n, 100)])
    assert np.allclose(tracker.predict(2.0), [box(200, 100)], atol=2)
    assert Tracker().predict(0.0).shape == (0, 4)


def test_a_track_is_parted_at_cuts_between_its_detections():
    tracker = Tracker()
    for n in range(6):
        feed(tracker, n / 5, [box(100, 100)])
    (tracklet,) = tracker.finish()
    assert [p.detections[:, 0].tolist() for p in tracklet.split([-1.0, 0.3, 0.6, 0.61, 0.65, 5.0])] == [
        [0.0, 0.2],
        [0.4],
        [0.6],
        [0.8, 1.0],
    ]
    assert len(tracklet.split([])) == 1


def test_only_hard_cuts_of_the_shots_count():
    kinds = [None, "cut", "gradual", "cut"]
    events = [
        Event("shots", n, n + 1, "shot", extra={"transition": kind} if kind else {}) for n, kind in enumerate(kinds)
    ]
    assert hard_cuts(Timeline(events=[*events, Event("scenes", 9, 10, "beach")])) == [1, 3]


@pytest.mark.slow
@given(
    gaps=st.lists(st.floats(0.02, 0.6), min_size=1, max_size=12),
    speed=st.tuples(st.floats(-60, 60), st.floats(-60, 60)),
    noise=st.integers(0, 1000),
)
def test_the_curve_passes_near_its_detections(gaps, speed, noise):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    jitter = np.random.default_rng(noise).normal(0, 1.5, (len(times), 2))
    boxes = np.array(
        [box(500 + speed[0] * t + x, 500 + speed[1] * t + y) for t, (x, y) in zip(times, jitter, strict=True)]
    )
    tracker = Tracker()
    for time, seen in zip(times, boxes, strict=True):
        assert feed(tracker, float(time), [seen]) == [0]
    curve = tracker.finish()[0].interpolate(times, (1000, 1000))
    assert np.array_equal(curve[:, 0], times)
    assert np.diag(iou(curve[:, 1:5], boxes)).min() > 0.7
