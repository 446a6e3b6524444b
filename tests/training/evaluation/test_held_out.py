"""The clips that a model was not trained on."""

from pathlib import Path

import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.splits import save_splits
from kinoscope.training.evaluation.held_out import (
    choose_examples,
    grouping_rule,
    leakage_notes,
    training_splits,
    with_training_splits,
)

TRAIN, VAL, TEST = (Example(f"{name}.mp4", ("red",)) for name in ("a", "b", "c"))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(str(tmp_path / "clips"), (TRAIN, VAL, TEST), ("red",))


@pytest.fixture
def model(tmp_path: Path, dataset: Dataset) -> str:
    """Folder of a model that was trained on the dataset."""
    (tmp_path / "model").mkdir()
    save_splits(tmp_path / "model" / "splits.json", {"train": [TRAIN], "val": [VAL], "test": [TEST]}, dataset)
    return str(tmp_path / "model")


def test_the_splits_of_the_run_are_those_of_the_data(dataset: Dataset, model: str) -> None:
    chosen, name = choose_examples(with_training_splits(dataset, model), None)
    assert ([example.path for example in chosen], name) == (["c.mp4"], "test")


def test_without_splits_all_clips_are_scored(dataset: Dataset, tmp_path: Path) -> None:
    assert with_training_splits(dataset, str(tmp_path)) is dataset
    assert choose_examples(dataset, None) == (dataset.examples, "all")
    with pytest.raises(DatasetError, match="has no clips of split val: it has no splits; give --split all"):
        choose_examples(dataset, "val")


def test_a_run_on_other_data_has_no_splits_for_it(model: str, tmp_path: Path) -> None:
    assert training_splits(Dataset(str(tmp_path / "other"), (TRAIN,), ("red",)), model) is None


def test_notes_name_the_clips_that_a_model_knows(dataset: Dataset, model: str) -> None:
    assert leakage_notes([TEST], dataset, [model]) == ()
    (trained,) = leakage_notes([TRAIN, VAL], dataset, [model])
    assert trained.startswith(f"{model} was trained on 1 of these clips")
    (selected,) = leakage_notes([VAL, TEST], dataset, [model])
    assert selected.startswith(f"the best epoch of {model} was selected on these clips")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"options": 3}', '{"options": {}}'])
def test_a_model_without_a_grouping_rule(text: str, tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text(text)
    assert grouping_rule(str(tmp_path)) == ""


def test_the_grouping_rule_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text('{"options": {"group": "number"}}')
    assert grouping_rule(str(tmp_path)) == "number"
