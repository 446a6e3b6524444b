"""How good a classifier is: scores with intervals and chance beside them, calibration, and its worst clips.

Axes: N clips, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import BoolArray, Float64Array, Int64Array
from kinoscope.core.errors import DatasetError
from kinoscope.core.intervals import proportion_interval
from kinoscope.core.metrics import classification
from kinoscope.training.evaluation.scores import Calibration, ClassScore, ClipScore, Measure, Scores, Value, tuples

if TYPE_CHECKING:
    from kinoscope.training.evaluation.predictions import Predictions

SAMPLES = 2000
"""Drawings of a bootstrap interval."""
BINS, FILLED = 15, 10
"""Bins of the reliability diagram at most, and predictions for each on average at least."""
TOP = 3
"""Classes told of each clip."""


def calibrate(predictions: Predictions) -> float:
    """Give the temperature that calibrates a model, from predictions on clips that it has not learned from."""
    return classification.fit_temperature(predictions.logits, truth(predictions))


def evaluate(predictions: Predictions, seed: int = 0, temperature: float = 1.0, samples: int = SAMPLES) -> Scores:
    """Score predictions.

    Args:
        predictions: of clips that the model has not learned from.
        seed: of the drawings behind the intervals.
        temperature: of the model; it changes probabilities, and no answer.
        samples: how many drawings.

    Raises:
        DatasetError: there is no clip to score.
    """
    if not len(predictions.logits):
        first = next(iter(predictions.broken.items()), None)
        why = (
            f"none of the {len(predictions.broken)} clips can be read, as {first[0]}: {first[1]}"
            if first
            else "no clip"
        )
        raise DatasetError(f"there is nothing to score: {why}; give a folder of clips, one folder for each class")
    multilabel = predictions.multilabel
    measures, by_class = (_score_multilabel if multilabel else _score_single)(predictions, seed, samples)
    return Scores(
        classes=tuple(predictions.classes),
        multilabel=multilabel,
        groups=len(set(groups_of(predictions))),
        measures=measures,
        by_class=by_class,
        confusion=() if multilabel else tuples(_confusion(predictions).tolist()),
        calibration=_calibration(predictions, temperature),
        clips=_clips(predictions, temperature),
        broken=dict(predictions.broken),
    )


def truth(predictions: Predictions) -> NDArray[Any]:
    """Give what metrics take: indices (N,) of the classes, or for multi-label data the targets (N, K)."""
    return np.asarray(predictions.targets > 0.5 if predictions.multilabel else predictions.targets.argmax(1))


def groups_of(predictions: Predictions) -> list[str]:
    """Give what each clip belongs to; where that is not known, it stands for itself."""
    names = zip(predictions.groups, predictions.paths, strict=True)
    return [f"group {group}" if group else f"clip {number} {path}" for number, (group, path) in enumerate(names)]


def _confusion(predictions: Predictions) -> Int64Array:
    return classification.confusion_matrix(predictions.logits.argmax(1), truth(predictions), len(predictions.classes))


def _score_single(
    predictions: Predictions, seed: int, samples: int
) -> tuple[dict[str, Measure], tuple[ClassScore, ...]]:
    logits, actual, count = predictions.logits, truth(predictions), len(predictions.classes)
    names = ["top1", *(["top5"] if count > 5 else []), "balanced_accuracy"]

    def statistic(first: NDArray[Any], fifth: NDArray[Any], actual: NDArray[Any]) -> Float64Array:
        each = recalls(first, actual, count)
        top5 = [fifth.mean()] if count > 5 else []
        return np.array([first.mean(), *top5, np.nanmean(each), *each])

    columns = classification.top_k_hits(logits, actual), classification.top_k_hits(logits, actual, 5), actual
    of_all, balanced = weights_of(predictions)
    weights = np.stack([*[of_all] * (len(names) - 1), balanced, *_of_classes(predictions)])
    values, ends, _ = with_intervals(statistic, columns, weights, predictions, seed, samples)
    chances = _chances(np.bincount(actual, minlength=count))
    measures = {name: Measure(values[i], *ends[i], *chances[name]) for i, name in enumerate(names)}
    return measures, _class_scores(predictions, values[len(names) :], ends[len(names) :])


def recalls(right: NDArray[Any], actual: NDArray[Any], count: int) -> Float64Array:
    """Give the recall (count,) of each class; NaN of one without clips."""
    clips = np.bincount(actual, minlength=count)
    found = np.bincount(actual[right], minlength=count)
    return np.where(clips > 0, found / np.maximum(clips, 1), np.nan)


def _chances(clips: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Give what a uniform guess and the most frequent classes would score, by measure, from the clips of each class."""
    count, shares = len(clips), np.sort(clips)[::-1] / clips.sum()
    return {
        "top1": (1 / count, float(shares[0])),
        "top5": (min(1.0, 5 / count), float(shares[:5].sum())),
        "balanced_accuracy": (1 / count, 1 / int((clips > 0).sum())),
    }


def _score_multilabel(
    predictions: Predictions, seed: int, samples: int
) -> tuple[dict[str, Measure], tuple[ClassScore, ...]]:
    def statistic(logits: NDArray[Any], targets: NDArray[Any]) -> Float64Array:
        each = np.array([classification.average_precision(*pair) for pair in zip(logits.T, targets.T, strict=True)])
        return np.array([np.mean(each[~np.isnan(each)]) if not np.isnan(each).all() else np.nan, *each])

    targets = predictions.targets > 0.5
    weights = np.concatenate([weights_of(predictions), _of_classes(predictions)])
    values, ends, _ = with_intervals(statistic, (predictions.logits, targets), weights, predictions, seed, samples)
    # At random, a class is found with a precision that is its share of the clips.
    shares = targets.mean(0)
    measure = Measure(values[0], *ends[0], _known(shares[shares > 0].mean()) if shares.any() else None)
    return {"map": measure}, _class_scores(predictions, values[1:], ends[1:])


