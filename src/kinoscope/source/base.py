"""The interface of sources: timed frames and audio, read in one pass.

A kind of source implements :meth:`Source.read`; every other access (all frames, evenly spaced frames, keyframes) is
built on top of it. A kind that can seek also overrides :meth:`Source.at` with a faster one.
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
"""Policies for a frame that cannot be decoded."""

Render = Callable[[Size], Pixels]
"""Return the pixels (H, W, 3) uint8 RGB of one frame, scaled to (width, height)."""


class LazyFrame:
    """A decoded frame whose pixels are converted only when requested, at the requested size.

    Attributes:
        time: presentation time in seconds, exact.
        index: position in the source, counted from 0 in presentation order.
        key: whether it is a keyframe, which can be decoded without any other.
        duration: seconds on screen, or None if the source does not declare it.
        size: displayed (width, height) in square pixels, rotation applied.
        corrupt: whether it was decoded only in part.
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
        """Return (H, W, 3) uint8 RGB scaled to ``size`` (width, height); each size is rendered once and cached."""
        size = size or self.size
        if size not in self._rendered:
            self._rendered[size] = self._render(size)
        return self._rendered[size]

    def frame(self, size: Size | None = None) -> Frame:
        """Return a Frame with pixels of ``size`` (width, height)."""
        return Frame(self.pixels(size), self.time, self.index, self.duration)

    def __repr__(self) -> str:
        return f"LazyFrame(time={float(self.time):.6g}, index={self.index}, size={self.size}, key={self.key})"


Item = LazyFrame | Audio


class Source(ABC):
    """A source of timed frames and audio.

    Attributes:
        info: the source's metadata.
        report: the decode report of the last or current read.
    """

    info: SourceInfo
    report: DecodeReport

    @abstractmethod
    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield frames (in order of time) and, interleaved, mono audio at each of ``audio_rates`` in Hz.

        Each call starts again from the beginning, except that a live source continues.

        Raises:
            DecodeError: a frame is corrupt and the policy is ``raise``.
            SourceError: the source was lost.
        """

    def lazy_frames(self) -> Iterator[LazyFrame]:
        """Yield every frame, not rendered yet."""
        return (item for item in self.read() if isinstance(item, LazyFrame))

    def frames(self, size: Size | None = None, rate: Seconds | None = None) -> Iterator[Frame]:
        """Yield every frame, or about ``rate`` a second, scaled to ``size`` (width, height)."""
        sampler = FrameSampler(rate)
        return (lazy_frame.frame(size) for lazy_frame in self.lazy_frames() if sampler.due(lazy_frame.time))

    def evenly(self, count: int, size: Size | None = None) -> Iterator[Frame]:
        """Yield the ``count`` frames on screen at evenly spaced times; a short source repeats frames.

        Raises:
            OptionError: ``count`` is not positive.
            SourceError: the source has no end, or no video.
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
        """Yield the keyframes, which can be decoded without any other."""
        return (lazy_frame.frame(size) for lazy_frame in self.lazy_frames() if lazy_frame.key)

    def at(self, times: Iterable[Fraction]) -> Iterator[LazyFrame]:
        """Yield the frame on screen at each of ``times`` (seconds, not decreasing)."""
        return frames_on_screen(self.lazy_frames(), times)

    def span(self) -> tuple[Fraction, Fraction]:
        """Return the times of the first frame and of the end, in seconds; read the source if they are not declared."""
        if self.info.duration:
            return self.info.start, self.info.start + self.info.duration
        lazy_frames = [(lazy_frame.time, lazy_frame.duration) for lazy_frame in self.lazy_frames()]
        if not lazy_frames:
            raise SourceError(f"{self.info.path} has no frame")
        times = [float(time) for time, _ in lazy_frames[-MAX_STEPS_COMPARED:]]
        return lazy_frames[0][0], parse_time(last_frame_end(times, self.info.rate or 25, lazy_frames[-1][1]))

    @property
    def begin(self) -> Fraction:
        """Time in seconds from which on the source is read; written files count from here."""
        return self.info.start

    def close(self) -> None:  # noqa: B027  (most kinds have no open file)
        """Release files and devices."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def frames_on_screen(lazy_frames: Iterable[LazyFrame], times: Iterable[Fraction]) -> Iterator[LazyFrame]:
    """Yield, for each of ``times`` (not decreasing), the last frame that starts at or before it."""
    stream = iter(lazy_frames)
    current, upcoming = next(stream, None), next(stream, None)
    if current is None:
        return
    for time in times:
        while upcoming is not None and upcoming.time <= time:
            current, upcoming = upcoming, next(stream, None)
        yield current


def black_frame(size: Size) -> Pixels:
    """Return black pixels, in place of a lost frame."""
    return np.zeros((size[1], size[0], 3), np.uint8)


def check_policy(policy: str) -> str:
    """Return a corrupt-frame policy if it is known.

    Raises:
        OptionError: there is no such policy.
    """
    if policy not in POLICIES:
        raise OptionError(f"on_error {policy!r} is unknown; choose one of {', '.join(POLICIES)}")
    return policy


def cut_audio(audio: Audio, start: Fraction | None, end: Fraction | None) -> Audio | None:
    """Return the part of ``audio`` inside [start, end) seconds, or None if there is none."""
    first = 0 if start is None else max(0, -((audio.start - start) * audio.rate // 1))
    last = len(audio.samples) if end is None else min(len(audio.samples), -((audio.start - end) * audio.rate // 1))
    if first >= last:
        return None
    if (first, last) == (0, len(audio.samples)):
        return audio
    return Audio(audio.samples[first:last].copy(), audio.rate, audio.start + Fraction(first, audio.rate))
