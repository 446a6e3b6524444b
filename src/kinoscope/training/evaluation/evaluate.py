"""Evaluation of a classifier: scores with intervals and chance level, calibration, and the worst clips.

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

BOOTSTRAP_SAMPLES = 2000
"""Samples of a bootstrap interval."""
MAX_BINS, MIN_PER_BIN = 15, 10
"""Maximum number of bins of the reliability diagram, and minimum of predictions in each on average."""
TOP_CLASSES = 3
"""Classes listed for each clip."""


def calibrate(predictions: Predictions) -> float:
    """Return the temperature that calibrates a model, from predictions of clips that it has not learned from."""
    return classification.fit_temperature(predictions.logits, truth(predictions))


def evaluate(
    predictions: Predictions, seed: int = 0, temperature: float = 1.0, samples: int = BOOTSTRAP_SAMPLES
) -> Scores:
    """Score predictions.

    Args:
        predictions: of clips that the model has not learned from.
        seed: of the bootstrap.
        temperature: of the model; it changes probabilities, but no predicted class.
        samples: of the bootstrap.

    Raises:
        DatasetError: there is no clip to score.
    """
    if not len(predictions.logits):
        first = next(iter(predictions.unreadable.items()), None)
        reason = (
            f"none of the {len(predictions.unreadable)} clips can be read, as {first[0]}: {first[1]}"
            if first
            else "no clip"
        )
        raise DatasetError(f"there is nothing to score: {reason}; give a folder of clips, one folder for each class")
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
        unreadable=dict(predictions.unreadable),
    )


def truth(predictions: Predictions) -> NDArray[Any]:
    """Return the labels for metrics: indices (N,) of the classes, or for multi-label data the targets (N, K)."""
    return np.asarray(predictions.targets > 0.5 if predictions.multilabel else predictions.targets.argmax(1))


def groups_of(predictions: Predictions) -> list[str]:
    """Return the group of each clip; a clip without a group is its own."""
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
    weights = np.stack([*[of_all] * (len(names) - 1), balanced, *_class_weights(predictions)])
    values, ends, _ = with_intervals(statistic, columns, weights, predictions, seed, samples)
    chances = _chance_scores(np.bincount(actual, minlength=count))
    measures = {name: Measure(values[i], *ends[i], *chances[name]) for i, name in enumerate(names)}
    return measures, _class_scores(predictions, values[len(names) :], ends[len(names) :])


def recalls(correct: NDArray[Any], actual: NDArray[Any], count: int) -> Float64Array:
    """Return the recall (count,) of each class; NaN of one without clips."""
    clips = np.bincount(actual, minlength=count)
    hits = np.bincount(actual[correct], minlength=count)
    return np.where(clips > 0, hits / np.maximum(clips, 1), np.nan)


def _chance_scores(clips: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Return the expected scores of a uniform guess and of the most frequent classes, by metric."""
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
    weights = np.concatenate([weights_of(predictions), _class_weights(predictions)])
    values, ends, _ = with_intervals(statistic, (predictions.logits, targets), weights, predictions, seed, samples)
    # The precision of random guessing is the share of the class.
    shares = targets.mean(0)
    measure = Measure(values[0], *ends[0], _number_or_none(shares[shares > 0].mean()) if shares.any() else None)
    return {"map": measure}, _class_scores(predictions, values[1:], ends[1:])


def weights_of(predictions: Predictions) -> Float64Array:
    """Return the weight of each clip in top-1 and balanced accuracy, (2, N); of multi-label data in mAP, (1, N)."""
    each, count = _class_weights(predictions), len(predictions.logits)
    mean = each.sum(0) / max(1, int(each.any(1).sum()))
    return np.stack([mean] if predictions.multilabel else [np.full(count, 1 / count), mean])


