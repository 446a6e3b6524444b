import shutil
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.media import Frame
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from kinoscope.training.data.checks import DatasetReport, Finding, check, fingerprint
from kinoscope.training.data.dataset import Dataset, Example
from tests.helpers.clips import write_clip


def data(*paths, **rest):
    return Dataset("/d", tuple(Example(str(path), ("a",), **rest) for path in paths), ("a",))


def found(health):
    return [(finding.kind, finding.path.rpartition("/")[2], finding.detail) for finding in health.findings]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A clip with audio, and nothing wrong."""
    return flash_and_beep(duration=1, width=64, height=48).write(tmp_path_factory.mktemp("good") / "good.mkv")


def test_all_is_well(good):
    health = check(data(good))
    assert str(health) == "1 clips checked: no problems"
    assert health.rows() == []
    assert health.count() == {}


def test_silent(tmp_path):
    mute = shapes(duration=1, width=64, height=48).write(tmp_path / "mute.mkv")
    still = flash_and_beep(duration=1, period=3, width=64, height=48).write(tmp_path / "still.mkv")
    assert found(check(data(mute, still), audio=True)) == [
        ("silent", "mute.mkv", "no audio"), ("silent", "still.mkv", "its audio is silent"),
    ]  # fmt: skip


def test_silence_is_no_fault_where_no_audio_is_learned_from(tmp_path):
    mute = shapes(duration=1, width=64, height=48).write(tmp_path / "mute.mkv")
    assert found(check(data(mute))) == []


@pytest.mark.parametrize("kind", ["unreadable", "leak", "tiny", "duplicate", "near duplicate", "silent"])
def test_only_what_spoils_a_training_makes_a_check_fail(kind):
    assert DatasetReport(9, (Finding(kind, "a.mp4", ""),)).status == (kind in ("unreadable", "leak"))
    assert DatasetReport(9, ()).status == 0


def test_tiny(tmp_path):
    few = shapes(duration=0.2, width=64, height=48).write(tmp_path / "few.mkv")
    small = write_clip(tmp_path / "small.mkv", 30)
    kinds = [one for one in found(check(data(few, small))) if one[0] == "tiny"]
    assert kinds == [
        ("tiny", "few.mkv", "5 frames, 0.20 s, 64x48 pixels"), ("tiny", "small.mkv", "30 frames, 3.00 s, 16x12 pixels"),
    ]  # fmt: skip


def test_broken(tmp_path, good):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("text " * 99)
    whole = shapes(duration=4, width=64, height=64).write(tmp_path / "cut.mp4", lossless=True)
    whole.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) * 2 // 3])
    names = ["empty.mp4", "text.mp4", "cut.mp4", "gone.mp4"]
    unreadable = {
        name: detail
        for kind, name, detail in found(check(data(good, *map(tmp_path.joinpath, names))))
        if kind == "unreadable"
    }
    assert list(unreadable) == names
    assert "0 bytes" in unreadable["empty.mp4"]
    assert unreadable["cut.mp4"]
    assert all("\n" not in detail for detail in unreadable.values())


def test_the_same_content(tmp_path, good):
    copy = shutil.copy(good, tmp_path / "copy.mkv")
    assert found(check(data(good, copy))) == [("duplicate", "copy.mkv", f"as {good}")]


def test_two_segments_of_one_file_are_no_duplicates(good):
    examples = (Example(str(good), ("a",), 0, 0.5), Example(str(good), ("a",), 0.5, 1))
    assert "duplicate" not in check(Dataset("/d", examples, ("a",))).count()


def test_nearly_the_same_content(tmp_path):
    source = shapes(duration=1, width=96, height=64)
    one = source.write(tmp_path / "one.mkv")
    small = source.write(tmp_path / "small.mp4", size=(64, 48), quality=30)
    with Writer(tmp_path / "bright.mkv", (96, 64), 25) as writer:
        for frame in source.frames():
            writer.write(Frame(np.minimum(frame.pixels, 205) + np.uint8(50), frame.time))
    later = shapes(duration=1, width=96, height=64, start=0, count=2).write(tmp_path / "other.mkv")
    health = check(data(one, small, tmp_path / "bright.mkv", later))
    near = [(kind, name) for kind, name, _ in found(health) if kind != "silent"]
    assert near == [("near duplicate", "small.mp4"), ("near duplicate", "bright.mkv"), ("near duplicate", "bright.mkv")]


def test_two_moments_before_one_camera_are_not_the_same(tmp_path):
    room = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for name, first in (("one", 0), ("two", 30)):
        with Writer(tmp_path / f"{name}.mkv", (64, 48), 25, lossless=True) as writer:
            for index in range(25):
                picture = room.copy()
                picture[10:30, (first + index) : (first + index) + 10] = 255
                writer.write(Frame(picture, Fraction(index, 25)))
    assert "near duplicate" not in check(data(tmp_path / "one.mkv", tmp_path / "two.mkv")).count()


def test_leaks(tmp_path, good):
    other = shapes(duration=1, width=64, height=48).write(tmp_path / "other.mkv")
    copy = shutil.copy(good, tmp_path / "copy.mkv")
    examples = tuple(
        Example(str(path), ("a",), group=group, split=split)
        for path, group, split in ((good, "x", "train"), (copy, "y", "val"), (other, "y", "train"))
    )
    dataset = Dataset("/d", examples, ("a",))
    leaks = [one for one in found(check(dataset)) if one[0] == "leak"]
    assert leaks == [
        ("leak", "copy.mkv", f"in val, and {good} in train"), ("leak", "copy.mkv", "group y is in train and val"),
    ]  # fmt: skip
    assert "leak" not in check(dataset, {"train": examples, "val": []}).count()


def test_a_file_in_two_splits_leaks(good):
    examples = (Example(str(good), ("a",), 0, 0.5, split="train"), Example(str(good), ("a",), 0.5, 1, split="test"))
    leaks = [one for one in found(check(Dataset("/d", examples, ("a",)))) if one[0] == "leak"]
    assert leaks == [("leak", "good.mkv", "its file is in test and train")]


def test_a_report_shows_the_first_of_each_kind():
    from kinoscope.training.data.checks import DatasetReport

    health = DatasetReport(9, tuple(Finding("silent", f"{number}.mp4", "no audio") for number in range(7)))
    lines = list(health.lines(max_shown=2))
    assert lines == [
        "9 clips checked", "7 silent: no audio, or only silence", "  0.mp4: no audio", "  1.mp4: no audio",
        "  and 5 more",
    ]  # fmt: skip
    assert health.rows()[0] == {"kind": "silent", "path": "0.mp4", "detail": "no audio"}


def test_progress(good):
    told = []
    check(data(good, good), progress=lambda done, count: told.append((done, count)))
    assert told == [(1, 2), (2, 2)]


def test_a_black_clip_has_no_fingerprint():
    assert fingerprint(np.zeros((9, 16, 16, 3), np.uint8)) == (None, None)
