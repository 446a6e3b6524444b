import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.splits import folds, group_of, read_splits, save_splits, split


def make(*rows):
    """Make a dataset of rows (label, group) or (label, group, split)."""
    examples = tuple(
        Example(f"/d/{label}/{number}.mp4", tuple(label.split("|")), group=group, split=rest[0] if rest else None)
        for number, (label, group, *rest) in enumerate(rows)
    )
    classes = tuple(sorted({label for one in examples for label in one.labels}))
    return Dataset("/d", examples, classes, any(len(one.labels) > 1 for one in examples))


def plain(counts, group=lambda label, number: ""):
    return make(*((label, group(label, number)) for label, count in counts.items() for number in range(count)))


def sizes(splits):
    return {
        name: {label: sum(label in one.labels for one in part) for label in "abc" if part}
        for name, part in splits.items()
    }


def test_each_class_is_spread_evenly():
    splits = split(plain({"a": 50, "b": 20, "c": 10}), val=0.2, test=0.1)
    assert sizes(splits) == {
        "train": {"a": 35, "b": 14, "c": 7}, "val": {"a": 10, "b": 4, "c": 2}, "test": {"a": 5, "b": 2, "c": 1},
    }  # fmt: skip


def test_few_clips_of_a_class_are_in_every_split():
    assert sizes(split(plain({"a": 40, "b": 2}))) == {
        "train": {"a": 32, "b": 1, "c": 0}, "val": {"a": 8, "b": 1, "c": 0}, "test": {},
    }  # fmt: skip


def test_seeds():
    dataset = plain({"a": 30, "b": 30})
    assert split(dataset) == split(dataset)
    assert split(dataset)["val"] != split(dataset, seed=1)["val"]


def test_no_validation():
    dataset = plain({"a": 1, "b": 1})
    assert split(dataset, val=0) == {"train": list(dataset.examples), "val": [], "test": []}


rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=40, max_size=80).filter(
    lambda rows: all(len({group for label, group in rows if label == one}) > 5 for one in "abc")
)


@given(rows, st.integers(0, 99))
@settings(max_examples=25)
def test_groups_stay_together_and_nothing_is_lost(rows, seed):
    dataset = make(*((label, str(group)) for label, group in rows))
    for splits in (split(dataset, 0.25, 0.2, seed), *folds(dataset, 3, seed)):
        parts = [{group_of(one) for one in part} for part in splits.values()]
        assert not parts[0] & parts[1]
        assert not (parts[0] | parts[1]) & parts[2]
        assert sorted(map(id, (one for part in splits.values() for one in part))) == sorted(map(id, dataset.examples))


def test_segments_of_one_file_stay_together():
    examples = tuple(
        Example(f"/d/{name}.mp4", (label,), float(start)) for name in range(10) for start, label in enumerate("ab")
    )
    splits = split(Dataset("/d", examples, ("a", "b")))
    assert not {one.path for one in splits["train"]} & {one.path for one in splits["val"]}


def test_given_splits_are_kept():
    rows = [(label, "", name) for label in "ab" for name in ("train", "val", "test", None)]
    dataset = make(*rows)
    splits = split(dataset, val=0.5, test=0.4)
    assert splits["val"] == [one for one in dataset.examples if one.split == "val"]
    assert splits["test"] == [one for one in dataset.examples if one.split == "test"]
    assert splits["train"] == [one for one in dataset.examples if one.split in ("train", None)]


def test_validation_is_sampled_where_only_a_test_is_given():
    dataset = make(*((label, "", "train") for label in "ab" for _ in range(10)), ("a", "", "test"), ("b", "", "test"))
    assert sizes(split(dataset)) == {
        "train": {"a": 8, "b": 8, "c": 0}, "val": {"a": 2, "b": 2, "c": 0}, "test": {"a": 1, "b": 1, "c": 0},
    }  # fmt: skip


