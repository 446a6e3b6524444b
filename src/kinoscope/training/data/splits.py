"""Which examples are learned from, which are looked at while learning, and which are kept for the end.

Examples of one group stay together, and so do stretches of one file; each class is spread as evenly as that allows.
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
"""``train``, ``val`` and ``test``, each a list in the dataset's order; none is missing, but one may be empty."""

NAMES = ("train", "val", "test")

MAX_SPLITS_BYTES = 500_000_000
"""Bytes of splits, which name every clip."""

ATTEMPTS = 100
"""Orders that are tried until every class is in every split."""


def split(dataset: Dataset, val: float = 0.2, test: float = 0.0, seed: int = 0) -> Splits:
    """Divide a dataset by group; each class is spread evenly.

    Splits that the data gives are kept. A validation or test split that it does not give is drawn from the rest.

    Args:
        val, test: shares of the examples; 0 makes none.
        seed: another one gives other groups.

    Raises:
        DatasetError: a class is missing from a split; the message says why.
        OptionError: the shares leave nothing to learn from.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise OptionError(f"val={val:g} and test={test:g} leave nothing to learn from; give shares below 1 together")
    given: Splits = {name: [one for one in dataset.examples if one.split == name] for name in NAMES}
    open_ = [one for one in dataset.examples if one.split in (None, "train")]
    shares = {"val": 0.0 if given["val"] else val, "test": 0.0 if given["test"] else test}
    shares = {"train": 1 - sum(shares.values()), **shares}
    asked = [name for name in NAMES if shares[name] > 0]
    parts = _divide(open_, dataset.classes, [shares[name] for name in asked], seed)
    splits: Splits = {name: given[name] if name != "train" else [] for name in NAMES}
    splits |= dict(zip(asked, parts, strict=True))
    _check(dataset, splits, [name for name in NAMES if splits[name] or shares[name] > 0])
    return splits


def folds(dataset: Dataset, k: int, seed: int = 0) -> list[Splits]:
    """Divide a dataset into k folds by group: each in turn is ``val``, and the others are ``train``.

    With as many folds as groups, each group is left out once. Examples that the data gives as ``test`` stay so in all.

    Raises:
        DatasetError: there are fewer groups than folds, or a class is missing from what is learned from.
        OptionError: there are fewer than two folds.
    """
    if k < 2:
        raise OptionError(f"cannot make {k} folds; give 2 or more")
    kept = [one for one in dataset.examples if one.split != "test"]
    groups = _groups(kept)
    if len(groups) < k:
        raise DatasetError(f"{k} folds need {k} groups, and there are {len(groups)}; make fewer folds, or other groups")
    parts = _divide(kept, dataset.classes, [1 / k] * k, seed)
    # A fold may do without a class (a person who does not show all), but not what is learned from.
    parts.sort(key=lambda part: kept.index(part[0]))
    test = [one for one in dataset.examples if one.split == "test"]
    made: list[Splits] = []
    for part in parts:
        inside = set(map(id, part))
        made.append({"train": [one for one in kept if id(one) not in inside], "val": part, "test": test})
        _check(dataset, made[-1], ["train"])
    return made


def group_of(example: Example) -> str:
    """Give what an example must stay together with: its group, else its file."""
    return f"group {example.group}" if example.group else os.path.realpath(example.path)


def _groups(examples: Sequence[Example]) -> dict[str, list[int]]:
    """Give the places of the examples of each group, in the order in which groups appear."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        groups[group_of(example)].append(place)
    return dict(groups)


def _divide(
    examples: Sequence[Example], classes: Sequence[str], shares: Sequence[float], seed: int
) -> list[list[Example]]:
    """Divide examples by group into parts of about these shares, each class evenly: the best of several orders."""
    groups = list(_groups(examples).values())
    counts = _count(examples, groups, classes)
    wanted = _wanted(counts, np.array(shares))
    generator = np.random.default_rng(seed % 2**32)
    best: tuple[tuple[int, float], Int64Array] | None = None
    for _ in range(ATTEMPTS):
        chosen = _assign(counts, wanted, generator)
        score = _judge(counts, wanted, chosen)
        if best is None or score < best[0]:
            best = score, chosen
        if not score[0]:
            break
    places: list[list[int]] = [[] for _ in shares]
    for group, part in zip(groups, best[1] if best else (), strict=True):
        places[part] += group
    return [[examples[place] for place in sorted(part)] for part in places]


def _count(examples: Sequence[Example], groups: Sequence[Sequence[int]], classes: Sequence[str]) -> Float64Array:
    """Give how many examples of each class are in each group, and in a last column how many in all: (G, K + 1)."""
    column = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(groups), len(classes) + 1))
    for row, group in zip(counts, groups, strict=True):
        for place in group:
            row[[*(column[label] for label in examples[place].labels), -1]] += 1
    return counts


