from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.errors import TimelineError
from kinoscope.core.media import SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track, describe_source


def timeline() -> Timeline:
    made = Timeline(source={"path": "a.mp4"}, version="0.1.0")
    track = Track(3, "objects", "person", 0.8, np.array([[0.0, 0, 0, 10, 20, 0.9], [1.0, 10, 0, 20, 20, 0.7]]))
    made.add("objects", TaskResult(tracks=[track], report=TaskReport(model="nanodet", frames=2, seconds=1.5)))
    events = [Event("shots", 4, 9, "shot"), Event("shots", 0, 4, "shot", extra={"transition": "cut"})]
    made.add("shots", TaskResult(events=events, images={"shots-0": b"x"}, features={"shots.scores": np.ones(3)}))
    return made


def test_a_timeline_reads_back_from_its_plain_form() -> None:
    plain = timeline().to_dict()
    assert Timeline.from_dict(plain).to_dict() == plain
    assert [e["start"] for e in plain["events"]] == [0, 4]
    assert plain["tracks"][0]["boxes"][1] == [1.0, 10.0, 0.0, 20.0, 20.0, 0.7]


def test_keys_of_others_are_kept() -> None:
    plain = timeline().to_dict()
    plain["camera"] = "gate"
    plain["events"][0]["colour"] = "red"
    plain["tasks"]["objects"]["watts"] = 3
    again = Timeline.from_dict(plain)
    assert again.to_dict() == plain
    assert again.events[0].extra == {"transition": "cut", "colour": "red"}


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(TimelineError, match=r"schema 2 is newer than 1.*update kinoscope"):
        Timeline.from_dict(timeline().to_dict() | {"schema": 2})


@pytest.mark.parametrize(
    "plain",
    [
        [],
        {},
        {"schema": "1"},
        {"schema": 1},
        {"schema": 1, "source": {}, "decode": {}, "tasks": [], "events": [], "tracks": []},
    ],
)
def test_what_is_no_timeline_is_refused(plain: object) -> None:
    with pytest.raises(TimelineError):
        Timeline.from_dict(plain)  # type: ignore[arg-type]


def test_an_event_cannot_end_before_it_starts() -> None:
    with pytest.raises(TimelineError, match="ends at 1 before its start 2"):
        Event("speech", 2, 1, "speech")


def test_boxes_go_forward_in_time() -> None:
    with pytest.raises(TimelineError, match="not in time order"):
        Track(1, "objects", "car", 1, np.array([[1.0, 0, 0, 1, 1, 1], [0.5, 0, 0, 1, 1, 1]]))


def test_a_box_between_two_frames_is_interpolated() -> None:
    track = timeline().tracks[0]
    assert track.box_at(0.5).tolist() == [5, 0, 15, 20, pytest.approx(0.8)]
    assert track.box_at(1.01) is None


def test_running_a_task_again_replaces_its_result() -> None:
    made = timeline()
    made.add("shots", TaskResult(events=[Event("shots", 0, 9, "shot")]))
    assert [(e.start, e.end) for e in made.events_of("shots")] == [(0, 9)]
    assert (made.images, made.features) == ({}, {})
    assert len(made.tracks_of("objects")) == 1


def test_a_timeline_is_ok_when_all_tasks_are_and_reading_went_to_the_end() -> None:
    made = timeline()
    made.tasks["speech"] = TaskReport("skipped", reason="no sound")
    assert made.ok
    made.decode.complete = False
    assert not made.ok
    made.decode.complete = True
    made.tasks["faces"] = TaskReport("failed", reason="x")
    assert not made.ok


def test_only_the_first_failures_are_reported_but_all_are_counted() -> None:
    decode = timeline().decode
    for number in range(25):
        decode.record_failure(f"packet {number}")
    assert (decode.failures, len(decode.errors)) == (25, 10)


def test_a_source_is_described_exactly() -> None:
    info = SourceInfo("a.mp4", 640, 272, Fraction(24000, 1001), duration=Fraction(1001, 100))
    plain = describe_source(info)
    assert (plain["rate"], plain["duration"], plain["width"]) == ("24000/1001", 10.01, 640)
    assert "codec" not in plain
