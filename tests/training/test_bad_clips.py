"""What may lie in a folder of clips: none of it stops training, and all of it is named."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.training.data.checks import check
from kinoscope.training.data.loader import Loader
from kinoscope.training.data.readers import read_dataset
from tests.helpers.clips import numbers, write_clip

SAMPLING = Sampling(frames=4, rate=5, size=(8, 6))


def sound_alone(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.fixture
def root(tmp_path):
    """A folder with one whole clip, and one of every trouble."""
    for label in "ab":
        (tmp_path / label).mkdir()
    write_clip(tmp_path / "a" / "whole.mkv", 20)
    write_clip(tmp_path / "b" / "sp ace ünï 'q' [1] %d 日本.mkv", 20, shade=9)
    write_clip(tmp_path / "b" / "one frame.mkv", 1)
    times = [Fraction(0), Fraction(1, 20), Fraction(3, 20), Fraction(1), Fraction(21, 20), Fraction(2)]
    write_clip(tmp_path / "b" / "variable.mkv", 6, times=times)
    (tmp_path / "a" / "empty.mp4").touch()
    (tmp_path / "a" / "text.mp4").write_text("This is not a video.\n" * 50)
    (tmp_path / "a" / "empty folder").mkdir()
    (tmp_path / "a" / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "a" / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "a" / "self").symlink_to(".")
    sound_alone(tmp_path / "b" / "sound.mkv")
    cut = write_clip(tmp_path / "b" / "cut.mp4", 40)
    cut.write_bytes(cut.read_bytes()[:600])
    return tmp_path


BROKEN = {"empty.mp4", "text.mp4", "sound.mkv", "cut.mp4"}


def names(paths):
    return {os.path.basename(path) for path in paths}


def test_what_is_read(root):
    dataset = read_dataset(root)
    assert {os.path.basename(one.path) for one in dataset.examples} == BROKEN | {
        "whole.mkv", "sp ace ünï 'q' [1] %d 日本.mkv", "one frame.mkv", "variable.mkv",
    }  # fmt: skip


def test_training_continues(root):
    dataset = read_dataset(root)
    loader = Loader(dataset.examples, dataset.classes, SAMPLING, augment=Augment(), batch=4)
    batches = [*loader.epoch(0), *loader.epoch(1)]
    assert [len(batch) for batch in batches] == [4] * len(batches)
    assert names(loader.unreadable) == BROKEN


def test_evaluation_continues(root):
    dataset = read_dataset(root)
    loader = Loader(dataset.examples, dataset.classes, SAMPLING, batch=4)
    shown = {
        os.path.basename(dataset.examples[index].path): numbers(clip)
        for batch in loader.epoch(0)
        for index, clip in zip(batch.indices.tolist(), batch.pixels, strict=True)
    }
    assert names(loader.unreadable) == BROKEN
    assert shown["one frame.mkv"] == [0, 0, 0, 0]
    assert shown["whole.mkv"] == shown["sp ace ünï 'q' [1] %d 日本.mkv"] == [6, 8, 10, 12]
    # From 0.6 s on, every 0.2 s: the third frame is on screen until 1 s, the fifth from 1.05 s on.
    assert shown["variable.mkv"] == [2, 2, 3, 4]


def test_the_check_names_all(root):
    health = check(read_dataset(root))
    assert names(one.path for one in health.findings if one.kind == "unreadable") == BROKEN
    assert "one frame.mkv" in names(one.path for one in health.findings if one.kind == "tiny")


def test_a_clip_that_may_not_be_read(root):
    (root / "a" / "whole.mkv").chmod(0)
    if os.access(root / "a" / "whole.mkv", os.R_OK):
        pytest.skip("this user may read everything")
    dataset = read_dataset(root)
    loader = Loader(dataset.examples, dataset.classes, SAMPLING, batch=4)
    list(loader.epoch(0))
    assert "permission denied" in {os.path.basename(path): why for path, why in loader.unreadable.items()}["whole.mkv"]
