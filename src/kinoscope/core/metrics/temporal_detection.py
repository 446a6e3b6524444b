"""How well timed segments were found: ActivityNet's mean average precision over overlap in time.

Caba Heilbron et al., "ActivityNet: A Large-Scale Video Benchmark for Human Activity Understanding", CVPR 2015: the mean
of the AP at overlaps of 0.5, 0.55, ... 0.95, with precision interpolated as in the challenge's own tool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""Overlaps in time from which a found segment counts as an actual one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a video, in seconds, that shows a class; ``score`` is how sure one is of it."""

    video: str
    label: str
    start: float
    end: float
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class SegmentScores:
    """How well segments were found.

    Attributes:
        average_map: mean of all that follows; ActivityNet's main number.
        overlaps: in time, from which a segment counted as found.
        precisions: (classes, overlaps) average precision by class name.
    """

    average_map: float
    overlaps: tuple[float, ...]
    precisions: dict[str, tuple[float, ...]]

    @property
    def by_overlap(self) -> tuple[float, ...]:
        """Mean average precision at each overlap."""
        return tuple(float(np.mean(column)) for column in zip(*self.precisions.values(), strict=True))


def segment_map(
    found: Iterable[Segment], truth: Iterable[Segment], overlaps: Sequence[float] = IOU_THRESHOLDS
) -> SegmentScores:
    """Score found segments against the actual ones.

    Every actual segment can be found once, by the surest segment of its class and video that overlaps it enough and
    is not better placed on another; all else that was found is false. Classes without an actual segment do not count.

    Args:
        found: in any order; among equal scores, the first goes first.
        truth: the actual segments.
        overlaps: intersection over union in time, from which a segment counts as found.
    """
    actual, told = _by_class(truth), _by_class(found)
    precisions = {label: _precisions(told.get(label, []), actual[label], overlaps) for label in sorted(actual)}
    average = float(np.mean(list(precisions.values()))) if precisions else float("nan")
    return SegmentScores(average, tuple(overlaps), precisions)


def _by_class(segments: Iterable[Segment]) -> dict[str, list[Segment]]:
    classes: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        classes[segment.label].append(segment)
    return dict(classes)


def _precisions(found: list[Segment], truth: list[Segment], overlaps: Sequence[float]) -> tuple[float, ...]:
    ranked = sorted(found, key=lambda segment: -segment.score)
    shares = [_overlaps(segment, truth) for segment in ranked]
    return tuple(interpolated_precision(_matched(shares, overlap), len(truth)) for overlap in overlaps)


def _overlaps(segment: Segment, truth: list[Segment]) -> Float64Array:
    """Give the intersection over union with each actual segment; 0 in other videos."""
    start, end = (np.array([getattr(one, name) for one in truth]) for name in ("start", "end"))
    common = np.maximum(0, np.minimum(end, segment.end) - np.maximum(start, segment.start))
    union = (end - start) + (segment.end - segment.start) - common
    same = np.array([one.video == segment.video for one in truth])
    return np.where(same & (union > 0), common / np.where(union > 0, union, 1), 0.0)


def _matched(shares: list[Float64Array], overlap: float) -> BoolArray:
    """Tell of each found segment, the surest first, whether it finds an actual one that none has found before."""
    taken: set[int] = set()
    matched = np.zeros(len(shares), bool)
    for place, share in enumerate(shares):
        enough = [int(i) for i in np.argsort(-share, kind="stable") if share[i] >= overlap and int(i) not in taken]
        if enough:
            matched[place] = True
            taken.add(enough[0])
    return matched


def interpolated_precision(right: ArrayLike, actual: int) -> float:
    """Give the area under interpolated precision over recall: at each recall, the best precision from there on.

    Args:
        right: (N,) bool of what was found, the surest first. actual: how many there are to be found, at least 1.
    """
    hits = np.asarray(right, bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / actual)
