"""Detecting on the command line, with coloured shapes for things."""

import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import kinoscope as package
from kinoscope.core.detections import Detections as Found
from kinoscope.core.errors import OptionError
from kinoscope.core.results import DecodeReport, TaskReport
from kinoscope.source.synthetic.video import SHAPE_COLOURS, shapes
from kinoscope.tasks.options import ObjectsOptions
from kinoscope.views.timeline import Timeline

LABELS = ("person", "car", "dog")


class ColourDetector:
    """Finds red, green and blue, and calls them person, car and dog."""

    card = SimpleNamespace(name="colours", licence="MIT", labels=LABELS)
    runner = SimpleNamespace(card=card, runtime="fake")

    def __init__(self, *_):
        pass

    def input_size(self, shown):
        return shown

    def __call__(self, frames, shown):
        rows = []
        for number, colour in enumerate(list(SHAPE_COLOURS.values())[:3]):
            y, x = np.nonzero(np.abs(frames[0].astype(int) - colour).max(axis=2) < 60)
            if len(x) > 50:
                rows.append([x.min(), y.min(), x.max() + 1, y.max() + 1, number])
        table = np.array(rows, np.float64).reshape(-1, 5)
        return [Found(table[:, :4], np.full(len(table), 0.9), table[:, 4].astype(np.int64))]


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.detector.ObjectDetector", ColourDetector)


@pytest.fixture
def video(tmp_path):
    return shapes(duration=3, rate=10, count=2, width=320, height=240).write(tmp_path / "v.mp4")


@pytest.mark.slow
def test_tracks_and_counts_are_reported(kinoscope, video):
    call = kinoscope("detect", video, "--json")
    assert (call.status, call.err) == (0, "")
    (result,) = json.loads(call.out)["detect"]
    person, car = result["tracks"]
    assert (person["label"], car["label"]) == ("person", "car")
    assert person["start"] == 0
    assert person["seconds"] == pytest.approx(person["end"])
    assert person["speed"] == pytest.approx(person["length"] / person["seconds"], rel=0.01)
    assert [row["time"] for row in result["counts"]["car"]] == [0.5, 1.5, 2.5]
    assert [row["count"] for row in result["counts"]["person"]] == [1, 1, 1]


def test_it_is_shown_as_tables(kinoscope, video):
    call = kinoscope("detect", video, "--labels", "car")
    assert call.status == 0
    assert "car" in call.out
    assert "person" not in call.out
    assert "1 (1–1)" in call.out
    assert "px/s" in call.out


def test_files_are_written_where_asked(kinoscope, video, tmp_path):
    out = tmp_path / "out"
    call = kinoscope("detect", video, "-o", out, "--annotate", "--tracker", "ocsort", "--looks", "colours", "--camera")
    assert call.status == 0, call.err
    names = {path.name for path in out.iterdir()}
    assert {"timeline.json", "detections.json", "tracks.csv", "trajectories.csv", "annotated.mp4"} <= names
    assert all(f"  {out / name}" in call.out for name in ("detections.json", "annotated.mp4"))
    rows = list(csv.DictReader((out / "trajectories.csv").read_text(encoding="utf-8").splitlines()))
    assert "person" in [row["label"] for row in rows]
    assert json.loads((out / "timeline.json").read_text())["tasks"]["objects"]["tracker"] == "ocsort"


def test_an_image_yields_boxes(kinoscope, tmp_path):
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:60, 30:80] = next(iter(SHAPE_COLOURS.values()))[::-1]
    cv2.imwrite(str(tmp_path / "p.png"), image)
    (result,) = json.loads(kinoscope("detect", tmp_path / "p.png", "--json").out)["detect"]
    assert result["objects"] == [{"id": 1, "label": "person", "score": 0.9, "box": [30, 20, 80, 60]}]
    assert "30, 20, 80, 60" in kinoscope("detect", tmp_path / "p.png").out


def test_nothing_found_is_said(kinoscope, tmp_path):
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((100, 200, 3), np.uint8))
    assert "no detections" in kinoscope("detect", tmp_path / "p.png").out


