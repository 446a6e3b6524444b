"""Videos with labelled segments, and their scores by a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.metrics.temporal_detection import Segment
from kinoscope.training.data.activitynet import Annotated

if TYPE_CHECKING:
    from kinoscope.models.inference.segment_refiner import SegmentRefiner
    from kinoscope.views.timeline import Timeline


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """The scores of one class in one video, and its real segments.

    Attributes:
        boundaries: (E,) in strides of the model's windows.
        scores: (E - 1,) between them.
        truth: (M, 2) starts and ends.
    """

    boundaries: Float64Array
    scores: Float64Array
    truth: Float64Array


@dataclass(frozen=True)
class ScoredVideo:
    """A video with labelled segments, and the timeline of the model; ``stride`` of its windows in seconds."""

    video: Annotated
    timeline: Timeline
    truth: tuple[Segment, ...]
    labels: tuple[str, ...]
    stride: float

    @property
    def boundaries(self) -> Float64Array:
        """Boundaries of the windows, in strides."""
        return np.asarray(self.timeline.features["classify.edges"] / self.stride)

    def scores(self, column: int) -> Float64Array:
        """Return the mean probabilities of a class between the boundaries."""
        return np.asarray(self.timeline.features["classify.means"][:, column], np.float64)

    @property
    def curves(self) -> list[ScoreCurve]:
        """The score curve of each class."""
        return [ScoreCurve(self.boundaries, self.scores(i), self._truth(label)) for i, label in enumerate(self.labels)]

    def _truth(self, label: str) -> Float64Array:
        rows = [(video.start, video.end) for video in self.truth if video.label == label]
        return np.array(rows, np.float64).reshape(-1, 2) / self.stride

    def thresholded(self) -> list[Segment]:
        """Return the segments that thresholds detect."""
        events = self.timeline.events("classify")
        return [Segment(self.video.name, video.label, video.start, video.end, video.score) for video in events]

    def refined(self, refiner: SegmentRefiner) -> list[Segment]:
        """Return the segments with learned boundaries."""
        return [
            Segment(self.video.name, label, start * self.stride, end * self.stride, score)
            for i, label in enumerate(self.labels)
            for start, end, score in refiner.refine(self.boundaries, self.scores(i)).tolist()
        ]
