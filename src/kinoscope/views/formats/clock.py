"""Properties of a source that several formats need: name, time origin, duration, frame rate and frame numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.views.timeline import Timeline


def origin(timeline: Timeline) -> float:
    """Return the presentation time in seconds at which playback starts: time 0 of a media player."""
    return float(timeline.source.get("start", 0.0))


def duration(timeline: Timeline) -> float:
    """Return the duration in seconds: as declared, else up to the last event, box or frame."""
    declared = timeline.source.get("duration")
    if declared is not None:
        return float(declared)
    ends = [e.end for e in timeline.all_events] + [t.end for t in timeline.all_tracks if len(t.boxes)]
    return max(0.0, max([*ends, *timeline.times[-1:].tolist()], default=0.0) - origin(timeline))


def rate(timeline: Timeline) -> Fraction | None:
    """Return the average frames per second: as declared, else from the times of the frames; None if unknown."""
    declared = timeline.source.get("rate")
    if declared is not None and Fraction(declared) > 0:
        return Fraction(declared)
    times = timeline.times
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return Fraction((len(times) - 1) / float(times[-1] - times[0])).limit_denominator(1001)


def frame_numbers(timeline: Timeline, times: Float64Array) -> Int64Array:
    """Number the frames shown at ``times`` (N,) in seconds, from 1.

    If ``timeline.times`` is known, the number is that of the frame nearest in time, exact at any frame rate.
    Otherwise times are counted in frames of the source's average rate, or of 25 frames per second if that is unknown.
    """
    frame_times = timeline.times
    if len(frame_times):
        after = np.searchsorted(frame_times, times).clip(1, max(1, len(frame_times) - 1))
        nearer_before = times - frame_times[after - 1] <= frame_times[np.minimum(after, len(frame_times) - 1)] - times
        return np.where(nearer_before, after - 1, np.minimum(after, len(frame_times) - 1)).astype(np.int64) + 1
    return np.rint((times - origin(timeline)) * float(rate(timeline) or 25)).astype(np.int64) + 1


def video_name(timeline: Timeline) -> str:
    """Return the name of the video without folder and suffix."""
    path = str(timeline.source.get("path", "")).split("?")[0].replace("\\", "/")
    return PurePosixPath(path).stem or "video"
