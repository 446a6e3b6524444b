"""``analyze --library`` and ``kinoscope library`` from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kinoscope.core.errors import MissingExtra
from kinoscope.library import Library
from kinoscope.source.synthetic.video import shapes

pytest.importorskip("lancedb", reason="needs the extra library")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return shapes(duration=1, rate=10, width=64, height=48).write(tmp_path / "in" / "shapes.mp4")


def test_analyze_adds_to_a_library_and_reports_it(kinoscope: Any, light: Any, video: Path, tmp_path: Path) -> None:
    films, out = tmp_path / "films.lance", tmp_path / "out"
    call = kinoscope("analyze", video, "-o", out, "--library", films, "--no-report")
    assert (call.status, call.err) == (0, "")
    assert "added to the library" in call.out
    again = kinoscope("analyze", video, "-o", out, "--library", films, "--no-report", "--json")
    assert json.loads(again.out)["analyses"][0]["library"] == "same"
    listed = json.loads(kinoscope("library", "list", films, "--json").out)["videos"]
    assert [(row["path"], row["duration"], row["tasks"]) for row in listed] == [
        (str(video), 1.0, {"shots": {"events": 1, "tracks": 0}})
    ]
    assert kinoscope("library", "list", films).out.count("00:01.0") == 1


def test_a_new_library_is_its_owners_alone(kinoscope: Any, light: Any, video: Path, tmp_path: Path) -> None:
    films = tmp_path / "deep" / "films.lance"
    assert kinoscope("analyze", video, "-o", tmp_path / "out", "--library", films, "--no-report").status == 0
    assert films.stat().st_mode & 0o777 == 0o700
    films.chmod(0o755)
    assert kinoscope("analyze", video, "-o", tmp_path / "out", "--library", films, "--no-report").status == 0
    assert films.stat().st_mode & 0o777 == 0o755


def test_a_new_library_in_a_folder_of_everybody_is_its_owners_alone(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    films.chmod(0o755)
    Library(films, create=True)
    tables = list(films.glob("*.lance"))
    assert tables
    assert {table.stat().st_mode & 0o777 for table in tables} == {0o700}
    tables[0].chmod(0o755)
    Library(films, create=True)
    assert tables[0].stat().st_mode & 0o777 == 0o755


def test_a_moved_file_keeps_its_row(kinoscope: Any, light: Any, video: Path, tmp_path: Path) -> None:
    films, moved = tmp_path / "films.lance", tmp_path / "moved.mp4"
    kinoscope("analyze", video, "-o", tmp_path / "out", "--library", films, "--no-report")
    video.rename(moved)
    printed = "".join(kinoscope("library", "check", films).out.split())  # the terminal's width breaks lines anywhere
    assert "".join(f"{video} is missing".split()) in printed
    kinoscope("analyze", moved, "-o", tmp_path / "out", "--library", films, "--no-report")
    (row,) = json.loads(kinoscope("library", "list", films, "--json").out)["videos"]
    assert row["path"] == str(moved)


def test_videos_are_shown_and_removed(kinoscope: Any, light: Any, video: Path, tmp_path: Path) -> None:
    films = tmp_path / "films.lance"
    kinoscope("analyze", video, "-o", tmp_path / "out", "--library", films, "--no-report")
    assert json.loads(kinoscope("library", "show", films, "--json").out)["names"] == {"shot": 1}
    displayed = kinoscope("library", "show", films, "shapes.mp4").out
    assert "sha256" in displayed
    assert "shots" in displayed
    assert kinoscope("library", "remove", films, "shapes.mp4").out == f"removed {video}\n"
    assert kinoscope("library", "list", films).out == "the library is empty\n"
    call = kinoscope("library", "remove", films)
    assert (call.status, call.err.count("\n")) == (2, 1)


def test_an_unusable_library_is_an_error_before_anything_is_read(
    kinoscope: Any, light: Any, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "films.lance").write_text("no library")
    call = kinoscope("analyze", video, "-o", tmp_path / "out", "--library", tmp_path / "films.lance")
    assert (call.status, call.err.count("\n")) == (2, 1)
    assert "is a file, not a library" in call.err
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from kinoscope.api.library import library

    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'kinoscope\[library\]'"):
        library("list", tmp_path / "films.lance")
