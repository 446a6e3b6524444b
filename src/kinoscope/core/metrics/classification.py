"""Classification metrics: accuracy, average precision, calibration, and confidence intervals of these.

Axes: N clips, K classes. What is undefined (the recall of a class without clips) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import BoolArray, Float64Array, Int64Array

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""Bounds of the temperatures that are searched."""


def softmax(logits: ArrayLike) -> Float64Array:
    """Return probabilities that add up to one over the last axis."""
    values = np.asarray(logits, np.float64)
    powers = np.exp(values - values.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def sigmoid(logits: ArrayLike) -> Float64Array:
    """Return the independent probability of each logit."""
    # By tanh, which never overflows.
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * np.asarray(logits, np.float64)))


def cross_entropy(logits: ArrayLike, targets: ArrayLike, multilabel: bool = False) -> Float64Array:
    """Return the loss (N,) of logits (N, K) with targets (N, K); for multi-label data, the sum over the classes."""
    values, labels = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    if multilabel:
        return np.asarray((np.logaddexp(0, values) - labels * values).sum(1))
    return np.asarray(np.logaddexp.reduce(values, 1) - (labels * values).sum(1))


def top_k_accuracy(logits: ArrayLike, actual: ArrayLike, k: int = 1) -> float:
    """Return the share of clips whose class is among the ``k`` with the highest logits.

    Among equal logits the class of lower index goes first, as with ``argmax``.

    Args:
        logits: (N, K), or anything of the same ranking.
        actual: (N,) indices of the classes.
    """
    return _mean_or_nan(top_k_hits(logits, actual, k))


def top_k_hits(logits: ArrayLike, actual: ArrayLike, k: int = 1) -> BoolArray:
    """Return for each clip (N,) whether its class is among the ``k`` with the highest logits (N, K)."""
    top = np.argsort(-np.asarray(logits, np.float64), axis=1, kind="stable")[:, :k]
    return np.asarray((top == np.asarray(actual)[:, None]).any(1))


