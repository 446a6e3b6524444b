"""What every source is: timed pictures and sound, read once.

A kind of source says how to :meth:`Source.read`; everything else (every frame, some frames spread evenly,
keyframes only) is built here on top of it. A kind that can jump also gives a faster :meth:`Source.at`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np

from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.media import Audio, Frame, Pixels, Size, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import MAX_STEPS_COMPARED, FrameSampler, Seconds, evenly_spaced, last_frame_end, parse_time

POLICIES = ("skip", "repeat", "blank", "raise")
"""What can be done about a frame that cannot be decoded."""

Render = Callable[[Size], Pixels]
"""Gives the pixels (H, W, 3) uint8 RGB of one picture at an asked (width, height)."""


class LazyFrame:
    """One decoded picture whose pixels are made only when, and as large as, they are asked for.

    Attributes:
        time: presentation time in seconds, exact.
        index: position in the source, counted from 0 in presentation order.
        key: whether it can be decoded without any other.
        duration: seconds on screen, or None if the source does not say.
        size: displayed (width, height) in square pixels, rotation applied.
        corrupt: whether it could be decoded in part only.
    """

    __slots__ = ("_render", "_rendered", "corrupt", "duration", "index", "key", "size", "time")

    def __init__(
        self,
        render: Render,
        size: Size,
        time: Fraction,
        index: int = 0,
        key: bool = False,
        duration: Fraction | None = None,
        corrupt: bool = False,
    ) -> None:
        self.corrupt = corrupt
        self.time, self.index, self.key, self.duration, self.size = time, index, key, duration, size
        self._render = render
        self._rendered: dict[Size, Pixels] = {}

    def pixels(self, size: Size | None = None) -> Pixels:
        """Give (H, W, 3) uint8 RGB stretched to ``size`` (width, height); a size asked twice is made once."""
        size = size or self.size
        if size not in self._rendered:
            self._rendered[size] = self._render(size)
        return self._rendered[size]

    def frame(self, size: Size | None = None) -> Frame:
        """Give the picture as a Frame of ``size`` (width, height)."""
        return Frame(self.pixels(size), self.time, self.index, self.duration)

    def __repr__(self) -> str:
        return f"LazyFrame(time={float(self.time):.6g}, index={self.index}, size={self.size}, key={self.key})"


Item = LazyFrame | Audio


class Source(ABC):
    """Something to watch.

    Attributes:
        info: what the source says of itself.
        report: how the last read went, or goes.
    """

    info: SourceInfo
    report: DecodeReport

    @abstractmethod
    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield pictures (in order of time) and, beside them, mono sound at each of ``audio_rates`` in Hz.

        Each call starts again from the beginning, save for a live source, which goes on.

        Raises:
            DecodeError: a frame is broken and the policy is ``raise``.
            SourceError: the source was lost.
        """

    def lazy_frames(self) -> Iterator[LazyFrame]:
        """Yield every picture."""
        return (item for item in self.read() if isinstance(item, LazyFrame))

    def frames(self, size: Size | None = None, rate: Seconds | None = None) -> Iterator[Frame]:
        """Yield every frame, or about ``rate`` a second, scaled to ``size`` (width, height)."""
        sampler = FrameSampler(rate)
        return (lazy_frame.frame(size) for lazy_frame in self.lazy_frames() if sampler.due(lazy_frame.time))

    def evenly(self, count: int, size: Size | None = None) -> Iterator[Frame]:
        """Yield the ``count`` frames on screen at times spread evenly; a short source repeats frames.

        Raises:
            OptionError: ``count`` is not positive.
            SourceError: the source has no end, or no picture.
        """
        if count < 1:
            raise OptionError(f"cannot take {count} frames evenly; ask for 1 or more")
        if not self.info.width:
            raise SourceError(f"{self.info.path} has no video; it is audio only")
        if self.info.live:
            raise SourceError(
                f"{self.info.path} is live: it has no end to spread {count} frames over; give an end time"
            )
        return (lazy_frame.frame(size) for lazy_frame in self.at(evenly_spaced(count, *self.span())))

    def keyframes(self, size: Size | None = None) -> Iterator[Frame]:
        """Yield the frames that can be decoded without any other."""
        return (lazy_frame.frame(size) for lazy_frame in self.lazy_frames() if lazy_frame.key)

    def at(self, times: Iterable[Fraction]) -> Iterator[LazyFrame]:
        """Yield the picture on screen at each of ``times`` (seconds, not decreasing)."""
        return frames_on_screen(self.lazy_frames(), times)

    def span(self) -> tuple[Fraction, Fraction]:
        """Give the times of the first picture and of the end, in seconds; reads the source where it does not say."""
        if self.info.duration:
            return self.info.start, self.info.start + self.info.duration
        lazy_frames = [(lazy_frame.time, lazy_frame.duration) for lazy_frame in self.lazy_frames()]
        if not lazy_frames:
            raise SourceError(f"{self.info.path} has no frame")
        times = [float(time) for time, _ in lazy_frames[-MAX_STEPS_COMPARED:]]
        return lazy_frames[0][0], parse_time(last_frame_end(times, self.info.rate or 25, lazy_frames[-1][1]))

    @property
    def begin(self) -> Fraction:
        """The time in seconds from which on it is read; what is written of it counts from here."""
        return self.info.start

    def close(self) -> None:  # noqa: B027  (most kinds hold nothing)
        """Let go of files and devices."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def frames_on_screen(lazy_frames: Iterable[LazyFrame], times: Iterable[Fraction]) -> Iterator[LazyFrame]:
    """Yield, for each of ``times`` (not decreasing), the last picture that starts at or before it."""
    stream = iter(lazy_frames)
    current, upcoming = next(stream, None), next(stream, None)
    if current is None:
        return
    for time in times:
        while upcoming is not None and upcoming.time <= time:
            current, upcoming = upcoming, next(stream, None)
        yield current


def black_frame(size: Size) -> Pixels:
    """Render nothing, in place of a lost picture."""
    return np.zeros((size[1], size[0], 3), np.uint8)


def check_policy(policy: str) -> str:
    """Give back a corrupt-frame policy that exists.

    Raises:
        OptionError: there is no such policy.
    """
    if policy not in POLICIES:
        raise OptionError(f"on_error {policy!r} is unknown; choose one of {', '.join(POLICIES)}")
    return policy


def cut_audio(audio: Audio, start: Fraction | None, end: Fraction | None) -> Audio | None:
    """Give the part of ``sound`` inside [start, end) seconds, or None if there is none."""
    first = 0 if start is None else max(0, -((audio.start - start) * audio.rate // 1))
    last = len(audio.samples) if end is None else min(len(audio.samples), -((audio.start - end) * audio.rate // 1))
    if first >= last:
        return None
    if (first, last) == (0, len(audio.samples)):
        return audio
    return Audio(audio.samples[first:last].copy(), audio.rate, audio.start + Fraction(first, audio.rate))
