"""What is known of each thing that is followed: whether it is real, how much its box trembles, and how it came.

Detectors see ghosts, and what is reported at once cannot be taken back: a thing counts only once it is confirmed. What
it did until then is not lost: watchers follow it from its first picture, and report that when it is confirmed.
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
"""Seconds for which, and frames in which, a thing must have been seen before rules count it."""

FORGET_SECONDS = 5.0
"""Seconds after which a thing that is not seen any more is forgotten."""

STARTUP_SECONDS = 0.5
"""Seconds after the first frame (or after ``FORGET_SECONDS`` without any) in which an object that is detected counts as
present before: detectors miss some at first."""

MIN_MARGIN_PIXELS, MIN_MARGIN_FRACTION, MIN_MARGIN_HEIGHTS = 6.0, 0.005, 0.1
"""The least hysteresis of an edge: pixels, share of the frame's longer side (what a detector's own grid resolves), and
heights of the box. The largest of them holds."""

MARGIN_SIGMAS = 3.0
"""Hysteresis in standard deviations of how the point on which a thing stands was seen to tremble."""

MAX_JITTER_HEIGHTS = 0.5
"""The most that such trembling adds, in heights of the box: what jumps by more is another box."""

JITTER_WINDOW = 9
"""Sightings from which the trembling is measured, by their median: a single jump does not count."""

MAX_STEADY_SECONDS = 1.0
"""Longest time in seconds between two sightings over which motion is taken to be steady."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over the median of its absolute values."""

TrackKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TrackedObservation(Observation):
    """A tracked object in one frame, and what is known of its track.

    Attributes:
        confirmed: whether its track has been seen for long enough to be no ghost.
        margin: hysteresis in pixels: how far over an edge it must be to be across.
        since: time of the first sighting of its track, in seconds.
        came: whether its track began at the border of the frame, after the video had begun.
    """

    confirmed: bool = True
    margin: float = 0.0
    since: float = 0.0
    came: bool = False


@dataclass(slots=True)
class TrackState:
    """A track so far: when and where it was seen, and how far off steady motion, in pixels of a single sighting."""

    since: float
    came: bool
    label: str
    seen: float = -inf
    count: int = 0
    where: list[tuple[float, Point]] = field(default_factory=list)
    errors: deque[float] = field(default_factory=lambda: deque(maxlen=JITTER_WINDOW))

    @property
    def deviation(self) -> float:
        """Standard deviation in pixels of where it seems to stand."""
        return MAD_TO_SIGMA * median(self.errors) if self.errors else 0.0

    def see(self, time: float, point: Point) -> None:
        """Take in where it stands; a second box of the same frame says nothing new."""
        if time <= self.seen:
            return
        self.seen, self.count = time, self.count + 1
        if len(self.where) == 2 and time - self.where[0][0] <= 2 * MAX_STEADY_SECONDS:
            self._measure(time, point)
        self.where = [*self.where[-1:], (time, point)]

    def _measure(self, time: float, point: Point) -> None:
        """Hold the point against steady motion through the last two, which errs by their noise and its own."""
        (t0, before), (t1, last) = self.where
        ahead = (time - t1) / (t1 - t0)
        scale = sqrt(1 + (1 + ahead) ** 2 + ahead**2)
        off = (abs(p - b - (b - a) * ahead) for p, a, b in zip(point, before, last, strict=True))
        self.errors.append(max(off) / scale)


class ObservationFilter:
    """Follows the tracks of one source, see ``TrackedObservation``.

    Args:
        size: width and height of the frame in pixels.
        min_seconds, min_frames: for how long, and in how many frames, a thing must have been seen to be confirmed.
    """

    def __init__(
        self, size: Size, min_seconds: float = MIN_CONFIRM_SECONDS, min_frames: int = MIN_CONFIRM_FRAMES
    ) -> None:
        self._size, self._min_seconds, self._min_frames = size, min_seconds, min_frames
        self._least = max(MIN_MARGIN_PIXELS, MIN_MARGIN_FRACTION * max(size))
        self._known: dict[TrackKey, TrackState] = {}
        self._start = self._last = -inf

    def __call__(self, time: float, seen: Sequence[Observation]) -> list[TrackedObservation]:
        """Return the things in the frame at ``time`` seconds, in order of time, with what is known of them."""
        if time - self._last > FORGET_SECONDS:
            self._start = time
        self._last = time
        drop_stale(self._known, time)
        lost = [known for key, known in self._known.items() if key not in {(one.task, one.id) for one in seen}]
        return [self._sighting(time, one, lost) for one in seen]

    def _sighting(self, time: float, one: Observation, lost: Sequence[TrackState]) -> TrackedObservation:
        key, where = (one.task, one.id), ground_point(one, self._size)
        if key not in self._known:
            self._known[key] = TrackState(time, self._came(time, one, lost), one.label)
        known = self._known[key]
        known.see(time, where)
        return TrackedObservation(
            **{part.name: getattr(one, part.name) for part in fields(Observation)},
            confirmed=known.count >= self._min_frames and time - known.since >= self._min_seconds - 1e-6,
            margin=self._margin(one, known),
            since=known.since,
            came=known.came,
        )

    def _came(self, time: float, one: Observation, lost: Sequence[TrackState]) -> bool:
        """Return whether a new track is somebody who comes in, rather than one that was there or broke off here."""
        if time - self._start < STARTUP_SECONDS or not near_border(one, self._size):
            return False
        where, reach = ground_point(one, self._size), height(one)
        return not any(k.label == one.label and k.where and distance(k.where[-1][1], where) <= reach for k in lost)

    def _margin(self, one: Observation, known: TrackState) -> float:
        trembling = min(MARGIN_SIGMAS * known.deviation, MAX_JITTER_HEIGHTS * height(one))
        return max(self._least, MIN_MARGIN_HEIGHTS * height(one), trembling)


def drop_stale(known: dict[TrackKey, Any], time: float) -> None:
    """Let go of what has not been seen for ``FORGET_SECONDS`` seconds."""
    for key in [key for key, state in known.items() if time - state.seen > FORGET_SECONDS]:
        del known[key]
