"""Zones and lines in pixels of the picture, and where things stand with regard to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, inf

from kinoscope.core.media import Size
from kinoscope.core.results import Seen
from kinoscope.rules.rule import Point

MARGIN = 0.05
"""How far over an edge a thing must be before it has crossed, in heights of its box: boxes tremble that much."""

THIN = 0.1
"""The margin is at most this share of a zone's lesser side, so that small zones can be entered."""


def foot(one: Seen, size: Size) -> Point:
    """Give the point on which a thing stands, the middle of its lower edge, just inside the picture."""
    x1, _, x2, y2 = one.box
    return min(max((x1 + x2) / 2, 0.5), size[0] - 0.5), min(max(y2, 0.5), size[1] - 0.5)


def height(one: Seen) -> float:
    """Give the height of a thing's box in pixels."""
    return one.box[3] - one.box[1]


def apart(a: Point, b: Point) -> float:
    """Give the distance of two points in pixels."""
    return hypot(a[0] - b[0], a[1] - b[1])


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
        sides = [max(axis) - min(axis) for axis in zip(*corners, strict=True)]
        self._most: float = THIN * min(sides)

    def margin(self, one: Seen) -> float:
        """Give the pixels by which a thing must be over the edge."""
        return min(MARGIN * height(one), self._most)

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
    """A line between two points ``a`` and ``b`` in pixels."""

    def __init__(self, name: str, ends: Sequence[Point]) -> None:
        self.name = name
        self.a, self.b = ends
        across, down = self.b[0] - self.a[0], self.b[1] - self.a[1]
        self.length = hypot(across, down)
        self.normal = -down / self.length, across / self.length

    def margin(self, one: Seen) -> float:
        """Give the pixels by which a thing must be over the line."""
        return min(MARGIN * height(one), THIN * self.length)

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
