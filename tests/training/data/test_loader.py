from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.training.data.loader import Loader, balanced, targets
from tests.helpers.clips import example, numbers, write_clip

SAMPLING = Sampling(frames=4, rate=5, size=(8, 6))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Ten clips of two seconds; green is its number."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [write_clip(folder / f"{number}.mkv", 20, shade=20 * number) for number in range(10)]
    return [example(path, "ab"[number % 2]) for number, path in enumerate(paths)]


def loader(examples, augment=None, **options):
    return Loader(examples, ["a", "b"], SAMPLING, augment=augment, batch=options.pop("batch", 4), **options)


def epoch(examples, augment=None, number=0, **options):
    return list(loader(examples, augment, **options).epoch(number))


def content(batch):
    return [array.tobytes() for array in (batch.pixels, batch.targets, batch.indices, batch.starts)]


def same(ours, theirs):
    return list(map(content, ours)) == list(map(content, theirs))


def test_evaluation_goes_in_order(clips):
    batches = epoch(clips)
    assert [batch.indices.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[0].pixels.shape == (4, 4, 6, 8, 3)
    assert batches[0].pixels.dtype == np.uint8
    assert batches[0].targets.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert [numbers(clip) for clip in batches[2].pixels] == [[6, 8, 10, 12]] * 2
    assert batches[2].starts.tolist() == [0.6, 0.6]
    assert len(loader(clips)) == 3


def test_views_of_a_clip_follow_each_other(clips):
    (batch, *rest) = epoch(clips[:3], views=3, batch=4)
    assert batch.indices.tolist() == [0, 0, 0, 1]
    assert batch.starts.tolist() == pytest.approx([0, 0.6, 1.2, 0])
    assert [numbers(clip) for clip in batch.pixels] == [[0, 2, 4, 6], [6, 8, 10, 12], [12, 14, 16, 18], [0, 2, 4, 6]]
    assert sum(map(len, rest)) + len(batch) == 9


def test_training_shows_each_once_and_fills_the_last_batch(clips):
    batches = epoch(clips, Augment())
    assert [len(batch) for batch in batches] == [4, 4, 4]
    shown = np.concatenate([batch.indices for batch in batches])
    assert sorted(shown[:10].tolist()) == list(range(10))
    assert shown[10:].tolist() == shown[:2].tolist()
    # Those that come again are other clips.
    assert not np.array_equal(batches[2].pixels[2:], batches[0].pixels[:2])


def test_fewer_examples_than_a_batch(clips):
    (batch,) = epoch(clips[:3], Augment(), batch=8)
    assert batch.pixels.shape[0] == 8


def test_epochs_differ_and_begin_at_random(clips):
    first, second = epoch(clips, Augment.off()), epoch(clips, Augment.off(), 1)
    assert not same(first, second)
    starts = np.concatenate([batch.starts for batch in first])
    assert len(set(starts.tolist())) > 3
    assert starts.min() >= 0
    assert starts.max() <= 1.2
    for batch in first:
        for clip, start in zip(batch.pixels, batch.starts, strict=True):
            assert numbers(clip) == (round(10 * start) + np.array([0, 2, 4, 6])).tolist()


def test_same_seed_same_batches_whatever_the_workers(clips):
    augment = Augment(noise=5, mixup=0.4, cutmix=1.0, stride=1.5, reverse=0.5)
    one = epoch(clips, augment, workers=1)
    assert same(one, epoch(clips, augment, workers=4))
    assert same(one, epoch(clips, augment, workers=2, cache=False))
    assert not same(one, epoch(clips, augment, seed=1))
    assert same(epoch(clips, augment, seed=-1), epoch(clips, augment, seed=-1))


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("augment", [None, Augment(), Augment(mixup=0.4, cutmix=1.0)])
def test_processes_share_the_same_batches(clips, world, augment):
    whole = epoch(clips, augment)
    parts = [epoch(clips, augment, rank=rank, world=world) for rank in range(world)]
    for place, batch in enumerate(whole):
        for rank, part in enumerate(parts):
            if len(batch.pixels[rank::world]):
                assert np.array_equal(part[place].pixels, batch.pixels[rank::world])
                assert np.array_equal(part[place].targets, batch.targets[rank::world])


def test_going_on_in_the_middle_of_an_epoch(clips):
    one = loader(clips, Augment())
    assert same(list(one.epoch(3))[1:], list(one.epoch(3, first=1)))


def test_played_backwards_and_faster(clips):
    (batch,) = epoch(clips[:4], Augment.off(reverse=1))
    for clip, start in zip(batch.pixels, batch.starts, strict=True):
        assert numbers(clip) == (round(10 * start) + np.array([6, 4, 2, 0])).tolist()
    steps = [np.diff(numbers(clip)).mean() for clip in epoch(clips[:4], Augment.off(stride=2), batch=32)[0].pixels]
    assert min(steps) < 1.7
    assert max(steps) > 2.5


def test_mixed_targets_are_shares(clips):
    batches = epoch(clips, Augment.off(mixup=1.0))
    rows = np.concatenate([batch.targets for batch in batches])
    assert np.allclose(rows.sum(1), 1)
    assert ((rows > 0.05) & (rows < 0.95)).any()


@pytest.fixture
def damaged(clips, tmp_path):
    """The clips, of which the third is text and the fifth is empty."""
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "empty.mp4").touch()
    changed = list(clips)
    changed[2], changed[4] = example(tmp_path / "text.mp4"), example(tmp_path / "empty.mp4")
    return changed


