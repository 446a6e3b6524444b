import numpy as np
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.core.sampling import Sampling
from kinoscope.source.synthetic.moving_shapes import SHAPES
from kinoscope.training.data.streams import MIN_CLIPS, SyntheticClipStream, folder_stream, make_stream
from kinoscope.training.distributed import Processes
from tests.helpers.clips import numbers, write_clip

SAMPLING = Sampling(5, 10.0, (16, 12))
ONE = Processes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for name in ("go", "stay"):
        (root / name).mkdir()
        for number in range(4):
            write_clip(root / name / f"{number}.mkv", 12, shade=10 * number)
    return root


def test_classes_are_the_folders(folder):
    feed = make_stream(folder, SAMPLING)
    assert (feed.classes, len(feed)) == (("go", "stay"), 8)
    pixels, labels = next(feed.batches(0, 1, 4, ONE))
    assert pixels.shape == (4, 5, 12, 16, 3)
    assert set(labels.tolist()) <= {0, 1}
    first = numbers(pixels[0])
    assert first == list(range(first[0], first[0] + 5))


def test_classes_can_be_left_aside(folder):
    feed = make_stream(folder, SAMPLING, classes=False)
    assert feed.classes == ()
    assert next(feed.batches(0, 1, 4, ONE))[1].tolist() == [0] * 4


def test_clips_need_no_folders_of_classes(folder, tmp_path):
    for path in folder.rglob("*.mkv"):
        (tmp_path / f"{path.parent.name}{path.name}").symlink_to(path)
    feed = make_stream(tmp_path, SAMPLING)
    assert (feed.classes, len(feed)) == ((), 8)


def test_an_epoch_has_its_steps_however_few_clips_there_are_and_is_the_same_each_time(folder):
    feed = make_stream(folder, SAMPLING)
    epochs = [[pixels.copy() for pixels, _ in feed.batches(number, 5, 4, ONE)] for number in (0, 0, 1)]
    assert [len(epoch) for epoch in epochs] == [5, 5, 5]
    assert np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epochs[2])


@pytest.mark.parametrize("data", ["folder", "synthetic:moving"])
def test_processes_share_a_batch(folder, data):
    feed = make_stream(folder if data == "folder" else data, Sampling(5, 10.0, (16, 16)))
    (whole, labels), *_ = feed.batches(3, 1, 4, ONE)
    parts = [next(feed.batches(3, 1, 4, Processes(rank, 2))) for rank in (0, 1)]
    for rank, (pixels, kinds) in enumerate(parts):
        assert np.array_equal(pixels, whole[rank::2])
        assert np.array_equal(kinds, labels[rank::2])


def test_too_few_clips_say_so_and_how_to_augment_them(folder, tmp_path):
    for path in [*folder.rglob("*.mkv")][: MIN_CLIPS - 1]:
        (tmp_path / f"{path.parent.name}{path.name}").symlink_to(path)
    with pytest.raises(DatasetError, match=r"7 clips to learn from; give 8 or more.*augment=strong"):
        folder_stream(tmp_path, SAMPLING)
    assert len(folder_stream(tmp_path, SAMPLING, allow_few=True)) == 7


def test_clips_that_are_too_short_or_unreadable_are_left_out_and_reported(folder, tmp_path):
    for path in folder.rglob("*.mkv"):
        (tmp_path / f"{path.parent.name}{path.name}").symlink_to(path)
    write_clip(tmp_path / "short.mkv", 3)
    (tmp_path / "text.mkv").write_text("no video")
    feed = folder_stream(tmp_path, SAMPLING)
    assert len(feed) == 8
    assert "lasts 0.30 s, less than 5 frames at 10 a second (0.50 s)" in feed.unreadable[str(tmp_path / "short.mkv")]
    assert str(tmp_path / "text.mkv") in feed.unreadable
    with pytest.raises(DatasetError, match=r"0 clips to learn from; 10 cannot be used: .*lower frames or raise rate"):
        folder_stream(tmp_path, Sampling(50, 10.0, (16, 12)))


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match="holds no clips"):
        make_stream(tmp_path, SAMPLING)


def test_shapes_come_in_turn_and_without_end():
    feed = SyntheticClipStream(Sampling(5, 10.0, (16, 16)))
    assert (feed.classes, len(feed)) == (SHAPES, 0)
    batches = list(feed.batches(0, 2, 6, ONE))
    assert [labels.tolist() for _, labels in batches] == [[0, 1, 2, 0, 1, 2]] * 2
    assert not np.array_equal(batches[0][0], batches[1][0])
    assert SyntheticClipStream(Sampling(5, 10.0, (16, 16)), labelled=False).classes == ()
