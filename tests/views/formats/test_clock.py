from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.results import Event
from kinoscope.views.formats.clock import duration, frame_numbers, rate, video_name
from kinoscope.views.timeline import Timeline


def test_frames_are_numbered_by_their_own_times():
    varying = Timeline(times=np.array([10.0, 10.04, 10.5, 11.0]))
    assert frame_numbers(varying, np.array([10.0, 10.04, 10.049, 10.4, 11.0, 99.0, 0.0])).tolist() == [
        1,
        2,
        2,
        3,
        4,
        4,
        1,
    ]


def test_one_frame():
    assert frame_numbers(Timeline(times=np.array([3.0])), np.array([0.0, 3.0, 9.0])).tolist() == [1, 1, 1]


def test_without_times_the_rate_counts():
    source = {"rate": "30000/1001", "start": 2.0}
    times = 2.0 + np.arange(5000) * 1001 / 30000
    assert frame_numbers(Timeline(source=source), times).tolist() == list(range(1, 5001))
    assert frame_numbers(Timeline(), np.array([1.0])).tolist() == [26]


@pytest.mark.parametrize(
    ("source", "times", "wanted"),
    [
        ({"rate": "24000/1001"}, [], Fraction(24000, 1001)),
        ({}, [0.0, 0.04, 0.08], Fraction(25)),
        ({"rate": "0"}, [], None),
        ({}, [1.0], None),
    ],
)
def test_the_rate(source, times, wanted):
    assert rate(Timeline(source=source, times=np.array(times))) == wanted


def test_the_duration():
    events = [Event("shots", 1, 7, "shot")]
    assert duration(Timeline(source={"duration": 3.0}, events=events)) == 3.0
    assert duration(Timeline(source={"start": 1.0}, events=events)) == 6.0
    assert duration(Timeline(times=np.array([0.0, 2.0]))) == 2.0
    assert duration(Timeline()) == 0.0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/film.one.mp4", "film.one"),
        ("C:\\videos\\x.mkv", "x"),
        ("rtsp://host/live?token=1", "live"),
        ("camera:0", "camera:0"),
        ("", "video"),
    ],
)
def test_the_name(path, name):
    assert video_name(Timeline(source={"path": path})) == name
