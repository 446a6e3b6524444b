"""The actions on a library, in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinoscope.api.library import library
from kinoscope.core.errors import OptionError
from kinoscope.library import Library
from tests.helpers.libraries import timeline


@pytest.fixture
def films(tmp_path: Path) -> Path:
    path = tmp_path / "films.lance"
    Library(path, create=True).add("1" * 64, "/films/street.mp4", timeline())
    return path


def test_each_action_fills_its_field(films: Path) -> None:
    listed, named, shown = library("list", films), library("show", films), library("show", films, "street.mp4")
    assert [video.path for video in listed.videos or ()] == ["/films/street.mp4"]
    assert (named.names or {})["Ada"] == 2
    assert [row["path"] for row in shown.shown or ()] == ["/films/street.mp4"]
    assert list(listed.to_dict()) == ["library", "videos"]
    assert list(named.to_dict()) == ["library", "names"]
    assert list(shown.to_dict()) == ["library", "shown"]
    assert {result.to_dict()["library"] for result in (listed, named, shown)} == {str(films)}


def test_a_check_and_a_removal_say_what_they_did(films: Path) -> None:
    checked = library("check", films).to_dict()
    assert (checked["rows"]["videos"], checked["missing"]) == (1, ["/films/street.mp4"])
    removed = library("remove", films, "street.mp4")
    assert [video.path for video in removed.removed or ()] == ["/films/street.mp4"]
    assert list(removed.to_dict()) == ["library", "removed"]
    assert library("list", films).videos == []


def test_an_action_without_its_videos_is_an_error(films: Path) -> None:
    with pytest.raises(OptionError, match="library remove got no video"):
        library("remove", films)
    with pytest.raises(OptionError, match="library list takes no videos; use `library show"):
        library("list", films, "street.mp4")
