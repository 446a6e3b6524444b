"""Comparison of two models on the same clips, with intervals and a significance test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import DatasetError
from kinoscope.core.intervals import difference_interval
from kinoscope.core.metrics import classification
from kinoscope.training.evaluation.evaluate import (
    BOOTSTRAP_SAMPLES,
    Ends,
    groups_of,
    predicted_classes,
    recalls,
    truth,
    weights_of,
    with_intervals,
)
from kinoscope.training.evaluation.scores import Value

if TYPE_CHECKING:
    from kinoscope.training.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of two models, and the 95 % interval of the second minus the first."""

    first: Value
    second: Value
    difference: Value
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same clips.

    Attributes:
        first, second: their names.
        clips: number of clips that both have predicted.
        measures: by name, as in ``Scores``.
        only_first, only_second: the clips that only one of them classifies correctly.
        p: of McNemar's exact test on these: the probability of so uneven a difference between equally good models. None
            for multi-label data.
        groups: number of persons or recordings in the clips.
    """

    first: str
    second: str
    clips: int
    measures: dict[str, Difference]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    p: Value
    groups: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


def compare(
    first: Predictions,
    second: Predictions,
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
    samples: int = BOOTSTRAP_SAMPLES,
) -> Comparison:
    """Compare two models on the clips that both have predicted, clip by clip.

    Raises:
        DatasetError: there is none, or only one of the two is multi-label.
    """
    if first.multilabel != second.multilabel:
        raise DatasetError(f"{names[0]} and {names[1]} cannot be compared: only one of them is multi-label")
    first, second = _common(first, second)
    if not len(first.logits):
        raise DatasetError(f"{names[0]} and {names[1]} have no clip in common; evaluate both on the same data")
    measured, columns = (_map_of if first.multilabel else _accuracies_of)(first, second)

    def statistic(*columns: NDArray[Any]) -> Float64Array:
        half = len(columns) // 2
        return np.concatenate([measured(*columns[:half]), measured(*columns[half:])])

    weights = np.tile(weights_of(first), (2, 1))
    values, ends, resampled = with_intervals(statistic, columns, weights, first, seed, samples)
    labels = ["map"] if first.multilabel else ["top1", "balanced_accuracy"]
    rows = {
        label: _difference(values[i :: len(labels)], ends[i :: len(labels)], resampled[:, i :: len(labels)])
        for i, label in enumerate(labels)
    }
    correct = [(predicted_classes(one) == (one.targets > 0.5)).all(1) for one in (first, second)]
    only = [tuple(first.paths[i] for i in np.flatnonzero(a & ~b)) for a, b in (correct, correct[::-1])]
    groups = groups_of(first)
    p = None if first.multilabel else classification.mcnemar(correct[0], correct[1], groups)
    return Comparison(names[0], names[1], len(first.logits), rows, only[0], only[1], p, len(set(groups)))


def _difference(values: Sequence[Value], ends: Sequence[Ends], resampled: Float64Array) -> Difference:
    """Return the difference of two values of one metric; ``resampled`` (samples, 2) are both, of resampled groups."""
    (one, two), ((low1, high1), (low2, high2)) = values, ends
    if one is None or two is None:
        return Difference(one, two, None, None, None)
    if low1 is None or high1 is None or low2 is None or high2 is None:
        return Difference(one, two, two - one, None, None)
    known = (low1, high1), (low2, high2)
    return Difference(one, two, two - one, *difference_interval(one, two, known, _correlation(resampled)))


def _correlation(resampled: Float64Array) -> float:
    known = resampled[~np.isnan(resampled).any(1)]
    varies = len(known) > 1 and bool(np.ptp(known, 0).all())
    return float(np.corrcoef(known, rowvar=False).flat[1]) if varies else 0.0


Measured = Callable[..., Float64Array]


def _accuracies_of(first: Predictions, second: Predictions) -> tuple[Measured, list[NDArray[Any]]]:
    def measured(right: NDArray[Any], actual: NDArray[Any]) -> Float64Array:
        return np.array([right.mean(), np.nanmean(recalls(right, actual, int(actual.max()) + 1))])

    return measured, [
        column for one in (first, second) for column in (classification.top_k_hits(one.logits, truth(one)), truth(one))
    ]


def _map_of(first: Predictions, second: Predictions) -> tuple[Measured, list[NDArray[Any]]]:
    def measured(logits: NDArray[Any], targets: NDArray[Any]) -> Float64Array:
        return np.array([classification.mean_average_precision(logits, targets)])

    return measured, [column for one in (first, second) for column in (one.logits, one.targets)]


def _common(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """Return the clips of both, in the order of the first; clips of one path are distinguished by their order."""
    indices = [_indices(one) for one in (first, second)]
    shared = [clip for clip in indices[0] if clip in indices[1]]
    return _take(first, [indices[0][clip] for clip in shared]), _take(second, [indices[1][clip] for clip in shared])


def _indices(predictions: Predictions) -> dict[tuple[str, int], int]:
    counts: dict[str, int] = {}
    indices = {}
    for index, path in enumerate(predictions.paths):
        counts[path] = counts.get(path, 0) + 1
        indices[path, counts[path]] = index
    return indices


def _take(predictions: Predictions, rows: Sequence[int]) -> Predictions:
    index = np.array(rows, np.int64)
    return replace(
        predictions,
        paths=tuple(predictions.paths[i] for i in rows),
        groups=tuple(predictions.groups[i] for i in rows),
        logits=predictions.logits[index],
        embeddings=predictions.embeddings[index],
        targets=predictions.targets[index],
    )
