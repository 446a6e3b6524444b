from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import LibraryError
from kinoscope.core.results import TaskReport
from kinoscope.library import Library
from kinoscope.library.tables import RESULT_TABLES
from tests.helpers.libraries import timeline

pytest.importorskip("lancedb", reason="needs the extra library")

ONE, TWO = "a" * 64, "b" * 64


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "films.lance", create=True)


def counts(library: Library) -> dict[str, int]:
    return {name: library.tables[name].count_rows() for name in ("videos", *RESULT_TABLES)}


def test_what_is_added_is_there_when_it_is_opened_again(library: Library) -> None:
    assert library.add(ONE, "/films/street.mp4", timeline()) == "added"
    again = Library(library.path)
    (video,) = again.videos()
    assert (video.id, video.path, video.name, video.duration) == (ONE, "/films/street.mp4", "street.mp4", 60.0)
    assert {name: (run["events"], run["tracks"]) for name, run in video.runs.items()} == {
        "objects": (0, 3), "faces": (0, 1), "scenes": (1, 0), "speech": (1, 0), "recognize": (1, 0),
    }  # fmt: skip
    assert again.names() == {"person": 2, "car": 1, "face": 1, "Ada": 2, "street": 1, "speech": 1}
    assert counts(again) == {
        "videos": 1, "names": 7, "events": 3, "tracks": 4, "speech": 1, "images": 4,
        "scenes": 60, "faces": 1, "appearance": 0, "sentences": 0,
    }  # fmt: skip


def test_tracks_keep_their_boxes(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    (row,) = library.tables.rows("tracks", ["start", "boxes"], "label = 'car'").to_pylist()
    boxes = np.frombuffer(row["boxes"], np.float32).reshape(-1, 6)
    assert (boxes[:, 0] + row["start"]).tolist() == [13.0, 16.5, 20.0]
    assert boxes[0, 1:5].tolist() == [10, 20, 30, 40]


def test_the_same_again_changes_nothing(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    before, versions = counts(library), {name: library.tables[name].version for name in ("videos", *RESULT_TABLES)}
    assert library.add(ONE, "street.mp4", timeline()) == "same"
    assert counts(library) == before
    assert {name: library.tables[name].version for name in versions} == versions


def test_a_video_that_was_moved_is_found_at_its_new_path(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    assert library.add(ONE, "other/road.mp4", timeline()) == "moved"
    assert [(video.path, video.name) for video in library.videos()] == [("other/road.mp4", "road.mp4")]
    assert library.tables["tracks"].count_rows() == 4


def test_tasks_that_are_run_later_join_those_that_are_there(library: Library) -> None:
    first, second = timeline(), timeline(text="something else")
    for name in ("speech", "recognize"):
        first.drop(name)
    for name in ("objects", "scenes", "faces"):
        second.drop(name)
    library.add(ONE, "street.mp4", first)
    assert library.add(ONE, "street.mp4", second) == "changed"
    (video,) = library.videos()
    assert set(video.runs) == {"objects", "faces", "scenes", "speech", "recognize"}
    assert library.tables.rows("speech", ["text"])["text"].to_pylist() == ["something else"]


def test_a_task_that_finds_something_else_replaces_what_it_found(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    assert library.add(ONE, "street.mp4", timeline(text="good night")) == "changed"
    assert library.tables.rows("speech", ["text"])["text"].to_pylist() == ["good night"]
    assert counts(library)["videos"] == 1


def test_a_task_that_failed_leaves_what_was_known(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    failed = timeline()
    failed.drop("speech")
    failed.tasks["speech"] = TaskReport("failed", reason="no sound")
    assert library.add(ONE, "street.mp4", failed) == "same"
    assert library.tables["speech"].count_rows() == 1


def test_removal_leaves_nothing_on_the_disk(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline(text="zanzibar secret words"))
    library.add(TWO, "road.mp4", timeline(1, "road.mp4", "ordinary words"))
    assert [video.id for video in library.remove(["street.mp4"])] == [ONE]
    assert [video.id for video in library.videos()] == [TWO]
    assert counts(library)["scenes"] == 60
    content = b"".join(file.read_bytes() for file in Path(library.path).rglob("*") if file.is_file())
    assert b"zanzibar" not in content
    assert b"street.mp4" not in content
    assert ONE.encode() not in content
    assert b"road.mp4" in content


def test_what_a_killed_process_left_is_swept_up(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    before = counts(library)
    library._write(timeline(1), {}, {})
    assert counts(library)["tracks"] == 8
    assert library.names()["person"] == 2
    assert library.check()["swept"] == 5
    assert counts(library) == before


def test_videos_are_found_by_path_name_and_beginning_of_id(library: Library) -> None:
    library.add(ONE, "a/street.mp4", timeline())
    library.add(TWO, "b/street.mp4", timeline(1))
    assert library.find("a/street.mp4").id == ONE
    assert library.find("bbbbbb").id == TWO
    with pytest.raises(LibraryError, match=r"2 videos of .* are called street\.mp4: a/street\.mp4, b/street\.mp4"):
        library.find("street.mp4")
    with pytest.raises(LibraryError, match=r"did you mean street\.mp4\?"):
        library.find("stret.mp4")


def test_removing_one_that_is_not_there_removes_none(library: Library) -> None:
    library.add(ONE, "street.mp4", timeline())
    with pytest.raises(LibraryError, match="is not in"):
        library.remove(["street.mp4", "nothing.mp4"])
    assert len(library.videos()) == 1


def test_a_missing_library_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="make one with `kinoscope analyze VIDEO --library"):
        Library(tmp_path / "none.lance")
    assert not (tmp_path / "none.lance").exists()
    (tmp_path / "file.lance").write_text("no")
    with pytest.raises(LibraryError, match="is a file, not a library"):
        Library(tmp_path / "file.lance", create=True)


@pytest.mark.slow
def test_many_small_additions_are_joined(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinoscope.library.tables.MIN_FRAGMENTS_TO_COMPACT", 4)
    for number in range(6):
        library.add(f"{number:064d}", f"{number}.mp4", timeline(number))
    assert library.tables["tracks"].stats()["fragment_stats"]["num_fragments"] < 4
    assert len(library.videos()) == 6


def test_an_address_is_used_as_it_is_and_needs_no_lock() -> None:
    library = Library("memory://films", create=True)
    assert [library.add(ONE, "street.mp4", timeline()) for _ in range(2)] == ["added", "same"]
    library.add(TWO, "road.mp4", timeline(1, "road.mp4"))
    library._write(timeline(2), {}, {})  # of a process elsewhere that may be about to name its video
    assert library.check()["swept"] == 0
    assert [video.id for video in library.remove(["street.mp4"])] == [ONE]
    assert counts(library)["videos"] == 1
    assert not Path("memory:").exists()


@pytest.mark.parametrize("create", [False, True])
def test_a_library_of_an_earlier_release_is_refused_and_left_as_it_is(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "films.lance"
    database = pytest.importorskip("lancedb").connect(path)
    database.create_table("videos", [{"id": ONE, "facts": "{}", "takes": "{}", "schema": 1}])
    with pytest.raises(LibraryError, match="is of an earlier release"):
        Library(path, create=create)
    assert database.list_tables().tables == ["videos"]