def _wanted(counts: Float64Array, shares: Float64Array) -> Float64Array:
    """Give how many examples of each class each part is to have, (P, K + 1): its share, and at least one."""
    totals = counts.sum(0)
    wanted: Float64Array = np.maximum(np.outer(shares, totals), (totals >= len(shares)) & (totals > 0))
    wanted *= totals / np.maximum(wanted.sum(0), 1e-9)
    return wanted


def _assign(counts: Float64Array, wanted: Float64Array, generator: np.random.Generator) -> Int64Array:
    """Give each group, the largest first, to the part that it brings nearest to what it is to have."""
    order = generator.permutation(len(counts))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    weights = 1 / np.maximum(counts.sum(0), 1) ** 2
    have = np.zeros_like(wanted)
    chosen = np.zeros(len(counts), np.int64)
    for group in order:
        lacking = wanted - have
        # By how much the squared distance from what is wanted shrinks.
        gain = (counts[group] * (2 * lacking - counts[group])) @ weights
        chosen[group] = gain.argmax()
        have[chosen[group]] += counts[group]
    return chosen


def _judge(counts: Float64Array, wanted: Float64Array, chosen: Int64Array) -> tuple[int, float]:
    """Give how many classes are missing from parts, and how far the parts are from what is wanted."""
    have = np.stack([counts[chosen == part].sum(0) for part in range(len(wanted))])
    missing = int((have[:, counts.sum(0) > 0] == 0).sum())
    return missing, float((((have - wanted) / np.maximum(counts.sum(0), 1)) ** 2).sum())


def _check(dataset: Dataset, splits: Splits, asked: Sequence[str]) -> None:
    """Refuse splits in which a class is missing.

    Raises:
        DatasetError: one is.
    """
    if len(dataset.classes) < 2 and not dataset.multilabel:
        raise DatasetError(f"{dataset.root} holds one class, {dataset.classes[0]}; a classifier needs two or more")
    for name in asked:
        present = {label for one in splits[name] for label in one.labels}
        for label in dataset.classes:
            if label not in present:
                raise DatasetError(_why_missing(dataset, label, name))


def _why_missing(dataset: Dataset, label: str, name: str) -> str:
    members = [one for one in dataset.examples if label in one.labels]
    groups = {group_of(one) for one in members}
    if len(members) == 1:
        why = f"it has one clip ({members[0].path}), and needs one for each split; add clips of it"
    elif any(one.split for one in members):
        why = f"of its {len(members)} clips the data gives none to {name}; add some there"
    elif len(groups) == 1:
        why = f"its {len(members)} clips are all of one {next(iter(groups))}, which stays together; add other clips"
    else:
        why = f"its {len(members)} clips lie in {len(groups)} groups; add clips, ask for fewer splits or other groups"
    return f"class {label} is missing from {name}: {why}" + ("; or set val=0 to learn from all" * (name == "val"))


def save_splits(path: Path, splits: Splits, dataset: Dataset) -> None:
    """Write splits as JSON: for each split its examples, by path below the dataset's folder, and start and end.

    Raises:
        OutputError: it cannot be written.
    """
    plain = {name: [_key(one, dataset) for one in splits[name]] for name in NAMES}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"root": dataset.root, **plain}, indent=1, ensure_ascii=False), "utf-8")


def read_splits(path: Path, dataset: Dataset) -> Splits:
    """Read splits that were saved, as examples of the same dataset, wherever it lies now.

    Raises:
        DatasetError: the file is none, or names a clip that the dataset has not.
    """
    try:
        plain: Mapping[str, list[str]] = read_json(path, MAX_SPLITS_BYTES)
        named = {name: list(plain[name]) for name in NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as splits ({error}); give a splits.json of a run") from None
    known = {_key(one, dataset): one for one in dataset.examples}
    for key in (key for name in NAMES for key in named[name]):
        if key not in known:
            raise DatasetError(f"{dataset.root} has no clip {key}, which {path} names; give the data it was made of")
    return {name: [known[key] for key in named[name]] for name in NAMES}


def _key(example: Example, dataset: Dataset) -> str:
    root = Path(dataset.root)
    folder = root.parent if root.suffix.lower() in (".csv", ".tsv") and not root.is_dir() else root
    name = os.path.relpath(example.path, folder).replace(os.sep, "/")
    if example.start is None and example.end is None:
        return name
    return f"{name}#{example.start or 0:.9g}-{'' if example.end is None else f'{example.end:.9g}'}"
