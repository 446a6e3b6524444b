import json
import math

import numpy as np
import pytest
from sample_timeline import sample

from kinoscope.core.results import Event, TaskReport, Timeline, Track
from kinoscope.views.report_data import display_name, report_data, video_url


def unpack(track):
    """Give times and boxes as the page does."""
    return np.cumsum(track["times"]) / 1000, np.reshape(track["boxes"], (-1, 4)) / 10


def test_boxes_stay_within_a_pixel_of_those_found(half_minute):
    told = report_data(half_minute, None)["tracks"]
    assert len(told) == len(half_minute.tracks)
    for track, plain in zip(half_minute.tracks, told, strict=True):
        times, boxes = unpack(plain)
        for i in range(4):
            found = np.interp(track.boxes[:, 0], times, boxes[:, i])
            # a stamp is rounded to the millisecond, in which nothing here moves as far as half a pixel
            assert np.abs(found - track.boxes[:, 1 + i]).max() < 1.5


def test_many_boxes_are_left_out(half_minute):
    told = sum(len(track["times"]) for track in report_data(half_minute, None)["tracks"])
    assert told < sum(len(track.boxes) for track in half_minute.tracks) / 4


def test_times_count_from_the_start_of_the_source():
    at_zero, later = (report_data(sample(0.2, start=start), None) for start in (0.0, 20.0))
    assert later["duration"] == pytest.approx(at_zero["duration"], abs=0.01)
    assert [e["start"] for e in later["events"]] == pytest.approx([e["start"] for e in at_zero["events"]], abs=0.002)
    assert later["tracks"][0]["times"][0] == pytest.approx(at_zero["tracks"][0]["times"][0], abs=2)
    assert later["curve"][0][0] == pytest.approx(0)
    words = [w for e in later["events"] for w in e.get("words", [])]
    assert words[0][0] == pytest.approx(0.5)


def test_words_and_scene_labels_are_told():
    events = [
        Event(
            "speech", 1, 2, "speech", text="hello you", extra={"words": [[1, 1.4, "hello", 0.9], [1.5, 2, "you", 0.8]]}
        ),
        Event("scenes", 0, 3, "street", extra={"top": [["street", 0.5], ["kitchen", 0.25]]}),
    ]
    speech, scene = report_data(Timeline(events=events), None)["events"]
    assert speech["words"] == [[1, 1.4, "hello"], [1.5, 2, "you"]]
    assert scene["top"] == [["street", 0.5], ["kitchen", 0.25]]


def test_numbers_that_json_cannot_hold_become_plain():
    boxes = [[0, math.nan, 0, math.inf, 10, 1], [1, 5, 0, 15, 10, 1]]
    timeline = Timeline(
        source={"path": "a.mp4", "odd": math.nan},
        tasks={"objects": TaskReport(seconds=math.inf)},
        events=[Event("actions", 0, 1, "fight", math.nan)],
        tracks=[Track(1, "objects", "car", math.nan, boxes), Track(2, "objects", "car", 1, [])],
        features={"actions.times": np.array([0.5]), "actions.scores": np.array([np.nan])},
    )
    told = report_data(timeline, None)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["source"] == {"odd": None}
    assert [track["id"] for track in told["tracks"]] == [1]


def test_the_score_curve_takes_the_last_column():
    features = {"actions.times": np.array([1.0, 2.0]), "actions.scores": np.array([[0.9, 0.1], [0.25, 0.75]])}
    assert report_data(Timeline(features=features), None)["curve"] == [[1, 0.1], [2, 0.75]]


def test_the_folder_is_not_told(half_minute):
    timeline = Timeline(source={"path": "/home/me/secret/a.mp4", "width": 4})
    assert "secret" not in json.dumps(report_data(timeline, None))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/videos/a b.mp4", "a b.mp4"),
        ("rtsp://user:pass@camera.local:554/", "camera.local"),
        ("https://example.org/films/one.mp4?token=1", "one.mp4"),
        ("cam\udcffera.mp4", "cam?era.mp4"),
        (None, "video"),
    ],
)
def test_display_name(path, name):
    assert display_name({"path": path}) == name


@pytest.mark.parametrize(
    ("video", "url"),
    [
        ("bikes.mp4", "bikes.mp4"),
        ("../my films/a#1?.mp4", "../my%20films/a%231%3F.mp4"),
        ("javascript:alert(1).mp4", "javascript%3Aalert%281%29.mp4"),
        ("100%.mp4", "100%25.mp4"),
        ("é.mp4", "%C3%A9.mp4"),
        ("a\udcff.mp4", "a%FF.mp4"),
        ("https://example.org/a.mp4?x=1", "https://example.org/a.mp4?x=1"),
    ],
)
def test_video_url(video, url):
    assert video_url(video) == url
