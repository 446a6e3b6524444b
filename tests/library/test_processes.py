"""Processes that are killed while they add to a library, and two that add to one at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinoscope.library import Library, parse, search_videos
from tests.helpers.libraries import timeline

pytest.importorskip("lancedb", reason="needs the extra library")

ROOT = Path(__file__).parents[2]
ROWS = {"names": 7, "events": 3, "tracks": 4, "speech": 1, "images": 4, "scenes": 60, "faces": 1}
"""Rows of one video of ``timeline``, by table."""


def start(path: Path, first: int, count: int, moment: str = "never", text: str = "hello big world") -> subprocess.Popen:
    words = [sys.executable, "-W", "ignore", "-m", "tests.helpers.add_to_library", path, first, count, text, moment]
    import_path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env=os.environ | {"PYTHONPATH": import_path},
    )  # fmt: skip


def printed(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=200)
    assert process.returncode in (0, -signal.SIGKILL), err
    return out.splitlines()


def numbers(library: Library) -> list[int]:
    return sorted(int(video.id, 16) for video in library.videos())


def is_whole(library: Library) -> None:
    """Check that each video has all its rows, and every row belongs to a video."""
    videos = library.videos()
    named = [run["run"] for video in videos for run in video.runs.values()]
    for name, count in ROWS.items():
        runs = library.tables.rows(name, ["run"])["run"].to_numpy()
        assert np.isin(runs, named).all()
        assert len(runs) == count * len(videos), name


MOMENTS = {"written-3": 1, "written-7": 2, "named": 1}
"""Moment at which a process that adds to a library of one video is killed -> number of videos afterwards."""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_it_printed(tmp_path: Path) -> None:
    paths = {moment: tmp_path / f"{moment}.lance" for moment in MOMENTS}
    for path in paths.values():
        Library(path, create=True).add(f"{0:064x}", "0.mp4", timeline(0, "0.mp4"))
    running = {moment: start(path, 1, 3, moment) for moment, path in paths.items()}
    for moment, process in running.items():
        lines = printed(process)
        library = Library(paths[moment])
        assert process.returncode == -signal.SIGKILL
        assert numbers(library) == [0, *(int(line.split()[0]) for line in lines)]
        assert len(numbers(library)) == MOMENTS[moment]
        # Nothing half added is seen, and all that is there can be found.
        assert (
            len(search_videos(library, parse("car")))
            == len(search_videos(library, parse('says "big world"')))
            == MOMENTS[moment]
        )
        # The next process that adds removes the orphans, and the lock of the killed one does not block.
        assert library.add(f"{9:064x}", "9.mp4", timeline(9, "9.mp4")) == "added"
        is_whole(library)


@pytest.mark.slow
def test_a_process_killed_between_new_and_old_findings_leaves_the_new(tmp_path: Path) -> None:
    path = tmp_path / "films.lance"
    library = Library(path, create=True)
    library.add(f"{0:064x}", "0.mp4", timeline(0, "0.mp4"))
    process = start(path, 0, 1, "forgotten", "good night")
    assert printed(process) == []
    assert process.returncode == -signal.SIGKILL
    assert search_videos(library, parse('says "big world"')) == []
    (clip,) = search_videos(library, parse('says "good night"'))
    assert (clip.start, clip.end) == (8, 10)
    assert library.check()["swept"] == 1
    is_whole(library)


def test_a_library_whose_creation_was_killed_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, path = "lancedb.table.LanceTable.create_index", tmp_path / "films.lance"

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index, fail)
        with pytest.raises(KeyboardInterrupt):
            Library(path, create=True)
    library = Library(path, create=True)
    library.add(f"{0:064x}", "0.mp4", timeline(0, "0.mp4"))
    assert len(search_videos(library, parse('says "big world"'))) == 1


@pytest.mark.slow
def test_two_processes_add_to_one_library(tmp_path: Path) -> None:
    """Create one library from two processes, which share a video."""
    path = tmp_path / "films.lance"
    lines = [line.split() for process in [start(path, 0, 5), start(path, 4, 5)] for line in printed(process)]
    assert sorted(line[0] for line in lines) == sorted(["0", "1", "2", "3", "4", "4", "5", "6", "7", "8"])
    assert sorted(change for number, change in lines if number == "4") == ["added", "same"]
    library = Library(path)
    assert numbers(library) == list(range(9))
    is_whole(library)
