import errno
import os

import pytest

from kinoscope.core.errors import OutputError
from kinoscope.core.files import atomic_write, write_error


def test_the_file_appears_whole_at_the_end(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent.parent == path.parent
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert sorted(os.listdir(path.parent)) == [".kinoscope.jsonl", "a.txt"]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, problem):
    path = tmp_path / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("old")

    def break_off():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise problem

    with pytest.raises(problem):
        break_off()
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == [".kinoscope.jsonl", "a.txt"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    def fill_up():
        with atomic_write(tmp_path / "a.bin") as temporary, open("/dev/full", "wb", buffering=0) as full:
            temporary.write_bytes(b"half")
            full.write(b"more")

    with pytest.raises(OutputError) as caught:
        fill_up()
    wanted = f"cannot write {tmp_path / 'a.bin'}: the disk is full; free some space or write to another disk"
    assert str(caught.value) == wanted
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_way(tmp_path):
    with pytest.raises(OutputError, match="it is a folder; give the path of a file"), atomic_write(tmp_path):
        pytest.fail("must not be entered")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of the path is a file"), atomic_write(tmp_path / "file" / "a.txt"):
        pytest.fail("must not be entered")


def test_the_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_text("")
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "permission denied; give a path that you may write to"),
        (errno.EROFS, "the disk is read-only; give a path on another disk"),
        (errno.EIO, "Input/output error; give another path"),
    ],
)
def test_errors_name_the_next_step(code, words):
    assert str(write_error("a/b.json", OSError(code, os.strerror(code)))) == f"cannot write a/b.json: {words}"
