"""State of each tracked object: whether it is confirmed, how much its box jitters, and how it entered.

Detectors have false positives, and an alert cannot be withdrawn: an object counts only once it is confirmed. What it
did until then is not lost: evaluators follow it from its first frame, and report that when it is confirmed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import inf, sqrt
from statistics import median
from typing import Any

from kinoscope.core.media import Size
from kinoscope.core.results import Observation
from kinoscope.rules.geometry import distance, ground_point, height, near_border
from kinoscope.rules.rule_file import Point

MIN_CONFIRM_SECONDS, MIN_CONFIRM_FRAMES = 0.3, 3
"""Seconds for which, and frames in which, an object must have been detected before rules count it."""

FORGET_SECONDS = 5.0
"""Seconds after its last detection when an object is forgotten."""

STARTUP_SECONDS = 0.5
"""Seconds after the first frame (or after ``FORGET_SECONDS`` without any) in which an object that is detected counts as
present before: detectors miss some at first."""

MIN_MARGIN_PIXELS, MIN_MARGIN_FRACTION, MIN_MARGIN_HEIGHTS = 6.0, 0.005, 0.1
"""The minimum hysteresis of a boundary: pixels, share of the frame's longer side (the resolution of a detector's grid),
and heights of the box. The largest of them applies."""

MARGIN_SIGMAS = 3.0
"""Hysteresis in standard deviations of the jitter of an object's ground point."""

MAX_JITTER_HEIGHTS = 0.5
"""Maximum hysteresis due to jitter, in heights of the box: what jumps by more is another box."""

JITTER_WINDOW = 9
"""Detections from which the jitter is measured, by their median: a single jump does not count."""

MAX_STEADY_SECONDS = 1.0
"""Maximum time in seconds between two detections over which motion is assumed to be linear."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over the median of its absolute values."""

TrackKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TrackedObservation(Observation):
    """A tracked object in one frame, with the state of its track.

    Attributes:
        confirmed: whether its track has been detected for long enough.
        margin: hysteresis in pixels: how far over a boundary it must be to be across.
        since: time of the first detection of its track, in seconds.
        entered: whether its track began at the border of the frame, after the video had begun.
    """

    confirmed: bool = True
    margin: float = 0.0
    since: float = 0.0
    entered: bool = False


@dataclass(slots=True)
class TrackState:
    """State of a track: when and where it was detected, and its deviations from linear motion, in pixels."""

    since: float
    entered: bool
    label: str
    last_time: float = -inf
    count: int = 0
    recent: list[tuple[float, Point]] = field(default_factory=list)
    errors: deque[float] = field(default_factory=lambda: deque(maxlen=JITTER_WINDOW))

    @property
    def deviation(self) -> float:
        """Standard deviation in pixels of its ground point."""
        return MAD_TO_SIGMA * median(self.errors) if self.errors else 0.0

    def update(self, time: float, point: Point) -> None:
        """Update the state with a ground point; a second box of the same frame is ignored."""
        if time <= self.last_time:
            return
        self.last_time, self.count = time, self.count + 1
        if len(self.recent) == 2 and time - self.recent[0][0] <= 2 * MAX_STEADY_SECONDS:
            self._measure(time, point)
        self.recent = [*self.recent[-1:], (time, point)]

    def _measure(self, time: float, point: Point) -> None:
        """Append the deviation of the point from linear motion through the last two, scaled to a single detection."""
        (t0, previous), (t1, last) = self.recent
        step = (time - t1) / (t1 - t0)
        scale = sqrt(1 + (1 + step) ** 2 + step**2)
        errors = (abs(p - b - (b - a) * step) for p, a, b in zip(point, previous, last, strict=True))
        self.errors.append(max(errors) / scale)


class ObservationFilter:
    """Filter that adds the state of their tracks to the observations of one source, see ``TrackedObservation``.

    Args:
        size: width and height of the frame in pixels.
        min_seconds, min_frames: for how long, and in how many frames, an object must be detected to be confirmed.
    """

    def __init__(
        self, size: Size, min_seconds: float = MIN_CONFIRM_SECONDS, min_frames: int = MIN_CONFIRM_FRAMES
    ) -> None:
        self._size, self._min_seconds, self._min_frames = size, min_seconds, min_frames
        self._min_margin = max(MIN_MARGIN_PIXELS, MIN_MARGIN_FRACTION * max(size))
        self._tracks: dict[TrackKey, TrackState] = {}
        self._start = self._last = -inf

    def __call__(self, time: float, observations: Sequence[Observation]) -> list[TrackedObservation]:
        """Return the objects in the frame at ``time`` seconds, in order of time, with the state of their tracks."""
        if time - self._last > FORGET_SECONDS:
            self._start = time
        self._last = time
        drop_stale(self._tracks, time)
        lost = [
            track
            for key, track in self._tracks.items()
            if key not in {(observation.task, observation.id) for observation in observations}
        ]
        return [self._track_observation(time, observation, lost) for observation in observations]

    def _track_observation(
        self, time: float, observation: Observation, lost: Sequence[TrackState]
    ) -> TrackedObservation:
        key, point = (observation.task, observation.id), ground_point(observation, self._size)
        if key not in self._tracks:
            self._tracks[key] = TrackState(time, self._has_entered(time, observation, lost), observation.label)
        track = self._tracks[key]
        track.update(time, point)
        return TrackedObservation(
            **{field_.name: getattr(observation, field_.name) for field_ in fields(Observation)},
            confirmed=track.count >= self._min_frames and time - track.since >= self._min_seconds - 1e-6,
            margin=self._margin(observation, track),
            since=track.since,
            entered=track.entered,
        )

    def _has_entered(self, time: float, observation: Observation, lost: Sequence[TrackState]) -> bool:
        """Return whether a new track is an object that enters, not one present before or a broken track."""
        if time - self._start < STARTUP_SECONDS or not near_border(observation, self._size):
            return False
        point, reach = ground_point(observation, self._size), height(observation)
        return not any(
            track.label == observation.label and track.recent and distance(track.recent[-1][1], point) <= reach
            for track in lost
        )

    def _margin(self, observation: Observation, track: TrackState) -> float:
        jitter = min(MARGIN_SIGMAS * track.deviation, MAX_JITTER_HEIGHTS * height(observation))
        return max(self._min_margin, MIN_MARGIN_HEIGHTS * height(observation), jitter)


def drop_stale(states: dict[TrackKey, Any], time: float) -> None:
    """Remove what has not been detected for ``FORGET_SECONDS``."""
    for key in [key for key, state in states.items() if time - state.last_time > FORGET_SECONDS]:
        del states[key]
