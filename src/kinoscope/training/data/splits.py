"""Training, validation and test splits, by group and stratified by class.

Examples of one group stay together, and so do parts of one file; each class is spread as evenly as that allows.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.files import atomic_write
from kinoscope.core.untrusted import read_json
from kinoscope.training.data.dataset import Dataset, Example

Splits = dict[str, list[Example]]
"""``train``, ``val`` and ``test``, each a list in the dataset's order; all are present, but one may be empty."""

NAMES = ("train", "val", "test")

MAX_SPLITS_BYTES = 500_000_000
"""Maximum size of a file of splits, which names every clip."""

ATTEMPTS = 100
"""Maximum number of orders that are tried until every class is in every split."""


def split(dataset: Dataset, val: float = 0.2, test: float = 0.0, seed: int = 0) -> Splits:
    """Divide a dataset by group; each class is spread evenly.

    Splits that the data defines are kept. A validation or test split that it does not define is sampled from the rest.

    Args:
        val, test: shares of the examples; 0 makes none.
        seed: of the random order.

    Raises:
        DatasetError: a class is missing from a split; the message says why.
        OptionError: the shares leave nothing to learn from.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise OptionError(f"val={val:g} and test={test:g} leave nothing to learn from; give shares below 1 together")
    defined: Splits = {name: [example for example in dataset.examples if example.split == name] for name in NAMES}
    divisible = [example for example in dataset.examples if example.split in (None, "train")]
    shares = {"val": 0.0 if defined["val"] else val, "test": 0.0 if defined["test"] else test}
    shares = {"train": 1 - sum(shares.values()), **shares}
    names = [name for name in NAMES if shares[name] > 0]
    parts = _divide(divisible, dataset.classes, [shares[name] for name in names], seed)
    splits: Splits = {name: defined[name] if name != "train" else [] for name in NAMES}
    splits |= dict(zip(names, parts, strict=True))
    _check(dataset, splits, [name for name in NAMES if splits[name] or shares[name] > 0])
    return splits


def folds(dataset: Dataset, k: int, seed: int = 0) -> list[Splits]:
    """Divide a dataset into k folds by group: each in turn is ``val``, and the others are ``train``.

    With as many folds as groups, each group is held out once. Examples that the data defines as ``test`` stay so in
    all.

    Raises:
        DatasetError: there are fewer groups than folds, or a class is missing from training.
        OptionError: there are fewer than two folds.
    """
    if k < 2:
        raise OptionError(f"cannot make {k} folds; give 2 or more")
    divisible = [example for example in dataset.examples if example.split != "test"]
    groups = _groups(divisible)
    if len(groups) < k:
        raise DatasetError(f"{k} folds need {k} groups, and there are {len(groups)}; make fewer folds, or other groups")
    parts = _divide(divisible, dataset.classes, [1 / k] * k, seed)
    # A validation fold may lack a class (a person who does not show all), but the training folds may not.
    parts.sort(key=lambda part: divisible.index(part[0]))
    test = [example for example in dataset.examples if example.split == "test"]
    splits: list[Splits] = []
    for part in parts:
        part_ids = set(map(id, part))
        splits.append(
            {"train": [example for example in divisible if id(example) not in part_ids], "val": part, "test": test}
        )
        _check(dataset, splits[-1], ["train"])
    return splits


def group_of(example: Example) -> str:
    """Return the group of an example, or its file if it has none."""
    return f"group {example.group}" if example.group else os.path.realpath(example.path)


def _groups(examples: Sequence[Example]) -> dict[str, list[int]]:
    """Return the indices of the examples of each group, in the order in which groups appear."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        groups[group_of(example)].append(index)
    return dict(groups)


def _divide(
    examples: Sequence[Example], classes: Sequence[str], shares: Sequence[float], seed: int
) -> list[list[Example]]:
    """Divide examples by group into parts of about these shares, each class evenly: the best of several orders."""
    groups = list(_groups(examples).values())
    counts = _count(examples, groups, classes)
    target = _targets(counts, np.array(shares))
    random = np.random.default_rng(seed % 2**32)
    best: tuple[tuple[int, float], Int64Array] | None = None
    for _ in range(ATTEMPTS):
        parts = _assign(counts, target, random)
        score = _score_division(counts, target, parts)
        if best is None or score < best[0]:
            best = score, parts
        if not score[0]:
            break
    indices: list[list[int]] = [[] for _ in shares]
    for group, part in zip(groups, best[1] if best else (), strict=True):
        indices[part] += group
    return [[examples[index] for index in sorted(part)] for part in indices]


