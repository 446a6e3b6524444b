"""How good predictions are: accuracy, average precision, calibration, and how sure of these numbers one can be.

Axes: N clips, K classes. What has no value (the recall of a class without clips) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import BoolArray, Float64Array, Int64Array

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""Temperatures between which the best is sought."""


def softmax(logits: ArrayLike) -> Float64Array:
    """Give probabilities that add up to one over the last axis."""
    values = np.asarray(logits, np.float64)
    powers = np.exp(values - values.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def sigmoid(logits: ArrayLike) -> Float64Array:
    """Give the probability of each value by itself."""
    # By tanh, which no value makes overflow.
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * np.asarray(logits, np.float64)))


def cross_entropy(logits: ArrayLike, targets: ArrayLike, multilabel: bool = False) -> Float64Array:
    """Give the loss (N,) of logits (N, K) under targets (N, K); for multi-label data, the sum over the classes."""
    values, truth = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    if multilabel:
        return np.asarray((np.logaddexp(0, values) - truth * values).sum(1))
    return np.asarray(np.logaddexp.reduce(values, 1) - (truth * values).sum(1))


def top_k_accuracy(logits: ArrayLike, actual: ArrayLike, k: int = 1) -> float:
    """Give the share of clips whose class is among the ``k`` with the highest logits.

    Among equal logits the class of lower index goes first, as with ``argmax``.

    Args:
        logits: (N, K), or anything that ranks likewise.
        actual: (N,) indices of the classes.
    """
    return _mean(top_k_hits(logits, actual, k))


def top_k_hits(logits: ArrayLike, actual: ArrayLike, k: int = 1) -> BoolArray:
    """Tell of each clip (N,) whether its class is among the ``k`` with the highest logits (N, K)."""
    best = np.argsort(-np.asarray(logits, np.float64), axis=1, kind="stable")[:, :k]
    return np.asarray((best == np.asarray(actual)[:, None]).any(1))


