"""Recognition of the people of a gallery, with synthetic people in place of faces."""

import json

import cv2
import numpy as np
import pytest

import kinoscope as ks
from kinoscope.api.enroll import enroll
from kinoscope.galleries import read_gallery
from tests.helpers.people import ANN, BOB, draw

pytestmark = pytest.mark.usefixtures("colour_faces")


@pytest.mark.slow
def test_an_image_is_enrolled_and_recognized_in_a_video(make, kinoscope, tmp_path):
    gallery = tmp_path / "people.gallery"
    call = kinoscope("enroll", gallery, "Ann", make("a.png", ANN))
    assert (call.status, call.out, call.err) == (0, f"{gallery}: Ann got 1 sample of kind face\n", "")
    (sample,) = read_gallery(gallery).samples
    assert (sample.source, sample.kind) == ("a.png", "face")
    portrait = cv2.imdecode(np.frombuffer(sample.portrait, np.uint8), cv2.IMREAD_COLOR)
    assert max(portrait.shape) <= 128
    video = make("v.mkv", (ANN | BOB, 2), (BOB, 1))
    call = kinoscope("recognize", video, "--gallery", gallery, "--json")
    assert call.status == 0, call.err
    (result,) = json.loads(call.out)["recognize"]
    (seen,) = result["seen"]
    assert (seen["name"], seen["start"], seen["known_by"]) == ("Ann", 0, "face")
    assert seen["end"] == pytest.approx(2, abs=0.4)
    assert seen["distance"] < 0.1
    assert seen["score"] > 0.9
    assert [(row["name"], row["nearest"]) for row in result["strangers"]] == [("person 2", "Ann")]
    call = kinoscope("recognize", video, "--gallery", gallery)
    assert "Ann" in call.out
    assert "unknown (person 2)" in call.out


def test_analyze_names_people_of_a_gallery(make, kinoscope, tmp_path):
    gallery, out = tmp_path / "g", tmp_path / "out"
    enroll(gallery, "Ann", make("a.png", ANN))
    video = make("v.mkv", (ANN | BOB, 2))
    words = ("analyze", video, "-o", out, "--tasks", "faces", "--no-report")
    call = kinoscope(*words, "--gallery", gallery)
    assert call.status == 0, call.err
    plain = json.loads((out / "timeline.json").read_text())
    assert {track["identity"] for track in plain["tracks"]} == {"Ann", "person 2"}
    assert [(event["task"], event["label"]) for event in plain["events"]] == [("recognize", "Ann")]
    # Another gallery names them again, without another inference.
    enroll(tmp_path / "h", "Bob", make("b.png", BOB))
    assert kinoscope(*words, "--gallery", tmp_path / "h", "--resume").status == 0
    plain = json.loads((out / "timeline.json").read_text())
    assert {track["identity"] for track in plain["tracks"]} == {"person 1", "Bob"}
    assert [event["label"] for event in plain["events"]] == ["Bob"]


def test_people_are_recognised_in_a_photo(make, kinoscope, tmp_path):
    enroll(tmp_path / "g", "Ann", make("a.png", ANN))
    call = kinoscope("recognize", make("both.png", ANN | BOB), "--gallery", tmp_path / "g", "--json")
    (result,) = json.loads(call.out)["recognize"]
    assert [row["name"] for row in result["seen"]] == ["Ann"]
    assert len(result["strangers"]) == 1


def test_frames_in_memory_are_enrolled_and_recognized(tmp_path):
    frames = np.stack([draw(ANN)] * 20)
    done = enroll(tmp_path / "g", "Ann", frames)
    assert {sample.source for sample in done.samples} == {"frames"}
    result = ks.recognize(draw(ANN | BOB)[None], gallery=tmp_path / "g")
    assert (result.source, [event.label for event in result.seen], len(result.strangers)) == ("frames", ["Ann"], 1)


def test_a_video_that_cannot_be_read_stops_no_other(make, kinoscope, tmp_path):
    enroll(tmp_path / "g", "Ann", make("a.png", ANN))
    call = kinoscope("recognize", "missing.mp4", make("v.mkv", (ANN, 1)), "--gallery", tmp_path / "g", "--json")
    assert call.status == 2
    first, second = json.loads(call.out)["recognize"]
    assert "does not exist" in first["error"]
    assert second["seen"][0]["name"] == "Ann"