def test_one_that_cannot_be_read_never_stops_the_others(kinoscope, video, tmp_path):
    call = kinoscope("detect", tmp_path / "none.mp4", video)
    assert call.status == 2
    assert "none.mp4" in call.err
    assert "person" in call.out


def test_a_task_that_fails_is_an_error(kinoscope, video, monkeypatch):
    monkeypatch.setattr(ColourDetector, "input_size", lambda *_: 1 / 0)
    call = kinoscope("detect", video)
    assert call.status == 2
    assert call.err == f"kinoscope: {video}: ZeroDivisionError: division by zero\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ("persn",)}, "there is no label 'persn'; did you mean person?"),
        ({"tracker": "deep"}, "tracker=deep is unknown; choose from sort, bytetrack, ocsort, buffered"),
        ({"rate": 0.0}, "rate=0 is not possible; give more than 0"),
    ],
)
def test_options_that_cannot_be_used_are_named(options, message):
    with pytest.raises(OptionError, match=message):
        package.detect("x.mp4", objects=ObjectsOptions(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": -1.0}, "every -1 is not possible"),
        ({"annotate": True}, "annotate writes a video; give its folder with -o FOLDER"),
    ],
)
def test_other_options_that_cannot_be_used_are_named(options, message):
    with pytest.raises(OptionError, match=message):
        package.detect("x.mp4", **options)


def test_analyze_takes_a_tracker(kinoscope, video, tmp_path):
    out = tmp_path / "out"
    call = kinoscope("analyze", video, "--tasks", "objects", "--tracker", "sort", "-o", out, "--no-report")
    assert call.status == 0
    assert json.loads((out / "timeline.json").read_text())["tasks"]["objects"]["tracker"] == "sort"
    assert "choose from" in kinoscope("analyze", video, "--tracker", "deep").err


def test_an_interruption_ends_it_all(video, monkeypatch):
    decode = DecodeReport(complete=False, interrupted=True)
    stopped = Timeline(decode=decode, tasks={"objects": TaskReport("interrupted")})
    monkeypatch.setattr("kinoscope.pipeline.detection.analyze_in_memory", lambda *_: stopped)
    assert [one.status for one in package.detect([video, video], quiet=True)] == [1]


def test_frames_in_memory_are_read_as_a_file_is(video):
    frames = [item.pixels for item in package.Video(video)]
    of_file, of_list = package.detect(video), package.detect(package.Video.from_frames(frames, rate=10))
    assert of_list.to_dict() == of_file.to_dict() | {"source": "frames"}
    of_generator = package.detect(package.Video.from_frames(iter(frames), rate=10))
    assert of_generator.to_dict() == of_list.to_dict()
    (one, two) = package.detect([np.stack(frames), package.Video(video, start=1, end=2)])
    assert (one.source, two.source) == ("frames", str(video))
    assert two.timeline.times.tolist() == [1 + i / 10 for i in range(10)]


def test_results_of_an_array_can_be_rendered_and_resumed(video, tmp_path):
    array = package.Video(video).read().pixels
    first = package.detect(array, out=tmp_path / "out", annotate=True)
    assert (first.error, tmp_path / "out" / "annotated.mp4" in first.written) == (None, True)
    assert package.detect(array.copy(), out=tmp_path / "out").error is None
    other = array.copy()
    other[0, 0, 0, 0] ^= 1
    refused = package.detect(other, out=tmp_path / "out")
    assert "is a result of another `detect frames`, of another file or with other options" in str(refused.error)


def test_a_generator_is_not_rendered(video, tmp_path):
    seen = []

    def generate():
        for frame in package.Video(video):
            seen.append(frame.index)
            yield frame.pixels

    frames = generate()
    with pytest.raises(OptionError, match="annotate reads a source twice, and frames can be read only once"):
        package.detect(frames, out=tmp_path / "out", annotate=True)
    assert (seen, (tmp_path / "out").exists()) == ([0], False)
    result = package.detect(frames, out=tmp_path / "out")
    assert (result.error, len(result.tracks)) == (None, 2)


def test_one_frame_is_an_image(video):
    frame = package.Video(video).at(1)
    result = package.detect(frame.pixels)
    assert [row["label"] for row in result.to_dict()["objects"]] == ["person", "car"]
