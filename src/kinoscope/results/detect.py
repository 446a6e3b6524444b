"""The result of ``detect``: tracks of objects, their trajectories, and counts over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kinoscope.core.results import Track
from kinoscope.core.trajectories import estimate_counts, is_scenery, trajectory_stats
from kinoscope.results.base import Result

MAX_COUNT_TIMES = 2000
"""Times at which objects are counted."""


@dataclass
class DetectResult(Result):
    """The objects of one source.

    Attributes:
        every: seconds between two counts.
    """

    every: float = 1.0

    @property
    def tracks(self) -> list[Track]:
        """The tracks, in order of their start."""
        return self.timeline.tracks("objects") if self.timeline else []

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types: ``tracks`` with trajectories, ``counts`` by label; of an image, boxes."""
        if self.timeline is None:
            return {"source": self.source, "error": str(self.error)}
        if len(self.timeline.times) == 1:
            return {"source": self.source, "objects": [_object(track) for track in self.tracks]}
        return {"source": self.source, "tracks": [_track(track) for track in self.tracks], "counts": self.counts()}

    def counts(self) -> dict[str, list[dict[str, Any]]]:
        """Return label -> counts in the middle of each interval of ``every`` seconds; at most ``MAX_COUNT_TIMES``."""
        if self.timeline is None or not len(self.timeline.times):
            return {}
        times = self.timeline.times
        step = max(self.every, (times[-1] - times[0]) / MAX_COUNT_TIMES)
        at = np.arange(times[0], times[-1], step) + step / 2
        size = int(self.timeline.source.get("width", 0)), int(self.timeline.source.get("height", 0))
        labels = dict.fromkeys(track.label for track in self.tracks)
        return {
            label: [
                count.to_dict()
                for count in estimate_counts(
                    [track for track in self.tracks if track.label == label], at[at <= times[-1]], size
                )
            ]
            for label in labels
        }


def _object(track: Track) -> dict[str, Any]:
    box = [round(v, 1) for v in track.boxes[0, 1:5].tolist()]
    return {"id": track.id, "label": track.label, "score": round(track.score, 4), "box": box}


def _track(track: Track) -> dict[str, Any]:
    row = {"id": track.id, "label": track.label, "score": round(track.score, 4), "counts": not is_scenery(track)}
    return row | {"start": round(track.start, 3), "end": round(track.end, 3)} | trajectory_stats(track).to_dict()
