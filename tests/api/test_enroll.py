"""Enrollment, maintenance of galleries and recognition, with synthetic people in place of faces."""

import json

import cv2
import numpy as np
import pytest

import kinoscope as ks
from kinoscope.api.enroll import enroll
from kinoscope.core.errors import OptionError
from kinoscope.core.results import TaskResult
from kinoscope.galleries import read_gallery
from kinoscope.source.synthetic.video import SyntheticSource
from tests.helpers.people import SIZE, ColourEmbedder, ColourFinder, draw


@pytest.fixture(autouse=True)
def faces(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", ColourFinder)
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceEmbedder", ColourEmbedder)


@pytest.fixture
def make(tmp_path):
    """Return a function that writes an image, or a video of intervals (people, seconds, brightness)."""

    def write(name, *stretches):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if path.suffix == ".png":
            cv2.imwrite(str(path), cv2.cvtColor(draw(stretches[0]), cv2.COLOR_RGB2BGR))
            return path
        shown = [(people, light) for people, seconds, *light in stretches for _ in range(round(seconds * 10))]
        frames = [(draw(people) * (light[0] if light else 1.0)).astype(np.uint8) for people, light in shown]
        source = SyntheticSource("people", lambda n, _: frames[n], TaskResult(), SIZE, len(frames) / 10, 10)
        return source.write(path, lossless=True)

    return write


ANN, BOB = {"ann": (40, 80)}, {"bob": (200, 90)}


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


def test_a_video_yields_several_samples_of_its_main_person(make, tmp_path):
    done = enroll(tmp_path / "g", "Ann", make("v.mkv", (ANN, 2.4), (ANN | BOB, 0.5), (ANN, 2.4, 0.95)))
    assert 2 <= len(done.samples) <= 5
    assert len({sample.source for sample in done.samples}) == 1
    reds = [sample.embedding[0] for sample in done.samples]
    assert min(reds) > 0.7


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ({}, "empty.png shows no face; give an image in which it is larger, sharper and from the front"),
        (ANN | BOB, "empty.png shows 2 faces; crop it to one, or take the largest with --largest"),
    ],
)
def test_an_image_without_one_face_is_refused_and_nothing_is_written(make, kinoscope, tmp_path, people, message):
    good, bad = make("a.png", ANN), make("empty.png", people)
    call = kinoscope("enroll", tmp_path / "g", "Ann", good, bad)
    assert (call.status, call.err) == (2, f"kinoscope: {tmp_path}/{message}\n")
    assert not (tmp_path / "g").exists()


def test_the_largest_is_taken_where_asked_for(make, kinoscope, tmp_path):
    both = make("v.mkv", (ANN, 1.5), (ANN | BOB, 1.5))
    call = kinoscope("enroll", tmp_path / "g", "Ann", both)
    assert call.status == 2
    assert "shows 2 faces; cut it with only one in it, or take the largest with --largest" in call.err
    done = enroll(tmp_path / "g", "Ann", both, largest=True)
    assert all(sample.embedding[0] > 0.7 for sample in done.samples)


def test_a_folder_of_images_is_enrolled_once(make, kinoscope, tmp_path):
    for n, x in enumerate((40, 60)):
        make(f"ann/{n}.png", {"ann": (x, 80)})
    first = enroll(tmp_path / "g", "Ann", tmp_path / "ann")
    assert sorted(sample.source for sample in first.samples) in (["0.png"], ["0.png", "1.png"])
    call = kinoscope("enroll", tmp_path / "g", "Ann", tmp_path / "ann", "--json")
    assert json.loads(call.out)["added"] == []
    assert json.loads(call.out)["already"] == 2


def test_gallery_and_name_may_be_given_as_flags(make, kinoscope, tmp_path):
    call = kinoscope("enroll", "--gallery", tmp_path / "g", "--name", "Ann", make("a.png", ANN), "--largest")
    assert (call.status, call.err) == (0, "")
    assert read_gallery(tmp_path / "g").names() == ["Ann"]


def test_a_list_without_sources_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no source is given for Ann; give an image or a video"):
        enroll(tmp_path / "g", "Ann", [])


def test_frames_in_memory_are_enrolled_and_recognized(tmp_path):
    frames = np.stack([draw(ANN)] * 20)
    done = enroll(tmp_path / "g", "Ann", frames)
    assert {sample.source for sample in done.samples} == {"frames"}
    result = ks.recognize(draw(ANN | BOB)[None], gallery=tmp_path / "g")
    assert (result.source, [event.label for event in result.seen], len(result.strangers)) == ("frames", ["Ann"], 1)


def test_a_sample_of_another_person_is_reported(make, tmp_path):
    enroll(tmp_path / "g", "Ann", make("a.png", ANN))
    done = enroll(tmp_path / "g", "Bob", [make("b.png", BOB), make("mistake.png", {"ann": (90, 90)})])
    assert len(done.samples) == 2
    assert [note.split(" (")[0] for note in done.notes] == [
        "b.png resembles no other sample of Bob",
        "mistake.png resembles Ann too",
        "mistake.png resembles no other sample of Bob",
    ]