def test_folds_of_contiguous_blocks():
    dataset = plain({"a": 10, "b": 10}, lambda label, number: str(number // 2))
    made = folds(dataset, 5)
    assert [sorted({one.group for one in fold["val"]}) for fold in made] == [["0"], ["1"], ["2"], ["3"], ["4"]]
    assert all(sizes(fold)["train"] == {"a": 8, "b": 8, "c": 0} for fold in made)


def test_leave_one_person_out():
    dataset = plain({"a": 4, "b": 3}, lambda label, number: f"p{number}")
    made = folds(dataset, 4)
    assert [{one.group for one in fold["val"]} for fold in made] == [{"p0"}, {"p1"}, {"p2"}, {"p3"}]
    assert all("p0" not in {one.group for one in fold["train"]} for fold in made[:1])


def test_a_given_test_split_is_in_no_fold():
    dataset = make(*((label, "") for label in "ab" for _ in range(4)), ("a", "", "test"))
    for fold in folds(dataset, 2):
        assert [one.split for one in fold["test"]] == ["test"]
        assert len(fold["train"]) + len(fold["val"]) == 8


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (plain({"a": 5, "b": 1}), r"class b is missing from val: it has one clip \(/d/b/5.mp4\), and needs one for "
         r"each split; add clips of it; or set val=0 to learn from all"),
        (plain({"a": 5, "b": 4}, lambda label, number: "anna" if label == "b" else str(number)),
         r"class b is missing from (train|val): its 4 clips are all of one group anna, which stays together"),
        (make(("a", "", "train"), ("a", "", "val"), ("b", "", "train"), ("b", "", "train")),
         r"class b is missing from val: the data assigns none of its 2 clips to val; add some there"),
        (make(("a", "", "train"), ("a", "", "val"), ("b", "", "val"), ("b", "", "val")),
         r"class b is missing from train: the data assigns none of its 2 clips to train; add some there$"),
        (plain({"a": 5}), r"/d holds one class, a; a classifier needs two or more"),
    ],
)  # fmt: skip
def test_a_class_that_is_missing(dataset, message):
    with pytest.raises(DatasetError, match=message):
        split(dataset)


def test_folds_that_cannot_be():
    dataset = plain({"a": 4, "b": 4}, lambda label, number: str(number // 2))
    with pytest.raises(DatasetError, match=r"3 folds need 3 groups, and there are 2; make fewer folds"):
        folds(dataset, 3)
    with pytest.raises(OptionError, match="cannot make 1 folds"):
        folds(dataset, 1)
    with pytest.raises(DatasetError, match="class b is missing from train: it has one clip"):
        folds(plain({"a": 4, "b": 1}), 2)


@pytest.mark.parametrize("shares", [(0.8, 0.2), (-0.1, 0), (float("nan"), 0)])
def test_shares_that_cannot_be(shares):
    with pytest.raises(OptionError, match="leave nothing to learn from"):
        split(plain({"a": 4, "b": 4}), *shares)


def test_several_labels():
    dataset = make(*[("a|b", "")] * 10, *[("b|c", "")] * 10, *[("a", "")] * 10)
    assert sizes(split(dataset))["val"] == {"a": 4, "b": 4, "c": 2}


def test_saved_and_read_elsewhere(tmp_path):
    dataset = plain({"a": 5, "b": 5})
    examples = (*dataset.examples, Example("/d/é.mp4", ("a",), 1.5, 2), Example("/d/é.mp4", ("a",), 2))
    dataset = Dataset("/d", examples, dataset.classes)
    splits = split(dataset)
    save_splits(tmp_path / "splits.json", splits, dataset)
    assert read_splits(tmp_path / "splits.json", dataset) == splits
    elsewhere = tuple(replace(one, path=one.path.replace("/d", "/e")) for one in examples)
    moved = Dataset("/e", elsewhere, ("a", "b"))
    again = read_splits(tmp_path / "splits.json", moved)
    assert [one.path.replace("/e", "/d") for one in again["val"]] == [one.path for one in splits["val"]]
    assert set(json.loads((tmp_path / "splits.json").read_text("utf-8"))) == {"root", "train", "val", "test"}


def test_splits_of_other_data(tmp_path):
    path = tmp_path / "splits.json"
    save_splits(path, split(plain({"a": 5, "b": 5})), plain({"a": 5, "b": 5}))
    with pytest.raises(DatasetError, match=r"/d has no clip a/\d.mp4, which .*splits.json names; give the data"):
        read_splits(path, plain({"b": 5}))
    for text in ("[]", "{", '{"train": []}'):
        path.write_text(text)
        with pytest.raises(DatasetError, match="cannot be read as splits"):
            read_splits(path, plain({"b": 5}))
