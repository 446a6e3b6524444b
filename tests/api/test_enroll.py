"""Enrollment of people in a gallery, with synthetic people in place of faces."""

import json

import pytest

from kinoscope.api.enroll import enroll
from kinoscope.core.errors import OptionError
from kinoscope.galleries import read_gallery
from tests.helpers.people import ANN, BOB

pytestmark = pytest.mark.usefixtures("colour_faces")


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


def test_a_sample_of_another_person_is_reported(make, tmp_path):
    enroll(tmp_path / "g", "Ann", make("a.png", ANN))
    done = enroll(tmp_path / "g", "Bob", [make("b.png", BOB), make("mistake.png", {"ann": (90, 90)})])
    assert len(done.samples) == 2
    assert [note.split(" (")[0] for note in done.notes] == [
        "b.png resembles no other sample of Bob",
        "mistake.png resembles Ann too",
        "mistake.png resembles no other sample of Bob",
    ]


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