def test_unreadable_clips_are_replaced_in_training(damaged):
    one = loader(damaged, Augment(), workers=1)
    batches = list(one.epoch(0))
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert not {2, 4} & {index for batch in batches for index in batch.indices.tolist()}
    assert {path.rpartition("/")[2] for path in one.unreadable} == {"text.mp4", "empty.mp4"}
    assert all("\n" not in reason for reason in one.unreadable.values())
    assert same(batches, list(one.epoch(0)))
    assert same(batches, epoch(damaged, Augment(), workers=3))


def test_unreadable_clips_are_left_out_in_evaluation(damaged):
    one = loader(damaged, batch=2)
    assert [batch.indices.tolist() for batch in one.epoch(0)] == [[0, 1], [3], [5], [6, 7], [8, 9]]
    assert len(one.unreadable) == 2


def test_all_unreadable(damaged):
    for augment in (None, Augment()):
        with pytest.raises(DatasetError, match=r"none of the 2 clips can be read; .*text.mp4 is not a video"):
            epoch([damaged[2], damaged[4]], augment)


def test_a_segment_that_is_not_there_breaks_no_other_of_the_same_file(clips):
    late = example(clips[0].path, start=50.0)
    one = loader([late, clips[0], clips[1]], workers=1)
    assert [batch.indices.tolist() for batch in one.epoch(0)] == [[1, 2]]


def test_leaving_in_the_middle_is_clean(clips):
    batches = loader(clips, Augment(), batch=1).epoch(0)
    assert len(next(batches)) == 1
    batches.close()
    assert list(batches) == []


def test_waiting_is_counted(clips):
    one = loader(clips)
    list(one.epoch(0))
    assert one.waited > 0


def test_classes_come_equally_often():
    rows = np.eye(3, dtype=np.float32)[[0] * 12 + [1] * 3 + [2] * 3]
    order = balanced(rows, len(rows), np.random.default_rng(0))
    assert np.bincount(rows[order].argmax(1)).tolist() == [6, 6, 6]
    assert len(set(order)) == 12
    assert balanced(rows, len(rows), np.random.default_rng(1)) != order


def test_balance_of_several_labels_goes_by_the_rarest():
    rows = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 0]], np.float32)
    order = balanced(rows, len(rows), np.random.default_rng(0))
    assert len(order) == 5
    assert order.count(3) in (2, 3)
    assert 4 not in order


def test_balanced_training(clips):
    allow_few = [clips[0], clips[2], clips[4], clips[6], clips[8], clips[1], clips[3]]
    shown = np.concatenate([batch.targets for batch in epoch(allow_few, Augment(), balance=True, batch=8)])
    assert shown.sum(0).tolist() == [4, 4]


def test_several_labels():
    assert targets([example(Path("x"), "b", "a"), example(Path("y"), "b")], ["a", "b", "c"]).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
    ]
    with pytest.raises(DatasetError, match=r"x is labelled q, which is none of a, b"):
        targets([example(Path("x"), "q")], ["a", "b"])


def test_impossible_options(clips):
    with pytest.raises(DatasetError, match="there are no clips to load"):
        loader([])
    with pytest.raises(OptionError, match="a batch of 4 clips cannot be divided into 3 equal parts"):
        loader(clips, world=3)
    with pytest.raises(OptionError, match="cannot take 0 views"):
        loader(clips, views=0)
