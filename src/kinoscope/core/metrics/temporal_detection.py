"""Temporal action detection: ActivityNet's mean average precision over temporal IoU.

Caba Heilbron et al., "ActivityNet: A Large-Scale Video Benchmark for Human Activity Understanding", CVPR 2015: the mean
of the AP at IoUs of 0.5, 0.55, ... 0.95, with precision interpolated as in the challenge's own tool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""Temporal IoU from which a predicted segment matches a ground-truth one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a video, in seconds, that shows a class; ``score`` is its confidence."""

    video: str
    label: str
    start: float
    end: float
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class SegmentScores:
    """Mean average precision of segments.

    Attributes:
        average_map: mean of all that follows; ActivityNet's main number.
        overlaps: temporal IoU thresholds.
        precisions: (classes, overlaps) average precision by class name.
    """

    average_map: float
    overlaps: tuple[float, ...]
    precisions: dict[str, tuple[float, ...]]

    @property
    def by_overlap(self) -> tuple[float, ...]:
        """Mean average precision at each IoU threshold."""
        return tuple(float(np.mean(column)) for column in zip(*self.precisions.values(), strict=True))


def segment_map(
    predicted: Iterable[Segment], truth: Iterable[Segment], overlaps: Sequence[float] = IOU_THRESHOLDS
) -> SegmentScores:
    """Return the scores of predicted segments against the ground truth.

    Every ground-truth segment can be matched once, by the most confident segment of its class and video that overlaps
    it enough and does not match another better; all other predictions are false. Classes without a ground-truth segment
    do not count.

    Args:
        predicted: in any order; among equal scores, the first goes first.
        truth: the ground-truth segments.
        overlaps: temporal IoU from which a segment counts as detected.
    """
    truth_by_class, predicted_by_class = _by_class(truth), _by_class(predicted)
    precisions = {
        label: _precisions(predicted_by_class.get(label, []), truth_by_class[label], overlaps)
        for label in sorted(truth_by_class)
    }
    average = float(np.mean(list(precisions.values()))) if precisions else float("nan")
    return SegmentScores(average, tuple(overlaps), precisions)


def _by_class(segments: Iterable[Segment]) -> dict[str, list[Segment]]:
    classes: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        classes[segment.label].append(segment)
    return dict(classes)


def _precisions(predicted: list[Segment], truth: list[Segment], overlaps: Sequence[float]) -> tuple[float, ...]:
    ranked = sorted(predicted, key=lambda segment: -segment.score)
    shares = [_overlaps(segment, truth) for segment in ranked]
    return tuple(interpolated_precision(_matched(shares, overlap), len(truth)) for overlap in overlaps)


def _overlaps(segment: Segment, truth: list[Segment]) -> Float64Array:
    """Return the IoU with each ground-truth segment; 0 in other videos."""
    start, end = (np.array([getattr(other, name) for other in truth]) for name in ("start", "end"))
    common = np.maximum(0, np.minimum(end, segment.end) - np.maximum(start, segment.start))
    union = (end - start) + (segment.end - segment.start) - common
    same_video = np.array([other.video == segment.video for other in truth])
    return np.where(same_video & (union > 0), common / np.where(union > 0, union, 1), 0.0)


def _matched(shares: list[Float64Array], overlap: float) -> BoolArray:
    """Return for each predicted segment, by score, whether it matches a ground-truth one not matched before."""
    taken: set[int] = set()
    matched = np.zeros(len(shares), bool)
    for index, share in enumerate(shares):
        candidates = [int(i) for i in np.argsort(-share, kind="stable") if share[i] >= overlap and int(i) not in taken]
        if candidates:
            matched[index] = True
            taken.add(candidates[0])
    return matched


def interpolated_precision(correct: ArrayLike, actual: int) -> float:
    """Return the area under interpolated precision over recall: at each recall, the best precision from there on.

    Args:
        correct: (N,) bool of the predictions, by score.
        actual: number of ground-truth segments, at least 1.
    """
    matched = np.asarray(correct, bool)
    precision = np.cumsum(matched) / np.arange(1, len(matched) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[matched].sum() / actual)
