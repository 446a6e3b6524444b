"""Zones and lines in pixels of the picture, and where things stand with regard to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, inf

from kinoscope.core.media import Size
from kinoscope.core.results import Observation
from kinoscope.rules.rule_file import Point

MIN_DWELL_SECONDS = 0.1
"""Seconds for which a thing must be over an edge by its margin, on either side, to be across: a single box errs."""

BORDER_MARGIN = 0.25
"""How near the border of the frame a box is that has just come in, in widths and heights of itself."""


def ground_point(one: Observation, size: Size) -> Point:
    """Give the point on which a thing stands, the middle of its lower edge, just inside the picture."""
    x1, _, x2, y2 = one.box
    return min(max((x1 + x2) / 2, 0.5), size[0] - 0.5), min(max(y2, 0.5), size[1] - 0.5)


def height(one: Observation) -> float:
    """Give the height of a thing's box in pixels."""
    return one.box[3] - one.box[1]


def near_border(one: Observation, size: Size) -> bool:
    """Return whether a box is at the border of the frame, or so near that it may just have come over it."""
    x1, y1, x2, y2 = one.box
    across, down = BORDER_MARGIN * (x2 - x1), BORDER_MARGIN * (y2 - y1)
    return x1 <= across or y1 <= down or x2 >= size[0] - across or y2 >= size[1] - down


def distance(a: Point, b: Point) -> float:
    """Give the distance of two points in pixels."""
    return hypot(a[0] - b[0], a[1] - b[1])


@dataclass(slots=True)
class Side:
    """On which side of an edge a thing is.

    Hysteresis in space and time: an object is across only once it has been over the edge by its margin for
    ``MIN_DWELL_SECONDS``.

    Attributes:
        over: the side, above 0 or not, for sure once it has been there for so long; until then as it first seemed.
        sure: whether it has.
        since: time from which it has been over the edge by its margin, in seconds.
    """

    over: bool
    sure: bool = False
    since: float = inf
    _towards: bool | None = None

    def see(self, time: float, distance: float, margin: float) -> bool:
        """Take in the signed distance to the edge in pixels; return whether its side is confirmed now."""
        towards = None if abs(distance) < margin else distance >= 0
        if towards is None or towards != self._towards:
            self._towards, self.since = towards, time
        if towards is None or time - self.since < MIN_DWELL_SECONDS - 1e-6:
            return False
        self.over, self.sure = towards, True
        return True


class Zone:
    """A polygon in a picture.

    Args:
        name: as events call it.
        corners: in pixels.
        size: of the picture, in pixels. An edge that lies on the picture's own is none that can be crossed.
    """

    def __init__(self, name: str, corners: Sequence[Point], size: Size) -> None:
        self.name, self.size = name, size
        self._edges = list(pairwise([*corners, corners[0]]))
        self._inner = [edge for edge in self._edges if not _on_border(edge, size)]
        # Somewhere inside is deeper than the area over the length of the edges; half of that can be reached.
        length = sum(hypot(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in self._inner)
        area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in self._edges)) / 2
        self._reach = area / (2 * length) if length else inf

    def margin(self, margin: float, depth: float) -> float:
        """Return a hysteresis in pixels, or less where the zone is not so deep."""
        return min(margin, self._reach) if depth >= 0 else margin

    def depth(self, point: Point) -> float:
        """Give the distance in pixels to the nearest edge: above 0 inside, below 0 outside."""
        far = min((_distance(point, *edge) for edge in self._inner), default=inf)
        return far if self._holds(point) else -far

    def _holds(self, point: Point) -> bool:
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in self._edges:
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside


class Line:
    """A line between two points in pixels.

    Args:
        name: as events call it.
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
        """Return a hysteresis in pixels, or less where the frame ends so near the line."""
        return min(margin, self._reach[distance >= 0])

    def side(self, point: Point) -> float:
        """Give the distance in pixels to the line, drawn on without end: above 0 where ``normal`` points to."""
        return (point[0] - self.a[0]) * self.normal[0] + (point[1] - self.a[1]) * self.normal[1]

    def crossed(self, start: Point, end: Point) -> int:
        """Tell whether the way from one point to another leads through it: 1 along ``normal``, -1 against it, or 0."""
        before, after = self.side(start), self.side(end)
        if (before >= 0) == (after >= 0):
            return 0
        share = before / (before - after)
        at = tuple(s + share * (e - s) for s, e in zip(start, end, strict=True))
        along = (at[0] - self.a[0]) * self.normal[1] - (at[1] - self.a[1]) * self.normal[0]
        return 0 if not 0 <= along <= self.length else 1 if after >= 0 else -1


def _on_border(edge: tuple[Point, Point], size: Size) -> bool:
    (x1, y1), (x2, y2) = edge
    across = x1 == x2 and (x1 <= 0.5 or x1 >= size[0] - 1)
    return across or (y1 == y2 and (y1 <= 0.5 or y1 >= size[1] - 1))


def _distance(point: Point, a: Point, b: Point) -> float:
    """Give the distance from a point to the segment from ``a`` to ``b``."""
    (x, y), (x1, y1), (x2, y2) = point, a, b
    across, down = x2 - x1, y2 - y1
    square = across * across + down * down
    share = 0.0 if square == 0 else min(1.0, max(0.0, ((x - x1) * across + (y - y1) * down) / square))
    return hypot(x - x1 - share * across, y - y1 - share * down)
