"""The search in a library, in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import kinoscope
from kinoscope.core.errors import OptionError
from kinoscope.library import Library
from tests.helpers.libraries import timeline


@pytest.fixture
def films(tmp_path: Path) -> Path:
    path = tmp_path / "films.lance"
    Library(path, create=True).add("1" * 64, "/films/street.mp4", timeline())
    return path


def test_the_result_has_the_moments_and_the_files(films: Path, tmp_path: Path) -> None:
    result = kinoscope.search("person", library=films, out=tmp_path / "out", export="edl")
    assert (result.source, result.query, result.count, result.status) == (str(films), "person", 1, 0)
    assert [(clip.start, clip.end) for clip in result.clips] == [(5.0, 12.0), (30.0, 35.0)]
    assert result.written == [tmp_path / "out" / "found.html", tmp_path / "out" / "found.edl"]
    plain = result.to_dict()
    assert list(plain) == ["query", "library", "clips", "notes", "written"]
    assert [(clip["name"], clip["from"], clip["to"]) for clip in plain["clips"]] == [
        ("street.mp4", 5.0, 12.0),
        ("street.mp4", 30.0, 35.0),
    ]


def test_options_are_checked_before_the_library_is_opened(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there is no query; give one"):
        kinoscope.search(" ", library=tmp_path / "none.lance")
    with pytest.raises(OptionError, match="export of moments 'avi'"):
        kinoscope.search("person", library=tmp_path / "none.lance", export="avi")
