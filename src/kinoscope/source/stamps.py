"""The time of each picture, exact where the stream says it, filled in where it does not."""

from __future__ import annotations

from fractions import Fraction

from kinoscope.core.results import DecodeReport
from kinoscope.core.time import to_seconds


class Stamps:
    """Give pictures their times, always increasing.

    A missing stamp, and one that does not lie after the picture before, is filled in from that picture and
    the usual ``step`` in seconds, and counted in ``report.guessed``.

    Args:
        time_base: seconds of one tick.
        step: seconds from picture to picture.
        report: where guesses are counted.
        start: time of the first picture if it has no stamp.
        shift: seconds added to every stamp.
        before: time of the picture before the first, if there was one.
    """

    def __init__(
        self,
        time_base: Fraction,
        step: Fraction,
        report: DecodeReport,
        start: Fraction = Fraction(0),
        shift: Fraction = Fraction(0),
        before: Fraction | None = None,
    ) -> None:
        self.time_base, self._step, self._report = time_base, step, report
        self._start, self._shift, self._last = start, shift, before

    def time(self, pts: int | None) -> Fraction:
        """Give the time in seconds of the next picture, which is stamped ``pts`` ticks."""
        time = None if pts is None else to_seconds(pts, self.time_base) + self._shift
        if time is None or (self._last is not None and time <= self._last):
            time = self._start if self._last is None else self._last + self._step
            self._report.guessed += 1
        self._last = time
        return time

    def duration(self, ticks: int | None) -> Fraction | None:
        """Give a duration in seconds, or None if the stream does not say."""
        return to_seconds(ticks, self.time_base) if ticks else None
