"""Time: the one place where frame stamps become seconds.

A frame's time is its presentation timestamp, ``pts * time_base``, kept exact as a
:class:`~fractions.Fraction`. Nothing here assumes a constant frame rate or a start at zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, takewhile

from kinoscope.core.errors import OptionError

Seconds = Fraction | float | int
"""A time or a duration in seconds. Exact (Fraction) wherever it comes from a stream."""

STEP_TOLERANCE_SECONDS = 0.002
"""Seconds by which steps of one rate differ where a container counts in milliseconds."""

MAX_STEPS_COMPARED, MIN_EQUAL_STEPS = 13, 3
"""Times that are looked at to tell how long the last frame lasts, and like steps that count for more than a rate."""

_CLOCK = re.compile(r"^(-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$")
_PLAIN = re.compile(r"^-?\d+(?:\.\d+)?(?:/\d+)?(?:[eE][+-]?\d+)?\s*s?$")


def to_seconds(pts: int, time_base: Fraction) -> Fraction:
    """Give the exact time in seconds of a presentation timestamp."""
    return pts * time_base


def to_pts(time: Seconds, time_base: Fraction) -> int:
    """Give the presentation timestamp nearest to a time in seconds."""
    return round(Fraction(time) / time_base)


def parse_time(text: str | Seconds) -> Fraction:
    """Read a time: seconds (``12.5``, ``0.6s``, ``1001/30``) or a clock (``1:02.5``, ``00:01:02.500``).

    Returns:
        The exact time in seconds.

    Raises:
        OptionError: the text is not a time, or not finite.
    """
    if isinstance(text, (int, Fraction)):
        return Fraction(text)
    if isinstance(text, float):
        if not math.isfinite(text):
            raise OptionError(f"time {text} is not finite; give seconds, such as 12.5")
        return Fraction(str(text))
    if clock := _CLOCK.match(text.strip()):
        sign, hours, minutes, rest = clock.groups()
        value = int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(rest)
        return -value if sign else value
    if _PLAIN.match(text.strip()):
        return _plain_seconds(text.strip().rstrip("s").strip())
    raise OptionError(f"time {text!r} is not understood; give seconds (12.5, 0.6s) or a clock (00:01:02.500)")


def _plain_seconds(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"time {text!r} is not a number of seconds; write 12.5 or 00:00:12.500") from None


def format_clock(time: Seconds, separator: str = ".") -> str:
    """Write a time as ``HH:MM:SS.mmm`` (WebVTT; SRT with ``separator=","``), rounded to the millisecond."""
    milliseconds = max(0, round(Fraction(time) * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{separator}{rest % 1000:03d}"


class FrameSampler:
    """Say which frames to take from a stream so that about ``rate`` a second come out.

    The time axis is cut into slots of ``1 / rate`` seconds, counted from the first frame; the first
    frame in each slot is taken. With a variable frame rate a long gap yields no repeats, and times
    stay those of the frames themselves. ``rate=None`` takes every frame.
    """

    def __init__(self, rate: Seconds | None) -> None:
        if rate is not None and rate <= 0:
            raise OptionError(f"rate {rate} is not positive; give frames per second, such as 5")
        self.rate = None if rate is None else Fraction(rate).limit_denominator(1_000_000)
        self._origin: Fraction | None = None
        self._slot = -1

    def due(self, time: Fraction) -> bool:
        """Tell whether the frame at ``time`` (seconds, not decreasing) is to be taken."""
        if self.rate is None:
            return True
        if self._origin is None:
            self._origin = time
        slot = math.floor((time - self._origin) * self.rate)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True


def last_frame_end(times: Sequence[float], rate: Seconds | None, duration: Seconds | None = None) -> float:
    """Return when the last of some frames leaves the screen, in seconds.

    It lasts as long as the stream says, else as long as those just before it where their steps differ from the average
    rate, else as that rate says.

    Args:
        times: of the frames, in seconds, increasing; one or more.
        rate: average frames per second, or None if unknown.
        duration: of the last frame in seconds, or None if the stream does not say.
    """
    usual = float(1 / Fraction(rate)) if rate else None
    steps = [after - before for before, after in pairwise(times[-MAX_STEPS_COMPARED:])]
    like = list(takewhile(lambda step: abs(step - steps[-1]) <= STEP_TOLERANCE_SECONDS, reversed(steps)))
    step = sum(like) / len(like) if like else usual or 0.0
    stated = None if duration is None else float(duration)
    if usual and (abs(step - usual) <= STEP_TOLERANCE_SECONDS or step > 4 * usual):
        step = usual
    # Some containers give every frame the duration that the average rate says.
    nominal = (
        stated is not None
        and usual is not None
        and abs(stated - usual) <= STEP_TOLERANCE_SECONDS
        and len(like) >= MIN_EQUAL_STEPS
    )
    return float(times[-1]) + (step if stated is None or nominal else stated)


def evenly_spaced(count: int, start: Seconds, end: Seconds) -> list[Fraction]:
    """Give ``count`` times spread evenly over [start, end): the centres of equal segments, in seconds.

    Raises:
        OptionError: ``count`` is not positive, or the span is empty.
    """
    if count < 1 or end <= start:
        raise OptionError(f"cannot take {count} frames from {float(start):g}-{float(end):g} s; ask for 1 or more")
    span = Fraction(end) - Fraction(start)
    return [Fraction(start) + span * (2 * i + 1) / (2 * count) for i in range(count)]