def confusion_matrix(predicted: ArrayLike, actual: ArrayLike, classes: int) -> Int64Array:
    """Count the clips (K, K) of each actual class, by row, that were taken for each class, by column."""
    cells = np.asarray(actual, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class_recall(confusion: ArrayLike) -> Float64Array:
    """Give the share of each class's clips that were told as such, (K,); NaN of a class without clips."""
    counts = np.asarray(confusion, np.float64)
    return _divide(np.diagonal(counts), counts.sum(1))


def per_class_precision(confusion: ArrayLike) -> Float64Array:
    """Give the share of what was taken for each class that is of it, (K,); NaN of a class that was never told."""
    counts = np.asarray(confusion, np.float64)
    return _divide(np.diagonal(counts), counts.sum(0))


def balanced_accuracy(confusion: ArrayLike) -> float:
    """Give the mean recall of the classes that have clips: chance is 1 / K however rare some classes are."""
    recalls = per_class_recall(confusion)
    return _mean(recalls[~np.isnan(recalls)])


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Give the area under precision over recall, as steps: the mean precision at which each positive is found.

    Clips with equal scores are found together. NaN where nothing is positive.

    Args:
        scores: (N,), higher for surer.
        positive: (N,) bool.
    """
    values, right = np.asarray(scores, np.float64), np.asarray(positive, bool)
    order = np.argsort(-values, kind="stable")
    found = np.cumsum(right[order])
    last_of_equals = np.append(np.diff(values[order]) != 0, True)[: len(values)]
    found, seen = found[last_of_equals], np.flatnonzero(last_of_equals) + 1
    gained = np.diff(found, prepend=0)
    return float(np.sum(gained * found / seen) / found[-1]) if right.any() else math.nan


def mean_average_precision(scores: ArrayLike, targets: ArrayLike) -> float:
    """Give the mean of the average precisions of the classes that have a clip; (N, K) scores and 0/1 targets."""
    pairs = zip(np.asarray(scores, np.float64).T, np.asarray(targets).T > 0.5, strict=True)
    precisions = np.array([average_precision(*pair) for pair in pairs])
    return _mean(precisions[~np.isnan(precisions)])


def reliability_bins(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> Float64Array:
    """Sort predictions into bins of equal width by confidence.

    Args:
        confidence: (N,) probabilities. right: (N,) bool, whether each came true.

    Returns:
        (bins, 3): how many lie in (low, high], their mean confidence, and the share that came true; NaN where none.
    """
    values, true = np.asarray(confidence, np.float64).ravel(), np.asarray(right, np.float64).ravel()
    places = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins).astype(np.float64)
    sums = [np.bincount(places, weights, bins).astype(np.float64) for weights in (values, true)]
    return np.stack([counts, *(_divide(total, counts) for total in sums)], 1)


def calibration_error(probabilities: ArrayLike, actual: ArrayLike, bins: int = 15) -> float:
    """Give the expected calibration error: how far confidence lies from accuracy, on average over the clips.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        probabilities: (N, K).
        actual: (N,) indices, of which the surest class's probability counts; or (N, K) 0/1 targets of multi-label
            data, of which each probability counts.
    """
    return binned_calibration_error(reliability_bins(*confidences(probabilities, actual), bins))


def confidences(probabilities: ArrayLike, actual: ArrayLike) -> tuple[Float64Array, BoolArray]:
    """Give the probabilities that count for calibration, and which of them came true; see ``calibration_error``."""
    values, truth = np.asarray(probabilities, np.float64), np.asarray(actual)
    if truth.ndim == 2:
        return values.ravel(), truth.ravel() > 0.5
    return values.max(1, initial=0.0), top_k_hits(values, truth)


def binned_calibration_error(rows: ArrayLike) -> float:
    """Give the expected calibration error of the rows that ``reliability_bins`` gives."""
    filled = np.asarray(rows, np.float64)
    filled = filled[filled[:, 0] > 0]
    if not len(filled):
        return math.nan
    return float(np.average(np.abs(filled[:, 1] - filled[:, 2]), weights=filled[:, 0]))


def fit_temperature(logits: ArrayLike, actual: ArrayLike) -> float:
    """Give what to divide logits by so that the probabilities are calibrated: the temperature of least log-loss.

    Guo et al., ICML 2017. As Platt (1999) proposes, the clips count as if one more of unknown class were among them:
    else a few clips that are all told right would make every later answer a certainty.

    Args:
        logits: (N, K) of clips that the network has not learned from.
        actual: (N,) indices of the classes, or (N, K) 0/1 targets where each class has a probability of its own.

    Returns:
        A value from 0.05 to 20; 1 where there are no clips.
    """
    values, truth = np.asarray(logits, np.float64), np.asarray(actual)
    if not values.size:
        return 1.0
    probabilities = sigmoid if truth.ndim == 2 else softmax
    targets = _unsure(truth, values.shape[1])

    def slope(sharpness: float) -> float:
        return float(np.sum((probabilities(values * sharpness) - targets) * values))

    # The log-loss is convex in 1 / temperature, so its slope changes sign once.
    low, high = math.log(1 / MAX_TEMPERATURE), math.log(1 / MIN_TEMPERATURE)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def _unsure(actual: NDArray[Any], classes: int) -> Float64Array:
    """Give targets (N, K) as if one more clip, of unknown class, were spread over all."""
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
    """Give the 95 % interval of a statistic: of how it varies when whole groups are drawn anew, with replacement.

    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).

    Args:
        statistic: takes the arrays, resampled alike, and gives a number.
        arrays: each (N, ...).
        groups: (N,) what each clip belongs to (a person, a recording); None where each stands for itself. Clips of
            one group resemble one another, so that to draw clips one by one would promise too much.
        samples: how often they are drawn.

    Returns:
        Its ends; NaN both, where fewer than two groups leave nothing to draw.
    """
    return percentile_interval(bootstrap_replicates(statistic, arrays, groups, samples, seed))


def bootstrap_replicates(
    statistic: Statistic,
    arrays: Sequence[ArrayLike],
    groups: ArrayLike | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> Float64Array:
    """Give the statistic (samples, ...) of each drawing; see ``bootstrap``. Empty with fewer than two groups."""
    columns = [np.asarray(array) for array in arrays]
    _, group_of = np.unique(np.arange(len(columns[0])) if groups is None else np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    if len(members) < 2:
        return np.zeros(0)
    generator = np.random.default_rng(seed)
    draws = (generator.integers(0, len(members), len(members)) for _ in range(samples))
    picks = (np.concatenate([members[group] for group in draw]) for draw in draws)
    return np.array([statistic(*(column[pick] for column in columns)) for pick in picks], np.float64)


def percentile_interval(values: ArrayLike) -> tuple[float, float]:
    """Give the ends between which the middle 95 % of the values (samples,) lie, those without a value left out."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def mcnemar(first_right: ArrayLike, second_right: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Return the probability of so uneven a difference between two models if they were equally good.

    McNemar (1947), exact and two-sided: of the clips that only one of both tells right, each would be right in half.
    Where clips belong to groups, whole groups would: their clips resemble one another.

    Args:
        first_right, second_right: (N,) bool, whether each model tells each of the same clips right.
        groups: (N,) what each clip belongs to; None where each stands for itself.
    """
    first, second = np.asarray(first_right, bool), np.asarray(second_right, bool)
    if groups is not None:
        _, group = np.unique(np.asarray(groups), return_inverse=True)
        return _by_signs(np.bincount(group, second.astype(float) - first).astype(np.int64) if len(group) else group)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    trials = only_first + only_second
    tail = sum(math.comb(trials, i) for i in range(min(only_first, only_second) + 1))
    # Whole numbers, so that many clips cannot overflow.
    return min(1.0, 2 * tail / (1 << trials))


def _by_signs(gains: Int64Array) -> float:
    """Return the probability of so large a sum of gains (G,) with random signs: exact, not sampled."""
    ways, total = [1], int(np.abs(gains).sum())
    for gain in np.abs(gains[gains != 0]).tolist():
        either = [0] * (len(ways) + 2 * gain)
        for place, count in enumerate(ways):
            either[place] += count
            either[place + 2 * gain] += count
        ways = either
    # Whole numbers, so that many groups cannot overflow; ``ways[s + total]`` is how many signs give the sum s.
    far = abs(int(gains.sum()))
    return sum(count for place, count in enumerate(ways) if abs(place - total) >= far) / sum(ways)


def _divide(over: Float64Array, under: Float64Array) -> Float64Array:
    return np.asarray(np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under > 0))


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