def test_a_gallery_is_listed_changed_and_exported(make, kinoscope, tmp_path):
    gallery = tmp_path / "people.gallery"
    enroll(gallery, "Ann", make("a.png", ANN))
    enroll(gallery, "Bob", make("b.png", BOB))
    listed = json.loads(kinoscope("gallery", "list", gallery, "--json").out)
    assert [(row["name"], row["kind"], row["samples"], row["sources"]) for row in listed["names"]] == [
        ("Ann", "face", 1, ["a.png"]), ("Bob", "face", 1, ["b.png"])]  # fmt: skip
    assert "Ann" in kinoscope("gallery", "list", gallery).out
    assert kinoscope("gallery", "rename", gallery, "Bob", "Robert").out == "Bob is now Robert (1 sample)\n"
    assert kinoscope("gallery", "export", gallery).status == 0
    assert {path.name for path in (tmp_path / "people").glob("[!.]*")} == {"gallery.json", "Ann", "Robert"}
    portrait = read_gallery(gallery).samples_of("Ann")[0].portrait
    before = gallery.read_bytes()
    call = kinoscope("gallery", "remove", gallery, "Ann", "Rob")
    assert (call.status, call.err) == (
        2,
        "kinoscope: 'Rob' is not in the gallery; did you mean Robert? known: Robert\n",
    )
    assert gallery.read_bytes() == before
    assert kinoscope("gallery", "remove", gallery, "Ann").out == "removed Ann (1 sample)\n"
    assert portrait not in gallery.read_bytes()
    assert read_gallery(gallery).names() == ["Robert"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("enroll", "g", "Ann"), "no source is given for Ann; give an image or a video"),
        (("enroll", "g", "person 1", "a.png"), "it is the label of unknown people"),
        (("enroll", "g", "Ann", "missing.png"), "missing.png does not exist"),
        (("gallery", "list", "missing"), "there is no gallery missing; create one with `kinoscope enroll missing NAME"),
        (("gallery", "rename", "g", "Ann"), "gallery rename got 1 names; give the old name and the new one"),
        (("gallery", "list", "g", "Ann"), "gallery list got 1 names; it takes none"),
        (("recognize", "v.mp4", "--gallery", "missing"), "there is no gallery missing"),
        (
            ("recognize", "v.mp4", "--gallery", "g", "--threshold", "-1"),
            "threshold -1 is not possible; give a number above 0",
        ),
        (("analyze", "v.mp4", "--gallery", "missing"), "there is no gallery missing"),
        (("analyze", "v.mp4", "--tasks", "recognize"), "task recognize needs a gallery; give --gallery FILE"),
    ],
)
def test_what_cannot_be_is_one_line(kinoscope, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    call = kinoscope(*words)
    assert call.status == 2
    assert message in call.err
    assert call.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_video_that_cannot_be_read_stops_no_other(make, kinoscope, tmp_path):
    enroll(tmp_path / "g", "Ann", make("a.png", ANN))
    call = kinoscope("recognize", "missing.mp4", make("v.mkv", (ANN, 1)), "--gallery", tmp_path / "g", "--json")
    assert call.status == 2
    first, second = json.loads(call.out)["recognize"]
    assert "does not exist" in first["error"]
    assert second["seen"][0]["name"] == "Ann"


@pytest.mark.slow
def test_check_reports_verification_scores(make, kinoscope, tmp_path):
    gallery = tmp_path / "g"
    enroll(gallery, "Ann", make("a.png", ANN))
    call = kinoscope("gallery", "check", gallery)
    assert call.status == 2
    assert "there is no other person to compare: enroll a second name, or give a folder of videos" in call.err
    make("clips/Ann/1.mkv", (ANN, 1))
    make("clips/stranger/2.mkv", (BOB, 1))
    make("clips/nobody/3.mkv", ({}, 1))
    call = kinoscope("gallery", "check", gallery, tmp_path / "clips", "-o", tmp_path / "curves", "--json")
    assert call.status == 0, call.err
    result = json.loads(call.out)
    assert (result["genuine"], result["impostor"], result["equal_error"]) == (1, 1, 0.0)
    assert result["default"]["threshold"] == 0.45
    assert (result["at_far"]["far"], result["at_far"]["frr"]) == (0, 0)
    assert result["at_far"]["far_interval"] == [None, None]  # one pair of one person says nothing
    assert (tmp_path / "curves" / "errors.png").read_bytes().startswith(b"\x89PNG")
    shown = kinoscope("gallery", "check", gallery, tmp_path / "clips").out
    assert "1 genuine and 1 impostor pairs" in shown
    assert "0.0 % (too few names)" in shown