def _count(examples: Sequence[Example], groups: Sequence[Sequence[int]], classes: Sequence[str]) -> Float64Array:
    """Return the examples of each class in each group, and in a last column all of them: (G, K + 1)."""
    column = {name: index for index, name in enumerate(classes)}
    counts = np.zeros((len(groups), len(classes) + 1))
    for row, group in zip(counts, groups, strict=True):
        for index in group:
            row[[*(column[label] for label in examples[index].labels), -1]] += 1
    return counts


def _targets(counts: Float64Array, shares: Float64Array) -> Float64Array:
    """Return the target number of examples of each class in each part, (P, K + 1): its share, and at least one."""
    totals = counts.sum(0)
    target: Float64Array = np.maximum(np.outer(shares, totals), (totals >= len(shares)) & (totals > 0))
    target *= totals / np.maximum(target.sum(0), 1e-9)
    return target


def _assign(counts: Float64Array, target: Float64Array, random: np.random.Generator) -> Int64Array:
    """Assign each group, the largest first, to the part that it brings nearest to its target."""
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    weights = 1 / np.maximum(counts.sum(0), 1) ** 2
    have = np.zeros_like(target)
    parts = np.zeros(len(counts), np.int64)
    for group in order:
        lacking = target - have
        # The decrease of the squared distance from the target.
        gain = (counts[group] * (2 * lacking - counts[group])) @ weights
        parts[group] = gain.argmax()
        have[parts[group]] += counts[group]
    return parts


def _score_division(counts: Float64Array, target: Float64Array, parts: Int64Array) -> tuple[int, float]:
    """Return how many classes are missing from parts, and the distance of the parts from their targets."""
    have = np.stack([counts[parts == part].sum(0) for part in range(len(target))])
    missing = int((have[:, counts.sum(0) > 0] == 0).sum())
    return missing, float((((have - target) / np.maximum(counts.sum(0), 1)) ** 2).sum())


def _check(dataset: Dataset, splits: Splits, names: Sequence[str]) -> None:
    """Refuse splits in which a class is missing.

    Raises:
        DatasetError: one is.
    """
    if len(dataset.classes) < 2 and not dataset.multilabel:
        raise DatasetError(f"{dataset.root} holds one class, {dataset.classes[0]}; a classifier needs two or more")
    for name in names:
        present = {label for example in splits[name] for label in example.labels}
        for label in dataset.classes:
            if label not in present:
                raise DatasetError(_why_missing(dataset, label, name))


def _why_missing(dataset: Dataset, label: str, name: str) -> str:
    members = [example for example in dataset.examples if label in example.labels]
    groups = {group_of(example) for example in members}
    if len(members) == 1:
        reason = f"it has one clip ({members[0].path}), and needs one for each split; add clips of it"
    elif any(example.split for example in members):
        reason = f"the data assigns none of its {len(members)} clips to {name}; add some there"
    elif len(groups) == 1:
        reason = f"its {len(members)} clips are all of one {next(iter(groups))}, which stays together; add other clips"
    else:
        reason = (
            f"its {len(members)} clips are in {len(groups)} groups; add clips, or make fewer splits or other groups"
        )
    return f"class {label} is missing from {name}: {reason}" + ("; or set val=0 to learn from all" * (name == "val"))


def save_splits(path: Path, splits: Splits, dataset: Dataset) -> None:
    """Write splits as JSON: for each split its examples, by path below the dataset's folder, and start and end.

    Raises:
        OutputError: the file cannot be written.
    """
    plain = {name: [_key(example, dataset) for example in splits[name]] for name in NAMES}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"root": dataset.root, **plain}, indent=1, ensure_ascii=False), "utf-8")


def read_splits(path: Path, dataset: Dataset) -> Splits:
    """Read saved splits, as examples of the same dataset, wherever it is now.

    Raises:
        DatasetError: the file holds none, or names a clip that is not in the dataset.
    """
    try:
        plain: Mapping[str, list[str]] = read_json(path, MAX_SPLITS_BYTES)
        named = {name: list(plain[name]) for name in NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as splits ({error}); give a splits.json of a run") from None
    known = {_key(example, dataset): example for example in dataset.examples}
    for key in (key for name in NAMES for key in named[name]):
        if key not in known:
            raise DatasetError(f"{dataset.root} has no clip {key}, which {path} names; give the data of that run")
    return {name: [known[key] for key in named[name]] for name in NAMES}


def _key(example: Example, dataset: Dataset) -> str:
    root = Path(dataset.root)
    folder = root.parent if root.suffix.lower() in (".csv", ".tsv") and not root.is_dir() else root
    name = os.path.relpath(example.path, folder).replace(os.sep, "/")
    if example.start is None and example.end is None:
        return name
    return f"{name}#{example.start or 0:.9g}-{'' if example.end is None else f'{example.end:.9g}'}"
