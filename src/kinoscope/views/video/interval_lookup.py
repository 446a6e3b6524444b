"""What goes on at a time, found by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class IntervalLookup(Generic[Item]):
    """Items with a start and an end in seconds; ``at`` gives those of a time without going through all.

    Between two neighbouring moments at which anything starts or ends, nothing changes: what goes on from each moment
    to the next is kept, so a look costs a bisection over the moments.
    """

    def __init__(self, items: Iterable[tuple[float, float, Item]]) -> None:
        spans = sorted(items, key=lambda span: span[0])
        self._moments = sorted({moment for start, end, _ in spans for moment in (start, end)})
        self._active: list[list[tuple[float, float, Item]]] = []
        going: list[tuple[float, float, Item]] = []
        waiting = iter(spans)
        coming = next(waiting, None)
        for moment in self._moments:
            going = [span for span in going if span[1] > moment]
            while coming is not None and coming[0] <= moment:
                going.append(coming)
                coming = next(waiting, None)
            self._active.append(going.copy())

    def at(self, time: float) -> list[Item]:
        """Give the items with ``start <= time < end``, earliest start first; those of no length at their moment."""
        i = bisect_right(self._moments, time) - 1
        if i < 0:
            return []
        return [item for start, end, item in self._active[i] if start <= time < end or start == time == end]
