"""Maintenance and verification of a gallery, with synthetic people in place of faces."""

import json

import pytest

from kinoscope.api.enroll import enroll
from kinoscope.galleries import read_gallery
from tests.helpers.people import ANN, BOB

pytestmark = pytest.mark.usefixtures("colour_faces")


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