def confusion_matrix(predicted: ArrayLike, actual: ArrayLike, classes: int) -> Int64Array:
    """Count the clips (K, K) of each actual class, by row, that were predicted as each class, by column."""
    cells = np.asarray(actual, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class_recall(confusion: ArrayLike) -> Float64Array:
    """Return the share of each class's clips that are classified correctly, (K,); NaN for a class without clips."""
    counts = np.asarray(confusion, np.float64)
    return _divide(np.diagonal(counts), counts.sum(1))


def per_class_precision(confusion: ArrayLike) -> Float64Array:
    """Return the share of each predicted class that is correct, (K,); NaN for a class that was never predicted."""
    counts = np.asarray(confusion, np.float64)
    return _divide(np.diagonal(counts), counts.sum(0))


def balanced_accuracy(confusion: ArrayLike) -> float:
    """Return the mean recall of the classes that have clips: chance is 1 / K however rare some classes are."""
    recalls = per_class_recall(confusion)
    return _mean_or_nan(recalls[~np.isnan(recalls)])


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under precision over recall, as steps: the mean precision at which each positive is retrieved.

    Clips with equal scores are retrieved together. NaN where nothing is positive.

    Args:
        scores: (N,), higher is more confident.
        positive: (N,) bool.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(positive, bool)
    order = np.argsort(-values, kind="stable")
    true_positives = np.cumsum(labels[order])
    last_of_equals = np.append(np.diff(values[order]) != 0, True)[: len(values)]
    true_positives, retrieved = true_positives[last_of_equals], np.flatnonzero(last_of_equals) + 1
    gained = np.diff(true_positives, prepend=0)
    return float(np.sum(gained * true_positives / retrieved) / true_positives[-1]) if labels.any() else math.nan


def mean_average_precision(scores: ArrayLike, targets: ArrayLike) -> float:
    """Return the mean of the average precisions of the classes that have a clip; (N, K) scores and 0/1 targets."""
    pairs = zip(np.asarray(scores, np.float64).T, np.asarray(targets).T > 0.5, strict=True)
    precisions = np.array([average_precision(*pair) for pair in pairs])
    return _mean_or_nan(precisions[~np.isnan(precisions)])


def reliability_bins(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> Float64Array:
    """Return the reliability diagram of predictions: bins of equal width by confidence.

    Args:
        confidence: (N,) probabilities.
        correct: (N,) bool, whether each prediction is correct.

    Returns:
        (bins, 3): number in (low, high], their mean confidence, and their accuracy; NaN for empty bins.
    """
    values, outcomes = np.asarray(confidence, np.float64).ravel(), np.asarray(correct, np.float64).ravel()
    indices = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(indices, minlength=bins).astype(np.float64)
    sums = [np.bincount(indices, weights, bins).astype(np.float64) for weights in (values, outcomes)]
    return np.stack([counts, *(_divide(total, counts) for total in sums)], 1)


def calibration_error(probabilities: ArrayLike, actual: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, averaged over the clips.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        probabilities: (N, K).
        actual: (N,) indices, of which the top class's probability counts; or (N, K) 0/1 targets of multi-label
            data, of which each probability counts.
    """
    return binned_calibration_error(reliability_bins(*confidences(probabilities, actual), bins))


def confidences(probabilities: ArrayLike, actual: ArrayLike) -> tuple[Float64Array, BoolArray]:
    """Return the probabilities that count for calibration, and whether each is correct; see ``calibration_error``."""
    values, labels = np.asarray(probabilities, np.float64), np.asarray(actual)
    if labels.ndim == 2:
        return values.ravel(), labels.ravel() > 0.5
    return values.max(1, initial=0.0), top_k_hits(values, labels)


def binned_calibration_error(rows: ArrayLike) -> float:
    """Return the expected calibration error of the rows that ``reliability_bins`` returns."""
    filled = np.asarray(rows, np.float64)
    filled = filled[filled[:, 0] > 0]
    if not len(filled):
        return math.nan
    return float(np.average(np.abs(filled[:, 1] - filled[:, 2]), weights=filled[:, 0]))


def fit_temperature(logits: ArrayLike, actual: ArrayLike) -> float:
    """Return the temperature that calibrates logits divided by it: the one of minimum log-loss.

    Guo et al., ICML 2017. As Platt (1999) proposes, the clips count as if one more of unknown class were among them:
    else a few clips that are all classified correctly would make every later prediction certain.

    Args:
        logits: (N, K) of clips that the network was not trained on.
        actual: (N,) indices of the classes, or (N, K) 0/1 targets where each class has a probability of its own.

    Returns:
        A value from 0.05 to 20; 1 where there are no clips.
    """
    values, labels = np.asarray(logits, np.float64), np.asarray(actual)
    if not values.size:
        return 1.0
    probabilities = sigmoid if labels.ndim == 2 else softmax
    targets = _smooth_targets(labels, values.shape[1])

    def slope(sharpness: float) -> float:
        return float(np.sum((probabilities(values * sharpness) - targets) * values))

    # The log-loss is convex in 1 / temperature, so its slope changes sign once.
    low, high = math.log(1 / MAX_TEMPERATURE), math.log(1 / MIN_TEMPERATURE)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def _smooth_targets(actual: NDArray[Any], classes: int) -> Float64Array:
    """Return targets (N, K) as if one more clip, of unknown class, were spread over all."""
    known = actual.astype(np.float64) if actual.ndim == 2 else np.eye(classes)[actual]
    unknown = 0.5 if actual.ndim == 2 else 1 / classes
    return np.asarray((len(known) * known + unknown) / (len(known) + 1))


Statistic = Callable[..., float | Float64Array]


def bootstrap(
    statistic: Statistic,
    arrays: Sequence[ArrayLike],
    groups: ArrayLike | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a statistic, with whole groups resampled with replacement.

    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).

    Args:
        statistic: takes the arrays, resampled alike, and returns a number.
        arrays: each (N, ...).
        groups: (N,) the group of each clip (a person, a recording); None where each is its own. Clips of one group
            resemble one another, so that resampling single clips would make the interval too narrow.
        samples: number of resamples.

    Returns:
        Its bounds; NaN both, where fewer than two groups leave nothing to resample.
    """
    return percentile_interval(bootstrap_replicates(statistic, arrays, groups, samples, seed))


def bootstrap_replicates(
    statistic: Statistic,
    arrays: Sequence[ArrayLike],
    groups: ArrayLike | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> Float64Array:
    """Return the statistic (samples, ...) of each resample; see ``bootstrap``. Empty with fewer than two groups."""
    columns = [np.asarray(array) for array in arrays]
    _, group_of = np.unique(np.arange(len(columns[0])) if groups is None else np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    if len(members) < 2:
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    samples_of_groups = (rng.integers(0, len(members), len(members)) for _ in range(samples))
    indices = (np.concatenate([members[group] for group in draw]) for draw in samples_of_groups)
    return np.array([statistic(*(column[pick] for column in columns)) for pick in indices], np.float64)


def percentile_interval(values: ArrayLike) -> tuple[float, float]:
    """Return the bounds between which the middle 95 % of the values (samples,) lie, NaN left out."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def mcnemar(first_correct: ArrayLike, second_correct: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Return the probability of so uneven a difference between two models if they were equally good.

    McNemar (1947), exact and two-sided: of the clips that only one of both classifies correctly, each would be correct
    in half. Where clips belong to groups, whole groups would: their clips resemble one another.

    Args:
        first_correct, second_correct: (N,) bool, whether each model classifies each of the same clips correctly.
        groups: (N,) the group of each clip; None where each is its own.
    """
    first, second = np.asarray(first_correct, bool), np.asarray(second_correct, bool)
    if groups is not None:
        _, group = np.unique(np.asarray(groups), return_inverse=True)
        return _sign_test(np.bincount(group, second.astype(float) - first).astype(np.int64) if len(group) else group)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    trials = only_first + only_second
    tail = sum(math.comb(trials, i) for i in range(min(only_first, only_second) + 1))
    # Whole numbers, so that many clips cannot overflow.
    return min(1.0, 2 * tail / (1 << trials))


def _sign_test(gains: Int64Array) -> float:
    """Return the probability of so large a sum of gains (G,) with random signs: exact, not sampled."""
    counts, total = [1], int(np.abs(gains).sum())
    for gain in np.abs(gains[gains != 0]).tolist():
        doubled = [0] * (len(counts) + 2 * gain)
        for index, count in enumerate(counts):
            doubled[index] += count
            doubled[index + 2 * gain] += count
        counts = doubled
    # Whole numbers, so that many groups cannot overflow; ``counts[s + total]`` is how many signs have the sum s.
    far = abs(int(gains.sum()))
    return sum(count for index, count in enumerate(counts) if abs(index - total) >= far) / sum(counts)


def _divide(over: Float64Array, under: Float64Array) -> Float64Array:
    return np.asarray(np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under > 0))


def _mean_or_nan(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