def _class_weights(predictions: Predictions) -> Float64Array:
    """Return the weight of each clip in the metrics of each class, (K, N)."""
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
        statistic: returns V shares, or means of shares.
        columns: its arguments.
        weights: (V, N) of each clip in each value.
    """
    values = statistic(*columns)
    _, groups = np.unique(groups_of(predictions), return_inverse=True)
    resampled = classification.bootstrap_replicates(statistic, columns, groups, samples, seed).reshape(-1, len(values))
    ends = [
        proportion_interval(float(value), _variance(column, weight, groups), weight, groups)
        for value, column, weight in zip(values, resampled.T, weights, strict=True)
    ]
    return (
        [_number_or_none(value) for value in values],
        [(_number_or_none(low), _number_or_none(high)) for low, high in ends],
        resampled,
    )


def _variance(resampled: Float64Array, weights: Float64Array, groups: NDArray[Any]) -> float:
    """Return the variance of a value over resampled groups, corrected for the number of groups."""
    known = resampled[~np.isnan(resampled)]
    count = len(np.unique(groups[weights > 0]))
    return float(known.var()) * count / (count - 1) if len(known) and count > 1 else 0.0


def _class_scores(predictions: Predictions, values: list[Value], ends: list[Ends]) -> tuple[ClassScore, ...]:
    """Return the row of each class; ``values`` are the recalls, or for multi-label data the average precisions."""
    targets, predicted = predictions.targets > 0.5, predicted_classes(predictions)
    both, clips = (targets & predicted).sum(0), targets.sum(0)
    recall, precision = (
        both / np.where(clips, clips, np.nan),
        both / np.where(predicted.any(0), predicted.sum(0), np.nan),
    )
    ap = [classification.average_precision(*pair) for pair in zip(predictions.logits.T, targets.T, strict=True)]
    return tuple(
        ClassScore(
            name,
            int(clips[i]),
            _number_or_none(recall[i]),
            _number_or_none(precision[i]),
            _number_or_none(ap[i]),
            *ends[i],
        )
        for i, name in enumerate(predictions.classes)
    )


def predicted_classes(predictions: Predictions) -> BoolArray:
    """Return the predicted classes (N, K): the most probable one, or those above 0.5 if multi-label."""
    if predictions.multilabel:
        return np.asarray(predictions.logits > 0)
    return np.asarray(np.eye(len(predictions.classes), dtype=bool)[predictions.logits.argmax(1)])


def _probabilities(predictions: Predictions, temperature: float) -> Float64Array:
    scaled = predictions.logits.astype(np.float64) / temperature
    return classification.sigmoid(scaled) if predictions.multilabel else classification.softmax(scaled)


def _calibration(predictions: Predictions, temperature: float) -> Calibration:
    scaled = [
        classification.confidences(_probabilities(predictions, each), truth(predictions)) for each in (1.0, temperature)
    ]
    # A bin of a clip or two deviates by chance alone, however well calibrated.
    count = min(MAX_BINS, max(1, len(scaled[0][0]) // MIN_PER_BIN))
    bins = [classification.reliability_bins(*pair, count) for pair in scaled]
    before, after = (_number_or_none(classification.binned_calibration_error(rows)) for rows in bins)
    plain = [tuple(tuple(_number_or_none(value) for value in row) for row in rows) for rows in bins]
    return Calibration(float(temperature), before, after, plain[0], plain[1])


def _clips(predictions: Predictions, temperature: float) -> tuple[ClipScore, ...]:
    probabilities, predicted = _probabilities(predictions, temperature), predicted_classes(predictions)
    targets = predictions.targets > 0.5
    losses = classification.cross_entropy(predictions.logits / temperature, predictions.targets, predictions.multilabel)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_CLASSES]

    def names(row: BoolArray) -> tuple[str, ...]:
        return tuple(predictions.classes[i] for i in np.flatnonzero(row))

    def clip(i: int) -> ClipScore:
        top = tuple((predictions.classes[k], round(float(probabilities[i, k]), 4)) for k in best[i])
        correct, loss = bool((predicted[i] == targets[i]).all()), round(float(losses[i]), 4)
        return ClipScore(
            predictions.paths[i], predictions.groups[i], names(targets[i]), names(predicted[i]), correct, loss, top
        )

    return tuple(clip(int(i)) for i in np.argsort(-losses, kind="stable"))


def _number_or_none(value: float) -> Value:
    """Return a number that JSON can hold, or None for NaN."""
    return None if math.isnan(value) else float(value)
