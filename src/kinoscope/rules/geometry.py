"""Zones and lines in pixels of the frame, and the position of objects relative to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, inf

from kinoscope.core.media import Size
from kinoscope.core.results import Observation
from kinoscope.rules.rule_file import Point

MIN_DWELL_SECONDS = 0.1
"""Seconds for which an object must be over a boundary by its margin to be across: a single box may be wrong."""

BORDER_MARGIN = 0.25
"""Maximum distance from the frame's border of a box that has just entered, in widths and heights of itself."""


def ground_point(observation: Observation, size: Size) -> Point:
    """Return the ground point of an object, the middle of its lower edge, clipped to the frame."""
    x1, _, x2, y2 = observation.box
    return min(max((x1 + x2) / 2, 0.5), size[0] - 0.5), min(max(y2, 0.5), size[1] - 0.5)


def height(observation: Observation) -> float:
    """Return the height of an object's box in pixels."""
    return observation.box[3] - observation.box[1]


def near_border(observation: Observation, size: Size) -> bool:
    """Return whether a box touches the border of the frame, or is so near that it may just have entered."""
    x1, y1, x2, y2 = observation.box
    across, down = BORDER_MARGIN * (x2 - x1), BORDER_MARGIN * (y2 - y1)
    return x1 <= across or y1 <= down or x2 >= size[0] - across or y2 >= size[1] - down


def distance(a: Point, b: Point) -> float:
    """Return the distance of two points in pixels."""
    return hypot(a[0] - b[0], a[1] - b[1])


@dataclass(slots=True)
class Side:
    """The side of a boundary on which an object is.

    Hysteresis in space and time: an object is across only once it has been over the boundary by its margin for
    ``MIN_DWELL_SECONDS``.

    Attributes:
        over: the side, above 0 or not; until it is settled, that of the first detection.
        settled: whether the object has been there for long enough.
        since: time from which it has been over the boundary by its margin, in seconds.
    """

    over: bool
    settled: bool = False
    since: float = inf
    _candidate: bool | None = None

    def update(self, time: float, distance: float, margin: float) -> bool:
        """Update with the signed distance to the boundary in pixels; return whether the side is confirmed now."""
        candidate = None if abs(distance) < margin else distance >= 0
        if candidate is None or candidate != self._candidate:
            self._candidate, self.since = candidate, time
        if candidate is None or time - self.since < MIN_DWELL_SECONDS - 1e-6:
            return False
        self.over, self.settled = candidate, True
        return True


class Zone:
    """A polygon in a frame.

    Args:
        name: as events name it.
        corners: in pixels.
        size: of the frame, in pixels. A side on the frame's border cannot be crossed.
    """

    def __init__(self, name: str, corners: Sequence[Point], size: Size) -> None:
        self.name, self.size = name, size
        self._sides = list(pairwise([*corners, corners[0]]))
        self._inner_sides = [side for side in self._sides if not _lies_on_border(side, size)]
        # Some point inside is deeper than the area over the length of the sides; half of that can be reached.
        length = sum(hypot(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in self._inner_sides)
        area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in self._sides)) / 2
        self._reach = area / (2 * length) if length else inf

    def margin(self, margin: float, depth: float) -> float:
        """Return a hysteresis in pixels, reduced where the zone is not so deep."""
        return min(margin, self._reach) if depth >= 0 else margin

    def depth(self, point: Point) -> float:
        """Return the distance in pixels to the nearest side: above 0 inside, below 0 outside."""
        to_boundary = min((_segment_distance(point, *side) for side in self._inner_sides), default=inf)
        return to_boundary if self._contains(point) else -to_boundary

    def _contains(self, point: Point) -> bool:
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in self._sides:
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside


class Line:
    """A line between two points in pixels.

    Args:
        name: as events name it.
        ends: the points ``a`` and ``b``.
        size: of the frame, in pixels.
    """

    def __init__(self, name: str, ends: Sequence[Point], size: Size) -> None:
        self.name = name
        self.a, self.b = ends
        across, down = self.b[0] - self.a[0], self.b[1] - self.a[1]
        self.length = hypot(across, down)
        self.normal = -down / self.length, across / self.length
        sides = [self.side((x, y)) for x in (0, size[0]) for y in (0, size[1])]
        self._reach = {True: max(sides) / 2, False: -min(sides) / 2}

    def margin(self, margin: float, distance: float) -> float:
        """Return a hysteresis in pixels, reduced where the frame ends near the line."""
        return min(margin, self._reach[distance >= 0])

    def side(self, point: Point) -> float:
        """Return the signed distance in pixels to the infinite line: above 0 where ``normal`` points to."""
        return (point[0] - self.a[0]) * self.normal[0] + (point[1] - self.a[1]) * self.normal[1]

    def crossed(self, start: Point, end: Point) -> int:
        """Return how the path from one point to another crosses the line: 1 along ``normal``, -1 against it, or 0."""
        before, after = self.side(start), self.side(end)
        if (before >= 0) == (after >= 0):
            return 0
        share = before / (before - after)
        at = tuple(s + share * (e - s) for s, e in zip(start, end, strict=True))
        along = (at[0] - self.a[0]) * self.normal[1] - (at[1] - self.a[1]) * self.normal[0]
        return 0 if not 0 <= along <= self.length else 1 if after >= 0 else -1


def _lies_on_border(side: tuple[Point, Point], size: Size) -> bool:
    (x1, y1), (x2, y2) = side
    across = x1 == x2 and (x1 <= 0.5 or x1 >= size[0] - 1)
    return across or (y1 == y2 and (y1 <= 0.5 or y1 >= size[1] - 1))


def _segment_distance(point: Point, a: Point, b: Point) -> float:
    """Return the distance from a point to the segment from ``a`` to ``b``."""
    (x, y), (x1, y1), (x2, y2) = point, a, b
    across, down = x2 - x1, y2 - y1
    square = across * across + down * down
    share = 0.0 if square == 0 else min(1.0, max(0.0, ((x - x1) * across + (y - y1) * down) / square))
    return hypot(x - x1 - share * across, y - y1 - share * down)
