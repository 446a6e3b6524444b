"""Determine the time of each frame: exact if the stream declares it, else interpolated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Generic, TypeVar

from kinoscope.core.results import DecodeReport
from kinoscope.core.time import to_seconds

MAX_BUFFERED_FRAMES = 16
"""Frames without a timestamp that wait for the next one that has one; more than an encoder reorders."""

Item = TypeVar("Item")


class TimestampSorter(Generic[Item]):
    """A buffer that assigns each frame a time, always increasing.

    A frame whose timestamp is missing, or does not lie after the previous one, waits for the next valid timestamp: at
    the beginning times are counted back from there at the usual ``step``, later they are filled in at the usual step,
    or evenly if it does not fit. Each is counted in ``report.guessed``.

    Args:
        time_base: seconds of one tick.
        step: seconds from frame to frame.
        report: counts the interpolated times.
        start: time of the first frame if no frame has a timestamp.
        shift: seconds added to every timestamp.
        last_time: time of the frame before the first, if there was one.
        lead: returns the number of frames without a timestamp at the beginning, and the first timestamp after them, if
            known.
    """

    def __init__(
        self,
        time_base: Fraction,
        step: Fraction,
        report: DecodeReport,
        start: Fraction = Fraction(0),
        shift: Fraction = Fraction(0),
        last_time: Fraction | None = None,
        lead: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        self.time_base, self._step, self._report = time_base, step, report
        self._start, self._shift, self._last = start, shift, last_time
        self._lead = lead
        self._pending: list[Item] = []
        self._unresolvable = False

    def push(self, item: Item, pts: int | None) -> Iterator[tuple[Item, Fraction]]:
        """Add the next frame, stamped ``pts`` ticks; yield those whose times in seconds are known now."""
        time = None if pts is None else self.seconds(pts)
        if time is not None and (self._last is None or time > self._last):
            yield from self._flush_before(time)
            self._last, self._unresolvable = time, False
            yield item, time
            return
        self._pending.append(item)
        if self._last is None and (lead := self._lead()) is not None:
            yield from self._fill(self.seconds(lead[1]) - lead[0] * self._step, self._step)
        elif self._last is not None and self._is_lead():
            yield from self._fill(self._last + self._step, self._step)
        elif self._unresolvable or len(self._pending) >= MAX_BUFFERED_FRAMES:
            self._unresolvable = True
            yield from self.flush()

    def _is_lead(self) -> bool:
        """Return whether the next frame is still one of those without a timestamp at the beginning."""
        lead = self._lead()
        return lead is not None and self._last is not None and self._last + self._step < self.seconds(lead[1])

    def _flush_before(self, time: Fraction) -> Iterator[tuple[Item, Fraction]]:
        """Yield the waiting frames, up to a frame at ``time``."""
        count, step = len(self._pending), self._step
        if self._last is None:
            first = time - count * step
        else:
            step = min(step, (time - self._last) / (count + 1))
            first = self._last + step
        yield from self._fill(first, step)

    def flush(self) -> Iterator[tuple[Item, Fraction]]:
        """Yield the waiting frames although no timestamp follows."""
        yield from self._fill(self._start if self._last is None else self._last + self._step, self._step)

    def _fill(self, first: Fraction, step: Fraction) -> Iterator[tuple[Item, Fraction]]:
        pending, self._pending = self._pending, []
        for number, item in enumerate(pending):
            self._report.guessed += 1
            self._last = first + number * step
            yield item, self._last

    def seconds(self, pts: int) -> Fraction:
        """Return the time in seconds of a timestamp."""
        return to_seconds(pts, self.time_base) + self._shift

    def duration(self, ticks: int | None) -> Fraction | None:
        """Return a duration in seconds, or None if the stream does not declare it."""
        return to_seconds(ticks, self.time_base) if ticks else None
