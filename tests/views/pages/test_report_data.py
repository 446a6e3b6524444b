import base64
import json
import math

import numpy as np
import pytest

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.pages.report_data import display_name, report_data, video_url
from kinoscope.views.timeline import Timeline
from tests.helpers.sync_timelines import LAGS, offset, synced, unmeasured
from tests.helpers.timelines import sample


def unpack(track):
    """Return times and boxes as the page does."""
    return np.cumsum(track["times"]) / 1000, np.reshape(track["boxes"], (-1, 4)) / 10


def test_boxes_stay_within_a_pixel_of_those_found(half_minute):
    data = report_data(half_minute, None)["tracks"]
    assert len(data) == len(half_minute.all_tracks)
    for track, plain in zip(half_minute.all_tracks, data, strict=True):
        times, boxes = unpack(plain)
        for i in range(4):
            found = np.interp(track.boxes[:, 0], times, boxes[:, i])
            # a stamp is rounded to the millisecond, in which nothing here moves as far as half a pixel
            assert np.abs(found - track.boxes[:, 1 + i]).max() < 1.5


def test_many_boxes_are_left_out(half_minute):
    data = sum(len(track["times"]) for track in report_data(half_minute, None)["tracks"])
    assert data < sum(len(track.boxes) for track in half_minute.all_tracks) / 4


def test_times_count_from_the_start_of_the_source():
    at_zero, later = (report_data(sample(0.2, start=start), None) for start in (0.0, 20.0))
    assert later["duration"] == pytest.approx(at_zero["duration"], abs=0.01)
    assert [e["start"] for e in later["events"]] == pytest.approx([e["start"] for e in at_zero["events"]], abs=0.002)
    assert later["tracks"][0]["times"][0] == pytest.approx(at_zero["tracks"][0]["times"][0], abs=2)
    assert later["curve"][0][0] == pytest.approx(0)
    words = [w for e in later["events"] for w in e.get("words", [])]
    assert words[0][0] == pytest.approx(0.5)


def test_words_and_scene_labels_are_in_the_data():
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
    boxes = np.array([[0, math.nan, 0, math.inf, 10, 1], [1, 5, 0, 15, 10, 1]])
    timeline = Timeline(
        source={"path": "a.mp4", "odd": math.nan},
        tasks={"objects": TaskReport(seconds=math.inf)},
        events=[Event("actions", 0, 1, "fight", math.nan)],
        tracks=[Track(1, "objects", "car", math.nan, boxes), Track(2, "objects", "car", 1, boxes[:0])],
        features={"actions.times": np.array([0.5]), "actions.scores": np.array([np.nan])},
    )
    data = report_data(timeline, None)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["source"] == {"odd": None}
    assert [track["id"] for track in data["tracks"]] == [1]


def test_the_score_curve_takes_the_last_column():
    features = {"actions.times": np.array([1.0, 2.0]), "actions.scores": np.array([[0.9, 0.1], [0.25, 0.75]])}
    assert report_data(Timeline(features=features), None)["curve"] == [[1, 0.1], [2, 0.75]]


def test_synchronization_is_on_the_players_clock():
    data = report_data(synced(start=20.0), None)
    assert [(event["speaker"], event["track"]) for event in data["events"] if "speaker" in event] == [
        ("face 1", 1),
        ("Anna", 2),
        ("face 1", 3),
    ]
    sync = data["sync"]
    assert sync["speakers"] == [["face 1", 3.5], ["Anna", 2.0]]
    assert sync["times"] == pytest.approx(1 + 0.6 * np.arange(20))
    assert (sync["width"], sync["offsets"], sync["lags"]) == (0.6, [120] * 20, [-1, 1, 101])
    curves = np.frombuffer(base64.b64decode(sync["curves"]), np.uint8).reshape(20, 101)
    assert (curves[:, 56] == 255).all()
    assert (curves[:, 20] == 0).all()


def test_a_verdict_has_the_line_to_draw():
    drift = offset(0, 10, 0.12, drift=0.01, drift_low=0.008, drift_high=0.012, at_start=0.07, at_end=0.17)
    steady, sloping = (report_data(synced(event), None)["sync"]["verdicts"] for event in (offset(0, 9, 0.12), drift))
    line = ("start", "end", "from", "to", "below", "above")
    assert [steady[0][key] for key in line] == [0, 9, 0.12, 0.12, 0.04, 0.04]
    assert [sloping[0][key] for key in line] == [0, 10, 0.07, 0.17, 0.04, 0.04]
    assert steady[0]["text"] == "audio is 120 ms late"
    assert "confidence 98 %" in steady[0]["detail"]


def test_a_long_transcript_stays_small():
    data = report_data(synced(count=20_000), None)["sync"]
    assert len(data["times"]) <= 600
    assert len(json.dumps(data)) < 110_000


def test_what_was_not_measured_has_its_reason():
    data = report_data(unmeasured(), None)["sync"]
    assert (data["verdicts"], data["reason"], data["curves"]) == ([], "the audio is silent", "")
    assert data["lags"] == [-1, 1, len(LAGS) // 2 + 1]
    assert report_data(Timeline(), None)["sync"] is None


def test_the_folder_is_not_in_the_data(half_minute):
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
