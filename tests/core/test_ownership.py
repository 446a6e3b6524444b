"""What kinoscope takes for its own, and what temporary files leave."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core import files, manifest
from kinoscope.core.errors import OutputError
from kinoscope.core.files import (
    append,
    atomic_write,
    claim_output,
    command_id,
    hard_link,
    is_own,
    prepare_folder,
    remove,
    require_free,
)

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="needs locks on folders")


def write(path, text="ours", **options):
    with atomic_write(path, **options) as temporary:
        temporary.write_text(text)
    return path


def visible(folder):
    return sorted(name for name in os.listdir(folder) if name != manifest.NAME)


def test_an_output_may_be_replaced_until_it_is_changed(tmp_path):
    path = write(tmp_path / "a.txt")
    assert is_own(path)
    write(path, "ours again")
    path.write_text("theirs")
    assert not is_own(path)
    for act in (lambda: write(path), lambda: remove(path), lambda: append(path, "x")):
        with pytest.raises(OutputError, match=r"a.txt is in the way: kinoscope did not write it, or it was changed"):
            act()
    assert path.read_text() == "theirs"


def test_the_same_bytes_at_another_time_are_ours_and_a_link_to_them_is_not(tmp_path):
    path = write(tmp_path / "a.txt")
    os.utime(path, (0, 0))
    assert is_own(path)
    path.rename(tmp_path / "b.txt")
    assert not is_own(tmp_path / "b.txt")
    path.symlink_to("b.txt")
    assert not is_own(path)
    with pytest.raises(OutputError, match="in the way"):
        write(path)
    assert (tmp_path / "b.txt").read_text() == "ours"


def test_a_folder_that_is_moved_stays_ours(tmp_path):
    write(tmp_path / "old" / "a.txt")
    (tmp_path / "old").rename(tmp_path / "new")
    assert is_own(tmp_path / "new" / "a.txt")


@settings(max_examples=50)
@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60), st.binary())
def test_any_name_and_content(tmp_path_factory, name, content):
    if name in (".", "..", manifest.NAME):
        return
    folder = tmp_path_factory.mktemp("any")
    path = folder / name
    for data in (content, content + b"more"):
        with atomic_write(path, sync=False) as temporary:
            temporary.write_bytes(data)
    assert path.read_bytes() == content + b"more"
    assert is_own(path)
    assert manifest.listed(folder) == [path]


@pytest.mark.slow
@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_a_corrupt_manifest_claims_no_files(tmp_path_factory, junk):
    folder = tmp_path_factory.mktemp("junk")
    path = write(folder / "a.txt")
    whole = (folder / manifest.NAME).read_bytes()
    (folder / manifest.NAME).write_bytes(whole + junk)
    (folder / "mine.txt").write_text("mine")
    assert is_own(path)
    assert not is_own(folder / "mine.txt")
    assert write(folder / "b.txt").read_text() == "ours"  # a line that was cut short swallows none that follows
    assert is_own(folder / "b.txt")


@pytest.mark.parametrize("rows", ['{"name": "a.txt"}', '{"name": "a.txt", "size": "4"}', "[1]", '"a.txt"', "a.txt"])
def test_rows_of_another_kind_are_passed_over(tmp_path, rows):
    (tmp_path / manifest.NAME).write_text(f"{manifest.HEADER}\n{rows}\n")
    (tmp_path / "a.txt").write_text("mine")
    assert not is_own(tmp_path / "a.txt")


@pytest.mark.parametrize("how", ["file", "symlink", "folder", "newer"])
def test_a_foreign_file_named_like_the_manifest_is_left_alone(tmp_path, how):
    place, victim = tmp_path / "out" / manifest.NAME, tmp_path / "victim"
    place.parent.mkdir()
    victim.write_text("mine")
    if how == "symlink":
        place.symlink_to(victim)
    elif how == "folder":
        place.mkdir()
    else:
        place.write_text("mine" if how == "file" else manifest.HEADER.replace("1", "2"))
    with pytest.raises(OutputError) as told:
        write(place.parent / "a.txt")
    assert "\n" not in str(told.value)
    assert victim.read_text() == "mine"
    assert os.listdir(place.parent) == [manifest.NAME]


def test_a_folder_named_like_the_manifest_is_reported(tmp_path):
    (tmp_path / manifest.NAME).mkdir()
    with pytest.raises(OutputError, match=r"\.kinoscope\.jsonl is in the way"):
        write(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == [manifest.NAME]


def test_an_input_is_never_replaced_by_any_name(tmp_path):
    path = write(tmp_path / "a.txt")
    os.link(path, tmp_path / "hard.txt")
    (tmp_path / "soft.txt").symlink_to("a.txt")
    for name in ("a.txt", "hard.txt", "soft.txt", "../" + tmp_path.name + "/a.txt"):
        with claim_output(tmp_path / "other", "v", [tmp_path / name], overwrite=True):
            with pytest.raises(OutputError, match="is an input, which is never replaced"):
                write(path)
            with ThreadPoolExecutor() as pool, pytest.raises(OutputError, match="is an input"):
                pool.submit(write, path).result()
    write(path, "free again")


def test_results_of_another_command_need_to_be_asked_for(tmp_path):
    first, second = command_id("analyze", ["p/cam.mp4"]), command_id("analyze", ["q/cam.mp4"])

    def enter():
        with claim_output(tmp_path, second, names=["a.txt"]):
            pytest.fail("must not be entered")

    with claim_output(tmp_path, first, names=["a.txt"]):
        write(tmp_path / "a.txt")
    with pytest.raises(OutputError, match=r"a.txt is a result of another `analyze cam.mp4`.*give --overwrite"):
        enter()
    with claim_output(tmp_path, first, names=["a.txt"]):
        write(tmp_path / "a.txt", "again")
    with claim_output(tmp_path, second, names=["a.txt"], overwrite=True):
        write(tmp_path / "a.txt", "anew")
    assert (tmp_path / "a.txt").read_text() == "anew"


def test_no_secret_of_an_address_is_kept(tmp_path):
    by = command_id("analyze", ["rtsp://ann:pa55@host/live?token=t0ken", "http://ann:pa55@host"])
    assert "pa55" not in by
    assert "t0ken" not in by
    assert by.startswith("analyze live host#")


def test_a_file_that_comes_between_is_left_alone(tmp_path):
    path = tmp_path / "a.txt"

    def meanwhile(act):
        with atomic_write(path) as temporary:
            temporary.write_text("ours")
            act()

    with pytest.raises(OutputError, match="in the way"):
        meanwhile(lambda: path.write_text("mine"))
    assert path.read_text() == "mine"
    assert visible(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("other", ["ours", "mine"])
def test_a_file_that_comes_at_the_last_moment(tmp_path, monkeypatch, other):
    path, add = tmp_path / "a.txt", manifest.add

    def meanwhile(*arguments):
        add(*arguments)
        path.write_text(other)

    monkeypatch.setattr(manifest, "add", meanwhile)
    if other == "ours":  # another process wrote the very same, and listed it
        write(path)
    else:
        with pytest.raises(OutputError, match="in the way"):
            write(path)
    assert path.read_text() == other
    assert visible(tmp_path) == ["a.txt"]


def test_a_disk_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a.txt")
    write(tmp_path / "a.txt", "again")
    assert (tmp_path / "a.txt").read_text() == "again"
    assert not hard_link(tmp_path / "a.txt", tmp_path / "b.txt")
    assert visible(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_manifest_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, code):
    path = write(tmp_path / "a.txt")

    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(manifest, "add", fail)
    with pytest.raises(OutputError, match="cannot write") as told:
        write(path, "new")
    assert "\n" not in str(told.value)
    assert path.read_text() == "ours"
    assert visible(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["n" * 255, "n" * 251 + ".txt", "a." + "n" * 253])
def test_the_longest_names(tmp_path, name):
    write(tmp_path / name)
    write(tmp_path / name, "again")
    with pytest.raises(OutputError, match="the name is too long; give a shorter one"):
        write(tmp_path / f"{name}n")
    assert visible(tmp_path) == [name]


def test_lines_are_added_to_a_file_of_ours(tmp_path):
    path = tmp_path / "log.jsonl"
    for number in range(3):
        append(path, json.dumps(number))
    assert path.read_text() == "0\n1\n2\n"
    assert is_own(path)
    path.write_text("mine\n")
    with pytest.raises(OutputError, match="in the way"):
        append(path, "3")


def test_what_others_may_not_see(tmp_path):
    with claim_output(tmp_path / "out", "v", names=["a"], private=True):
        prepare_folder(tmp_path / "out")
        write(tmp_path / "out" / "deep" / "a.txt")
    for path, mode in (("out", 0o700), ("out/deep", 0o700), ("out/deep/a.txt", 0o600)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode


def test_temporary_files_follow_no_link_and_are_private(tmp_path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
        assert temporary.parent.name.startswith(".kinoscope-")
        assert not temporary.is_symlink()
        temporary.write_text("x")


KILLED = """
import signal, sys
from kinoscope.core.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    signal.pause()
"""


@needs_locks
def test_what_a_killed_process_leaves_is_removed_by_the_next_and_what_a_live_one_writes_is_not(tmp_path):
    dead, live = (
        subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / name)], stdout=subprocess.PIPE)
        for name in ("a.txt", "b.txt")
    )
    try:
        for one in (dead, live):
            assert one.stdout.readline() == b"writing\n"
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert len(visible(tmp_path)) == 2
        (tmp_path / ".kinoscope-mine.part").mkdir()
        prepare_folder(tmp_path)
        assert len(visible(tmp_path)) == 2
        assert ".kinoscope-mine.part" in visible(tmp_path)
    finally:
        for one in (dead, live):
            one.kill()
            one.communicate()
    with claim_output(tmp_path / "c.txt"):
        assert visible(tmp_path) == [".kinoscope-mine.part"]


@needs_locks
def test_a_folder_that_cannot_be_opened_is_one_line(tmp_path, monkeypatch):
    """Too many open files, or a folder that its owner may not read: that does not go away by trying again."""
    real = os.open

    def refuse(path, flags, *args, **options):
        if str(path).endswith(".part"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"cannot write .*a.txt: too many files are open"):
        write(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == []


def test_two_that_write_at_once(tmp_path):
    code = "import sys; from kinoscope.core.files import atomic_write\n" + "\n".join(
        [
            "for i in range(40):",
            "    with atomic_write(f'{sys.argv[1]}/{sys.argv[2]}{i}.txt', sync=False) as t: t.write_text(str(i))",
        ]
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [one.wait() for one in running] == [0, 0]
    assert len(visible(tmp_path)) == 80
    assert all(is_own(tmp_path / name) for name in visible(tmp_path))


def test_what_an_unknown_command_wrote_needs_to_be_asked_for_too(tmp_path):
    """A training, for one: its scores are not to be lost to those of evaluate."""
    path = write(tmp_path / "scores.json", "training")
    write(tmp_path / "model.json", "model")
    with (
        pytest.raises(OutputError, match="is a result of another command; give --overwrite to replace it"),
        claim_output(tmp_path, "evaluate a#1", names=["scores.json"]),
    ):
        pass
    assert path.read_text() == "training"
    with claim_output(tmp_path, "evaluate a#1", names=["scores.json"], overwrite=True):
        write(path, "evaluation")
        files.remove_replaced(path)
        assert (tmp_path / "model.json").read_text() == "model"
    with claim_output(tmp_path, "evaluate a#1", names=["scores.json"]):
        write(path, "evaluation again")
    write(path, "training goes on")


def test_what_a_killed_command_did_not_clear_is_cleared_by_the_next(tmp_path):
    with claim_output(tmp_path, "analyze a#1", names=["timeline.json"]):
        for name in ("timeline.json", "csv/a.csv"):
            write(tmp_path / name)
    with claim_output(tmp_path, "sync --fix#3", names=["fixed.mp4"]):
        write(tmp_path / "fixed.mp4")
    for is_killed in (True, False):
        with claim_output(tmp_path, "analyze b#2", names=["timeline.json"], overwrite=True):
            write(tmp_path / "timeline.json", "b")
            if not is_killed:
                files.remove_replaced(tmp_path / "timeline.json", ["csv"])
    assert visible(tmp_path) == ["csv", "fixed.mp4", "timeline.json"]
    assert visible(tmp_path / "csv") == []


def test_names_in_a_list_that_no_file_can_have(tmp_path):
    """A folder of results from a stranger may list anything."""
    write(tmp_path / "a.txt")
    with (tmp_path / manifest.NAME).open("a") as file:
        for name in ("b.txt", "x\0y", "\ud800", "x" * 300, "", "..", "../a.txt"):
            file.write(json.dumps({"name": name, "size": 1, "sha256": "", "by": "other#1"}) + "\n")
    with claim_output(tmp_path, "ours#2", names=["b.txt"], overwrite=True):
        files.remove_replaced(tmp_path / "b.txt")
    assert visible(tmp_path) == ["a.txt"]


def test_what_comes_while_a_link_is_made_is_left_alone(tmp_path, monkeypatch):
    source = tmp_path / "source.mp4"
    source.write_text("film")
    real = manifest.add

    def add(path, entry):
        real(path, entry)
        path.write_text("theirs")

    monkeypatch.setattr(manifest, "add", add)
    assert not hard_link(source, tmp_path / "out" / "video.mp4")
    assert (tmp_path / "out" / "video.mp4").read_text() == "theirs"


def test_a_url_is_no_output_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in ("http://me:secret@host/x?token=secret", Path("http://me:secret@host/x?token=secret")):
        with (
            pytest.raises(OutputError, match=r"http://?\*\*\*@host/x\?\*\*\* is an address") as error,
            claim_output(out, names=["a.txt"]),
        ):
            pass
        assert "secret" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_a_pipe_in_the_way_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes in folders here")
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(OutputError, match="in the way"):
        require_free(tmp_path / "a.txt")


def test_folders_that_cannot_be_read_are_one_line(tmp_path):
    with pytest.raises(OutputError, match="a part of the path is a file"):
        prepare_folder(write(tmp_path / "file") / "out")
    assert files.write_error_hint(ValueError()) is None
