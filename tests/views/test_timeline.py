import json
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import OptionError, SourceError, TimelineError
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.results.analysis import Analysis
from kinoscope.views.timeline import Timeline


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
    assert again.all_events[0].extra == {"transition": "cut", "colour": "red"}


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


def test_running_a_task_again_replaces_its_result() -> None:
    made = timeline()
    made.add("shots", TaskResult(events=[Event("shots", 0, 9, "shot")]))
    assert [(e.start, e.end) for e in made.events("shots")] == [(0, 9)]
    assert (made.images, made.features) == ({}, {})
    assert len(made.tracks("objects")) == 1


def test_a_timeline_is_ok_when_all_tasks_are_and_reading_went_to_the_end() -> None:
    made = timeline()
    made.tasks["speech"] = TaskReport("skipped", reason="no sound")
    assert made.ok
    made.decode.complete = False
    assert not made.ok
    made.decode.complete = True
    made.tasks["faces"] = TaskReport("failed", reason="x")
    assert not made.ok


def test_events_and_tracks_are_selected_by_task_and_label() -> None:
    made = timeline()
    assert [(e.task, e.start) for e in made.events()] == [("shots", 0), ("shots", 4)]
    assert (len(made.events("shots", "shot")), made.events("shots", "scene"), made.events("speech")) == (2, [], [])
    assert [t.id for t in made.tracks("objects")] == [t.id for t in made.tracks(label="person")] == [3]


def test_a_timeline_is_saved_and_loaded(tmp_path: Path) -> None:
    assert timeline().save(tmp_path) == tmp_path / "timeline.json"
    again = Timeline.load(tmp_path)
    assert (again.to_dict(), again.images) == (timeline().to_dict(), {"shots-0": b"x"})
    assert again.features["shots.scores"].tolist() == [1, 1, 1]


def test_a_timeline_is_written_in_a_format_by_name(tmp_path: Path) -> None:
    path = timeline().write("coco", tmp_path / "boxes.json")
    assert len(json.loads(path.read_text())["annotations"]) == 2
    with pytest.raises(OptionError, match="there is no format 'cocoa'; did you mean coco"):
        timeline().write("cocoa", tmp_path / "x")


def test_tables_are_data_frames() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    events, boxes, tracks = (timeline().to_pandas(name) for name in ("events", "tracks", "trajectories"))
    assert events[["task", "start", "end"]].values.tolist() == [["shots", 0, 4], ["shots", 4, 9]]
    assert boxes[["id", "time", "x2"]].values.tolist() == [[3, 0, 10], [3, 1, 20]]
    assert tracks[["id", "start", "end"]].values.tolist() == [[3, 0, 1]]
    with pytest.raises(OptionError, match="there is no table 'rows'; known: events, tracks, trajectories"):
        timeline().to_pandas("rows")


def test_a_notebook_shows_the_tasks_and_the_images() -> None:
    made = timeline()
    made.source["path"] = "<script>.mp4"
    page = made._repr_html_()
    assert "&lt;script&gt;.mp4" in page
    assert "<script" not in page
    assert "<td>1 track</td>" in page
    assert "data:image/jpeg;base64,eA==" in page


def test_a_notebook_shows_an_analysis_with_its_files_or_its_error() -> None:
    done = Analysis("a.mp4", Path("out"), timeline=timeline(), written=[Path("out/timeline.json")])
    assert "<td>1 track</td>" in done._repr_html_()
    assert "out/timeline.json" in done._repr_html_()
    failed = Analysis("a.mp4", Path("out"), error=SourceError("a.mp4 is <empty>"))
    assert "a.mp4 is &lt;empty&gt;" in failed._repr_html_()


def test_images_of_a_task_are_not_those_of_another_whose_name_begins_alike() -> None:
    names = {"face": TaskReport(), "face-mask": TaskReport()}
    made = Timeline(tasks=names, images={"face-1": b"a", "face-mask-1": b"b"})
    assert made.result_of("face").images == {"face-1": b"a"}
    made.drop("face")
    assert made.images == {"face-mask-1": b"b"}
