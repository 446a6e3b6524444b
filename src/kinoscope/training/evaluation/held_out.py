"""The clips that a model was not trained on: by the splits of the data, or else by those of the model's run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kinoscope.core.errors import DatasetError
from kinoscope.core.untrusted import read_json
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.splits import read_splits

SPLITS = ("train", "val", "test", "all")
"""Values of the option ``split``."""


def grouping_rule(model: str) -> str:
    """Return the rule that grouped the training clips of a model; empty if there was none."""
    try:
        return str(read_json(Path(model) / "options.json", allow_nan=True)["options"]["group"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def with_training_splits(dataset: Dataset, model: str) -> Dataset:
    """Return the dataset with the splits of the run that trained a model, where the data itself has none."""
    splits = training_splits(dataset, model)
    if splits is None or any(example.split for example in dataset.examples):
        return dataset
    split_of = {example: name for name, examples in splits.items() for example in examples}
    return replace(
        dataset, examples=tuple(replace(example, split=split_of.get(example)) for example in dataset.examples)
    )


def training_splits(dataset: Dataset, model: str) -> dict[str, list[Example]] | None:
    """Return the training, validation and test clips of a model's run; None if it was trained on other data."""
    path = Path(model) / "splits.json"
    try:
        same = Path(read_json(path)["root"]).resolve() == Path(dataset.root).resolve()
        return dict(read_splits(path, dataset)) if same else None
    except (OSError, ValueError, KeyError, TypeError, DatasetError):
        return None


def choose_examples(dataset: Dataset, split: str | None) -> tuple[tuple[Example, ...], str]:
    """Return the examples of a split, and its name; by default the test split, else the validation split, else all.

    Raises:
        DatasetError: the data has no such split.
    """
    has = [name for name in SPLITS if any(example.split == name for example in dataset.examples)]
    name = split or next((name for name in ("test", "val") if name in has), "all")
    if name == "all":
        return dataset.examples, name
    examples = tuple(example for example in dataset.examples if example.split == name)
    if not examples:
        existing = f"it has {', '.join(has)}" if has else "it has no splits"
        raise DatasetError(f"{dataset.root} has no clips of split {name}: {existing}; give --split all for all clips")
    return examples, name


def leakage_notes(examples: Sequence[Example], dataset: Dataset, models: Sequence[str]) -> tuple[str, ...]:
    """Return why scores are too high: clips that a model was trained on, or that its best epoch was selected by."""
    notes = []
    for model in models:
        splits = training_splits(dataset, model)
        if splits is None:
            continue
        shared = {name: len({*map(_clip_key, examples)} & {*map(_clip_key, splits[name])}) for name in ("train", "val")}
        if shared["train"]:
            notes.append(
                f"{model} was trained on {shared['train']} of these clips: its score on new clips will be lower"
            )
        elif shared["val"]:
            notes.append(
                f"the best epoch of {model} was selected on these clips: its score on new clips may be slightly lower"
            )
    return tuple(notes)


def _clip_key(example: Example) -> tuple[str, float | None, float | None]:
    return example.path, example.start, example.end
