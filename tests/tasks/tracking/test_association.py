import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.tasks.tracking.association import STRATEGIES, direction_consistency, get_strategy
from kinoscope.tasks.tracking.tracker import Tracker


def box(x, y, w=40, h=80):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def feed(tracker, time, boxes, scores=None, looks=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    return tracker.update(time, boxes, np.array(scores or [0.9] * len(boxes)), appearance=looks).tolist()


@pytest.mark.parametrize("way", STRATEGIES.values(), ids=STRATEGIES)
def test_every_strategy_tracks_two_that_cross(way):
    tracker = Tracker(strategy=way)
    for n in range(26):
        boxes, order = [box(100 + 16 * n, 200), box(500 - 16 * n, 240)], -1 if n % 2 else 1
        assert feed(tracker, n / 5, boxes[::order]) == [0, 1][::order]


@pytest.mark.parametrize("way", STRATEGIES.values(), ids=STRATEGIES)
def test_every_strategy_returns_each_detection_and_each_track_once(way):
    rng, tracker = np.random.default_rng(0), Tracker(strategy=way)
    for n in range(40):
        boxes = [box(*rng.uniform(0, 200, 2)) for _ in range(rng.integers(0, 8))]
        ids = feed(tracker, n / 5, boxes, rng.uniform(0.1, 1, len(boxes)).tolist())
        taken = [i for i in ids if i >= 0]
        assert len(set(taken)) == len(taken)


def test_sort_alone_leaves_doubtful_detections():
    for name, expected in (("sort", [-1]), ("bytetrack", [0]), ("ocsort", [0]), ("buffered", [0])):
        tracker = Tracker(strategy=STRATEGIES[name])
        feed(tracker, 0.0, [box(100, 100)])
        assert feed(tracker, 0.2, [box(101, 100)], [0.2]) == expected


def test_buffered_alone_tracks_what_leaves_its_own_box():
    for name, expected in (("sort", [1]), ("bytetrack", [1]), ("ocsort", [1]), ("buffered", [0])):
        tracker = Tracker(strategy=STRATEGIES[name])
        feed(tracker, 0.0, [box(100, 100)])
        assert feed(tracker, 0.2, [box(150, 100)]) == expected


def test_ocsort_finds_again_what_stopped_out_of_sight():
    for name, expected in (("bytetrack", [1]), ("ocsort", [0])):
        tracker = Tracker(strategy=STRATEGIES[name])
        for n in range(8):
            feed(tracker, n / 10, [box(100 + 15 * n, 100)])
        assert feed(tracker, 1.3, [box(210, 100)]) == expected


def test_direction_is_one_ahead_and_minus_one_back():
    tracker = Tracker()
    for n in range(4):
        feed(tracker, n / 10, [box(100 + 10 * n, 100)])
    there = np.array([box(150, 100), box(130, 120), box(110, 100)], float)
    scene = tracker._association_input(0.4, there, np.array([1.0, 1.0, 0.5]), np.zeros(3, np.int64), None)
    assert direction_consistency(scene)[:, 0] == pytest.approx([1.0, 0.0, -0.5])


def test_appearance_decides_between_two_at_one_position():
    red, blue = np.eye(2)
    tracker = Tracker()
    feed(tracker, 0.0, [box(100, 100), box(130, 100)], looks=np.array([red, blue]))
    # They changed places: by place alone each would be taken for the other.
    assert feed(tracker, 0.2, [box(106, 100), box(124, 100)], looks=np.array([blue, red])) == [1, 0]


def test_without_appearance_position_decides():
    tracker = Tracker()
    feed(tracker, 0.0, [box(100, 100), box(130, 100)])
    assert feed(tracker, 0.2, [box(106, 100), box(124, 100)]) == [0, 1]


def test_tracks_go_along_with_the_camera():
    tracker, pan = Tracker(strategy=STRATEGIES["sort"]), np.array([[1.0, 0, 200], [0, 1, 30]])
    for n in range(4):
        feed(tracker, n / 10, [box(100 + 5 * n, 100)])
    tracker.warp(pan)
    assert tracker.predict(0.4) == pytest.approx(np.array([box(320, 130)]), abs=4)
    assert feed(tracker, 0.4, [box(320, 130)]) == [0]


def test_a_zoom_of_the_camera_scales_boxes_and_speeds():
    tracker = Tracker()
    for n in range(20):
        feed(tracker, n / 10, [box(100 + 5 * n, 100)])
    still = tracker.live[0].motion
    tracker.warp(np.array([[2.0, 0, 0], [0, 2, 0]]))
    assert np.allclose(tracker.live[0].motion.state, 2 * still.state)
    assert np.allclose(tracker.live[0].recent[-1], 2 * np.array(box(195, 100)))


def test_an_unknown_strategy_is_named():
    with pytest.raises(OptionError, match="there is no tracker 'deep'; choose from sort, bytetrack, ocsort, buffered"):
        get_strategy("deep")