def weights_of(predictions: Predictions) -> Float64Array:
    """Return how much each clip counts in top-1 and balanced accuracy, (2, N); of multi-label data in mAP, (1, N)."""
    each, count = _of_classes(predictions), len(predictions.logits)
    mean = each.sum(0) / max(1, int(each.any(1).sum()))
    return np.stack([mean] if predictions.multilabel else [np.full(count, 1 / count), mean])


def _of_classes(predictions: Predictions) -> Float64Array:
    """Return how much each clip counts in what is measured of each class, (K, N)."""
    targets = (predictions.targets > 0.5).T
    return np.asarray(targets / np.maximum(targets.sum(1, keepdims=True), 1))


Ends = tuple[Value, Value]


def with_intervals(
    statistic: Callable[..., Float64Array],
    columns: Sequence[NDArray[Any]],
    weights: Float64Array,
    predictions: Predictions,
    seed: int,
    samples: int,
) -> tuple[list[Value], list[Ends], Float64Array]:
    """Return each value of a statistic, the ends of its interval, and its values of resampled groups (samples, V).

    Args:
        statistic: gives V shares, or means of shares. columns: that it takes.
        weights: (V, N) how much each clip counts in each.
    """
    values = statistic(*columns)
    _, groups = np.unique(groups_of(predictions), return_inverse=True)
    drawn = classification.bootstrap_replicates(statistic, columns, groups, samples, seed).reshape(-1, len(values))
    ends = [
        proportion_interval(float(value), _variance(column, weight, groups), weight, groups)
        for value, column, weight in zip(values, drawn.T, weights, strict=True)
    ]
    return [_known(value) for value in values], [(_known(low), _known(high)) for low, high in ends], drawn


def _variance(drawn: Float64Array, weights: Float64Array, groups: NDArray[Any]) -> float:
    """Return the variance of a value over drawings of groups, which vary less than groups of others would."""
    known = drawn[~np.isnan(drawn)]
    count = len(np.unique(groups[weights > 0]))
    return float(known.var()) * count / (count - 1) if len(known) and count > 1 else 0.0


def _class_scores(predictions: Predictions, values: list[Value], ends: list[Ends]) -> tuple[ClassScore, ...]:
    """Give the row of each class; ``values`` are the recalls, or for multi-label data the average precisions."""
    targets, answers = predictions.targets > 0.5, told(predictions)
    both, clips = (targets & answers).sum(0), targets.sum(0)
    recall, precision = both / np.where(clips, clips, np.nan), both / np.where(answers.any(0), answers.sum(0), np.nan)
    found = [classification.average_precision(*pair) for pair in zip(predictions.logits.T, targets.T, strict=True)]
    return tuple(
        ClassScore(name, int(clips[i]), _known(recall[i]), _known(precision[i]), _known(found[i]), *ends[i])
        for i, name in enumerate(predictions.classes)
    )


def told(predictions: Predictions) -> BoolArray:
    """Give which classes (N, K) each clip is said to show: the likeliest, or those likelier than not if multi-label."""
    if predictions.multilabel:
        return np.asarray(predictions.logits > 0)
    return np.asarray(np.eye(len(predictions.classes), dtype=bool)[predictions.logits.argmax(1)])


def _probabilities(predictions: Predictions, temperature: float) -> Float64Array:
    scaled = predictions.logits.astype(np.float64) / temperature
    return classification.sigmoid(scaled) if predictions.multilabel else classification.softmax(scaled)


def _calibration(predictions: Predictions, temperature: float) -> Calibration:
    scaled = [
        classification.confidences(_probabilities(predictions, heat), truth(predictions)) for heat in (1.0, temperature)
    ]
    # A bin of a clip or two is off by chance alone, however well calibrated.
    count = min(BINS, max(1, len(scaled[0][0]) // FILLED))
    bins = [classification.reliability_bins(*pair, count) for pair in scaled]
    before, after = (_known(classification.binned_calibration_error(rows)) for rows in bins)
    plain = [tuple(tuple(_known(value) for value in row) for row in rows) for rows in bins]
    return Calibration(float(temperature), before, after, plain[0], plain[1])


def _clips(predictions: Predictions, temperature: float) -> tuple[ClipScore, ...]:
    chances, answers, targets = _probabilities(predictions, temperature), told(predictions), predictions.targets > 0.5
    losses = classification.cross_entropy(predictions.logits / temperature, predictions.targets, predictions.multilabel)
    best = np.argsort(-chances, axis=1, kind="stable")[:, :TOP]

    def names(row: BoolArray) -> tuple[str, ...]:
        return tuple(predictions.classes[i] for i in np.flatnonzero(row))

    def clip(i: int) -> ClipScore:
        top = tuple((predictions.classes[k], round(float(chances[i, k]), 4)) for k in best[i])
        right, loss = bool((answers[i] == targets[i]).all()), round(float(losses[i]), 4)
        return ClipScore(
            predictions.paths[i], predictions.groups[i], names(targets[i]), names(answers[i]), right, loss, top
        )

    return tuple(clip(int(i)) for i in np.argsort(-losses, kind="stable"))


def _known(value: float) -> Value:
    """Give a number that JSON can hold, or None for NaN."""
    return None if math.isnan(value) else float(value)
