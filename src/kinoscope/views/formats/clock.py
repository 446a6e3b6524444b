"""What the formats share about a source: its name, its zero, its rate and the numbers of its frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.results import Timeline


def origin(timeline: Timeline) -> float:
    """Give the presentation time in seconds that players call zero."""
    return float(timeline.source.get("start", 0.0))


def duration(timeline: Timeline) -> float:
    """Give the seconds from players' zero to the end: as declared, else to the last thing known."""
    declared = timeline.source.get("duration")
    if declared is not None:
        return float(declared)
    ends = [e.end for e in timeline.events] + [t.end for t in timeline.tracks if len(t.boxes)]
    return max(0.0, max([*ends, *timeline.times[-1:].tolist()], default=0.0) - origin(timeline))


def rate(timeline: Timeline) -> Fraction | None:
    """Give the average frames per second: as declared, else from the frames' times; None if unknown."""
    declared = timeline.source.get("rate")
    if declared is not None and Fraction(declared) > 0:
        return Fraction(declared)
    times = timeline.times
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return Fraction((len(times) - 1) / float(times[-1] - times[0])).limit_denominator(1001)


def frame_numbers(timeline: Timeline, times: Float64Array) -> Int64Array:
    """Number the frames shown at ``times`` (N,) from 1.

    With ``timeline.times`` known, the number is that of the frame nearest in time, exact at any frame rate.
    Without it, times are counted in frames of the source's average rate, or of 25 a second where that is unknown.
    """
    known = timeline.times
    if len(known):
        after = np.searchsorted(known, times).clip(1, max(1, len(known) - 1))
        nearer_before = times - known[after - 1] <= known[np.minimum(after, len(known) - 1)] - times
        return np.where(nearer_before, after - 1, np.minimum(after, len(known) - 1)).astype(np.int64) + 1
    return np.rint((times - origin(timeline)) * float(rate(timeline) or 25)).astype(np.int64) + 1


def video_name(timeline: Timeline) -> str:
    """Give the name of the video without folder and suffix."""
    path = str(timeline.source.get("path", "")).split("?")[0].replace("\\", "/")
    return PurePosixPath(path).stem or "video"
