"""A library that was built to attack its reader."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kinoscope.core.errors import LibraryError
from kinoscope.core.results import describe_source
from kinoscope.library import Library
from kinoscope.library.tables import column
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import shapes
from tests.helpers.libraries import timeline

pytest.importorskip("lancedb", reason="needs the extra library")

ONE, TWO = "a" * 64, "b" * 64


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path / "films.lance", create=True)
    library.add(ONE, "/nowhere/a.mp4", timeline())
    library.add(TWO, "/nowhere/b.mp4", timeline(1))
    return library


def change(library: Library, **values: Any) -> None:
    library.tables["videos"].update(where=column("id") == ONE, values=values)


NESTED = "[" * 5000 + "]" * 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"id": "../../victim"},
        {"id": "x' OR '1'='1"},
        {"id": ONE.upper()},
        {"start": float("nan")},
        {"duration": float("inf")},
        {"metadata": "[]"},
        {"metadata": f'{{"a": {NESTED}}}'},
        {"runs": '{"shots": {"run": "1) OR (1=1", "events": 0, "tracks": 0}}'},
        {"runs": '{"shots": {"run": -1, "events": 0, "tracks": 0}}'},
        {"runs": '{"shots": 7}'},
        {"runs": "not JSON"},
    ],
)
def test_values_that_kinoscope_never_writes_are_refused_in_one_line(
    kinoscope: Any, library: Library, tmp_path: Path, values: dict[str, Any]
) -> None:
    change(library, **values)
    for words in (("search", "person", "-o", tmp_path / "out", "--library"), ("library", "list"), ("library", "check")):
        call = kinoscope(*words, library.path)
        assert (call.status, call.err.count("\n")) == (2, 1)
        assert "cannot be used" in call.err
    assert not list((tmp_path / "out").glob("videos/*"))


@pytest.mark.slow
def test_an_id_with_a_quote_removes_nothing(library: Library) -> None:
    evil = "x' OR '1'='1"
    change(library, id=evil)
    with pytest.raises(LibraryError, match="no sha256"):
        library.remove([evil])
    assert library.tables["videos"].count_rows() == 2


def test_names_with_quotes_are_values_in_a_query(library: Library, kinoscope: Any, tmp_path: Path) -> None:
    call = kinoscope("search", "\"x') OR ('1'='1\"", "--library", library.path, "-o", tmp_path / "out")
    assert (call.status, "is called" in call.err) == (2, True)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret.mp4").write_text("a diary, and no video")
    os.mkfifo(tmp_path / "home" / "pipe.mp4")
    return tmp_path / "home"


METADATA = {"container": "mov,mp4", "codec": "h264", "pixel_format": "yuv420p", "width": 64, "rate": "1/0"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["secret.mp4", "pipe.mp4", "link.mp4", "."])
@pytest.mark.parametrize("field", ["path", "preview"])
def test_what_is_no_video_is_neither_linked_nor_waited_for(
    kinoscope: Any, library: Library, secret: Path, tmp_path: Path, name: str, field: str
) -> None:
    (secret / "link.mp4").symlink_to(secret / "secret.mp4")
    before = {path.name: path.lstat().st_nlink for path in secret.iterdir()}
    if field == "path":
        change(library, path=str(secret / name), metadata=json.dumps(METADATA))
    else:
        change(library, metadata=json.dumps(METADATA | {"preview": str(secret / name)}))
    out = tmp_path / "out"
    assert kinoscope("search", "person", "--library", library.path, "-o", out, "--export", "edl").status == 0
    assert not list(out.glob("videos/*.mp4"))
    assert {path.name: path.lstat().st_nlink for path in secret.iterdir()} == before


def test_the_preview_is_linked_where_the_video_itself_cannot_be_played(
    kinoscope: Any, library: Library, tmp_path: Path
) -> None:
    shapes(duration=1, rate=10, width=64, height=48).write(tmp_path / "preview.mp4")
    with open_source(tmp_path / "preview.mp4") as source:
        metadata = describe_source(source.info)
    change(library, metadata=json.dumps(metadata | {"preview": str(tmp_path / "preview.mp4")}))
    out = tmp_path / "out"
    assert kinoscope("search", "person", "--library", library.path, "-o", out).status == 0
    (film,) = out.glob("videos/*.mp4")
    assert film.samefile(tmp_path / "preview.mp4")


def test_a_library_with_a_pipe_or_a_link_in_it_is_refused(kinoscope: Any, library: Library) -> None:
    manifest = max(Path(library.path, "videos.lance", "_versions").iterdir())
    data = manifest.read_bytes()
    manifest.unlink()
    os.mkfifo(manifest)
    call = kinoscope("library", "list", library.path)
    assert (call.status, call.err.count("\n"), "neither file nor folder" in call.err) == (2, 1, True)
    manifest.unlink()
    Path(library.path).with_name("elsewhere").write_bytes(data)
    manifest.symlink_to(Path(library.path).with_name("elsewhere"))
    assert kinoscope("library", "list", library.path).status == 2
