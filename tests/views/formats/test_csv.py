import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings

from kinoscope.core.results import Event, Track
from kinoscope.views.formats.csv import write
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines


def _read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@settings(max_examples=40)
@given(timelines())
def test_every_row_comes_back(tmp_path_factory, timeline):
    folder = tmp_path_factory.getbasetemp() / "any-csv"
    write(timeline, folder)
    events, boxes = _read(folder / "events.csv"), _read(folder / "tracks.csv")
    assert [(float(row["start"]), float(row["end"]), float(row["score"])) for row in events] == [
        (event.start, event.end, event.score) for event in timeline.all_events
    ]
    found = [[float(row[key]) for key in ("id", "time", "x1", "y1", "x2", "y2")] for row in boxes]
    assert found == [[track.id, *box[:5]] for track in timeline.all_tracks for box in track.boxes.tolist()]


@settings(max_examples=40)
@given(timelines())
def test_no_text_is_run_as_a_formula(tmp_path_factory, timeline):
    folder = tmp_path_factory.getbasetemp() / "formula-csv"
    write(timeline, folder)
    for row in _read(folder / "events.csv") + _read(folder / "tracks.csv"):
        texts = [row.get(key) or "" for key in ("task", "label", "text", "identity", "extra")]
        assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text in texts)


@pytest.mark.parametrize("label", ["=HYPERLINK(0)", "+1", "-1", "@a", "\tx", "\rx"])
def test_a_formula_gets_an_apostrophe(tmp_path, label):
    write(Timeline(events=[Event("scenes", -1.5, 1, label)]), tmp_path)
    row = _read(tmp_path / "events.csv")[0]
    assert row["label"] == f"'{label}"
    assert row["start"] == "-1.5"


def test_the_columns_and_what_is_not_known(golden, tmp_path):
    write(golden, tmp_path)
    events, boxes = _read(tmp_path / "events.csv"), _read(tmp_path / "tracks.csv")
    assert list(events[0]) == ["task", "start", "end", "label", "score", "text", "extra"]
    assert json.loads(events[3]["extra"])["words"][0] == [11.0, 11.05, "I", 0.8]
    assert boxes[0]["identity"] == "Zoë 你好"
    assert json.loads(boxes[-1]["extra"]) == {"note": {"kept": [1, None]}}


def test_an_empty_timeline_has_a_head_only(tmp_path):
    write(Timeline(), tmp_path)
    assert _read(tmp_path / "events.csv") == _read(tmp_path / "tracks.csv") == []
    assert (tmp_path / "tracks.csv").read_text().startswith("task,id,label,identity,time,x1,y1,x2,y2,score,extra")


def test_a_trajectory_is_a_row(tmp_path):
    walk = np.array([[t / 2, 10.0 * t, 0, 10.0 * t + 20, 40, 0.8] for t in range(5)])
    tracks = [Track(3, "objects", "=person", 0.8, walk), Track(4, "objects", "car", 0.5, walk[:0])]
    write(Timeline(tracks=tracks), tmp_path)
    (row,) = _read(tmp_path / "trajectories.csv")
    assert (row["id"], row["label"], row["start"], row["end"], row["seconds"]) == ("3", "'=person", "0.0", "2.0", "2.0")
    assert (row["length"], row["speed"], row["heights_per_second"]) == ("40.0", "20.0", "0.5")
    assert json.loads(row["path"]) == [[0, 10, 40], [2, 50, 40]]
