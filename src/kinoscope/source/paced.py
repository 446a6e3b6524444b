"""Files in real time: each frame when its time has come, repeated if requested."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from kinoscope.core.media import Audio
from kinoscope.core.results import DecodeReport
from kinoscope.source.base import Item, Source


class RealtimeSource(Source):
    """Another source at the speed of the clock, as if it were live.

    Args:
        source: a source with an end.
        loop: restart at the end, with times that continue.
        start: when the part that is read begins, in seconds; the beginning of the source if None.
        wait: waits for a number of seconds.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        source: Source,
        loop: bool = False,
        start: Fraction | None = None,
        wait: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._loop, self._clock = source, loop, clock
        self._wait = wait or threading.Event().wait
        self._start = max(source.info.start, source.info.start if start is None else start)
        self.info = replace(source.info, live=True, duration=None, frames=None)
        self.report = DecodeReport()  # of all passes together; the source resets its own with each

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each frame and audio block when its time has come."""
        rates, started, shift = tuple(audio_rates), self._clock(), Fraction(0)
        while True:
            end = shift
            for item in self._source.read(video, rates):
                shifted = _shifted(item, shift)
                due = float(_start_time(shifted) - self._start) - (self._clock() - started)
                if due > 0:
                    self._wait(due)
                end = max(end, _end_time(shifted) - self._start)
                self.report.frames += not isinstance(shifted, Audio)
                yield shifted
            self._add_report()
            if not self._loop or end == shift:
                return
            shift = end

    def _add_report(self) -> None:
        """Add the report of one pass to the total."""
        inner, total = self._source.report, self.report
        total.failures, total.resizes = total.failures + inner.failures, total.resizes + inner.resizes
        total.complete, total.errors = total.complete and inner.complete, (total.errors + inner.errors)[:10]

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _shifted(item: Item, shift: Fraction) -> Item:
    if isinstance(item, Audio):
        return replace(item, start=item.start + shift)
    item.time += shift
    return item


def _start_time(item: Item) -> Fraction:
    return item.start if isinstance(item, Audio) else item.time


def _end_time(item: Item) -> Fraction:
    return item.end if isinstance(item, Audio) else item.time + (item.duration or Fraction(1, 25))
