"""Lookup of the intervals that contain a time, by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class IntervalLookup(Generic[Item]):
    """Items with a start and an end in seconds, found by time in O(log N).

    Between two neighbouring times at which any item starts or ends, the set of active items does not change: it is
    stored for each such time, so a lookup costs one bisection.
    """

    def __init__(self, items: Iterable[tuple[float, float, Item]]) -> None:
        spans = sorted(items, key=lambda span: span[0])
        self._boundaries = sorted({time for start, end, _ in spans for time in (start, end)})
        self._active: list[list[tuple[float, float, Item]]] = []
        active: list[tuple[float, float, Item]] = []
        remaining = iter(spans)
        upcoming = next(remaining, None)
        for time in self._boundaries:
            active = [span for span in active if span[1] > time]
            while upcoming is not None and upcoming[0] <= time:
                active.append(upcoming)
                upcoming = next(remaining, None)
            self._active.append(active.copy())

    def at(self, time: float) -> list[Item]:
        """Return the items with ``start <= time < end``, earliest start first; items of zero length at their time."""
        i = bisect_right(self._boundaries, time) - 1
        if i < 0:
            return []
        return [item for start, end, item in self._active[i] if start <= time < end or start == time == end]
