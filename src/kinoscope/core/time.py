"""Time: the only module in which timestamps become seconds.

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
"""Seconds by which frame intervals of one rate differ in containers with millisecond timestamps."""

MAX_STEPS_COMPARED, MIN_EQUAL_STEPS = 13, 3
"""Frame times that determine the duration of the last frame, and the equal intervals that outweigh the nominal rate."""

_CLOCK = re.compile(r"^(-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$")
_PLAIN = re.compile(r"^-?\d+(?:\.\d+)?(?:/\d+)?(?:[eE][+-]?\d+)?\s*s?$")


def to_seconds(pts: int, time_base: Fraction) -> Fraction:
    """Return the exact time in seconds of a presentation timestamp."""
    return pts * time_base


def to_pts(time: Seconds, time_base: Fraction) -> int:
    """Return the presentation timestamp nearest to a time in seconds."""
    return round(Fraction(time) / time_base)


def parse_time(text: str | Seconds) -> Fraction:
    """Parse a time: seconds (``12.5``, ``0.6s``, ``1001/30``) or a clock (``1:02.5``, ``00:01:02.500``).

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
    """Format a time as ``HH:MM:SS.mmm`` (WebVTT; SRT with ``separator=","``), rounded to the millisecond."""
    milliseconds = max(0, round(Fraction(time) * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{separator}{rest % 1000:03d}"


class FrameSampler:
    """Sampler that selects frames of a stream at about ``rate`` per second.

    The time axis is cut into slots of ``1 / rate`` seconds, counted from the first frame; the first
    frame in each slot is selected. With a variable frame rate a long gap yields no repeats, and times
    stay those of the frames themselves. ``rate=None`` selects every frame.
    """

    def __init__(self, rate: Seconds | None) -> None:
        if rate is not None and rate <= 0:
            raise OptionError(f"rate {rate} is not positive; give frames per second, such as 5")
        self.rate = None if rate is None else Fraction(rate).limit_denominator(1_000_000)
        self._origin: Fraction | None = None
        self._slot = -1

    def due(self, time: Fraction) -> bool:
        """Return whether the frame at ``time`` (seconds, not decreasing) is selected."""
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
    """Return when the last of a sequence of frames leaves the screen, in seconds.

    Its duration is what the stream states, else the interval of the frames before it where that differs from the
    average rate, else what that rate implies.

    Args:
        times: of the frames, in seconds, increasing; one or more.
        rate: average frames per second, or None if unknown.
        duration: of the last frame in seconds, or None if the stream does not state it.
    """
    nominal_step = float(1 / Fraction(rate)) if rate else None
    steps = [after - before for before, after in pairwise(times[-MAX_STEPS_COMPARED:])]
    equal_steps = list(takewhile(lambda step: abs(step - steps[-1]) <= STEP_TOLERANCE_SECONDS, reversed(steps)))
    step = sum(equal_steps) / len(equal_steps) if equal_steps else nominal_step or 0.0
    stated_step = None if duration is None else float(duration)
    if nominal_step and (abs(step - nominal_step) <= STEP_TOLERANCE_SECONDS or step > 4 * nominal_step):
        step = nominal_step
    # Some containers state the duration of the average rate for every frame.
    is_nominal = (
        stated_step is not None
        and nominal_step is not None
        and abs(stated_step - nominal_step) <= STEP_TOLERANCE_SECONDS
        and len(equal_steps) >= MIN_EQUAL_STEPS
    )
    return float(times[-1]) + (step if stated_step is None or is_nominal else stated_step)


def evenly_spaced(count: int, start: Seconds, end: Seconds) -> list[Fraction]:
    """Return ``count`` times spread evenly over [start, end): the centres of equal segments, in seconds.

    Raises:
        OptionError: ``count`` is not positive, or the span is empty.
    """
    if count < 1 or end <= start:
        raise OptionError(f"cannot take {count} frames from {float(start):g}-{float(end):g} s; ask for 1 or more")
    span = Fraction(end) - Fraction(start)
    return [Fraction(start) + span * (2 * i + 1) / (2 * count) for i in range(count)]
