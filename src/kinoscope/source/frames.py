"""Frames in memory as a source: an array of frames, or any iterable of them, such as a generator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from fractions import Fraction
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.addresses import Address
from kinoscope.core.errors import KinoscopeError, OptionError, SourceError, describe_error
from kinoscope.core.media import Frame, Pixels, Size, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import FrameSampler, Seconds, parse_time
from kinoscope.source.base import Item, LazyFrame, Source

DEFAULT_FRAME_RATE = 25
"""Frames per second of an array, whose times are not stated."""

MAX_FRAME_RATE = 100_000
"""Frames per second that are still taken for a rate, rather than for a mistake."""


class FrameSequence:
    """Frames in memory at a constant rate; none is copied.

    Args:
        frames: uint8 RGB (T, H, W, 3), or (H, W, 3) for one frame; or an iterable of (H, W, 3), or of ``Frame``, whose
            times are not used.
        rate: frames per second.
        name: of the source in results.

    Attributes:
        name, rate: as given, the rate exact.
        once: whether the frames come from an iterator, such as a generator, and can be read only once.
        count: number of frames, or None if it is not known.

    Raises:
        SourceError: it is an array of another type or shape, or no iterable.
        OptionError: the rate cannot be used.
    """

    def __init__(self, frames: Any, rate: str | Seconds = DEFAULT_FRAME_RATE, name: str = "frames") -> None:
        self.name, self.rate = name, parse_time(rate)
        if not 0 < self.rate <= MAX_FRAME_RATE:
            raise OptionError(f"rate {float(self.rate):g} is not possible; give frames per second, such as 25")
        self._frames = self._check_array(frames) if is_array(frames) else frames
        if not isinstance(self._frames, Iterable):
            raise SourceError(f"{name} is {type(frames).__name__}; give an array (T, H, W, 3) or an iterable of frames")
        self.once = isinstance(self._frames, Iterator)
        self.count = len(self._frames) if isinstance(self._frames, Sized) else None
        self._first: Pixels | None = None
        self._taken = False

    def _check_array(self, frames: Any) -> Any:
        """Return an array as (T, H, W, 3)."""
        array = self._as_array(frames)
        if array.ndim != 4:
            return self._check(array)[None]
        if len(array):
            self._check(array[0])
        return array

    def _as_array(self, frame: Any, index: int = 0) -> NDArray[Any]:
        try:
            return np.asarray(frame.pixels if isinstance(frame, Frame) else frame)
        except (TypeError, ValueError) as error:
            raise SourceError(f"frame {index} of {self.name} is no array ({error}); give uint8 (H, W, 3) RGB") from None

    def _check(self, frame: Any, index: int = 0) -> Pixels:
        """Return one frame if it is uint8 (H, W, 3)."""
        pixels = self._as_array(frame, index)
        if not pixels.ndim:
            raise SourceError(f"frame {index} of {self.name} is {type(frame).__name__}; give uint8 (H, W, 3) RGB")
        if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise SourceError(
                f"frame {index} of {self.name} has shape {pixels.shape}; give (H, W, 3) RGB, "
                "as in np.stack([grey] * 3, axis=-1) or rgba[..., :3]"
            )
        if pixels.dtype != np.uint8:
            raise SourceError(
                f"frame {index} of {self.name} is {pixels.dtype}; give uint8, "
                "as in (255 * frame).astype(np.uint8) for values in [0, 1]"
            )
        return pixels

    def first(self) -> Pixels:
        """Return the first frame (H, W, 3); of an iterator, it is kept for the next pass.

        Raises:
            SourceError: there is none, or all have been read.
        """
        if self._first is None:
            self._check_unread()
            for first in self._read(self._frames):
                self._first = self._check(first)
                break
            else:
                raise SourceError(f"{self.name} has no frame; give at least one")
        return self._first

    def _read(self, frames: Iterable[Any]) -> Iterator[Any]:
        """Yield the frames; an error of their iterator, such as one of a camera, becomes a SourceError."""
        items = iter(frames)
        for number in count():
            try:
                item = next(items)
            except StopIteration:
                return
            except KinoscopeError:
                raise
            except Exception as error:
                reason = f"its iterator raised {describe_error(error)}"
                raise SourceError(f"frame {number} of {self.name} cannot be read: {reason}") from error
            yield item

    def __iter__(self) -> Iterator[Pixels]:
        """Return an iterator over the frames (H, W, 3) from the first on.

        Raises:
            SourceError: they can be read only once, and have been; or one is not uint8 (H, W, 3).
        """
        frames: Iterable[Any] = self._frames
        if self.once:
            self._check_unread()
            frames, self._first, self._taken = chain([self.first()], frames), None, True
        return (self._check(frame, index) for index, frame in enumerate(self._read(frames)))

    def _check_unread(self) -> None:
        if self._taken:
            raise SourceError(f"{self.name} can be read only once, as it is an iterator; give an array or a list")

    def digest(self) -> str | None:
        """Return a hash of all pixels and the rate; None unless they are in an array, a list or a tuple."""
        if not isinstance(self._frames, np.ndarray | list | tuple):
            return None
        digest = hashlib.sha256(str(self.rate).encode())
        for frame in self:
            digest.update(repr(frame.shape).encode())
            digest.update(np.ascontiguousarray(frame).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        first = self._frames[0] if isinstance(self._frames, np.ndarray) and len(self._frames) else self._first
        size = "" if first is None else f"{first.shape[1]}x{first.shape[0]}, "
        count = "" if self.count is None else f"{self.count} frames, "
        return f"{self.name}: {count}{size}{float(self.rate):g} fps"


class FrameSource(Source):
    """Frames in memory, from time 0 on. Frames of another size than the first are scaled to it.

    Args:
        frames: what is read.
        start, end: read only [start, end), in seconds.
        rate: frames per second to sample, or None for every frame.

    Raises:
        SourceError: there is no frame, or the first is invalid.
    """

    def __init__(
        self,
        frames: FrameSequence,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
    ) -> None:
        self._frames, self._range, self._rate = frames, (start or Fraction(0), end), rate
        self._step, self.report = 1 / frames.rate, DecodeReport()
        height, width, _ = frames.first().shape
        is_sampled = rate is not None and rate < frames.rate
        self.info = SourceInfo(
            frames.name, width, height, rate=rate if is_sampled else frames.rate,
            duration=None if frames.count is None else frames.count * self._step,
            frames=None if is_sampled else frames.count,
            container="memory", codec="rawvideo", pixel_format="rgb24", bit_depth=8,
        )  # fmt: skip

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each frame at its time, index / rate."""
        self.report = DecodeReport()
        (start, end), sampler, number = self._range, FrameSampler(self._rate), -1
        for number, pixels in enumerate(self._frames if video else ()):
            time = number * self._step
            if end is not None and time >= end:
                return
            if time >= start and sampler.due(time):
                self.report.frames += 1
                self.report.resizes += (pixels.shape[1], pixels.shape[0]) != self.info.size
                yield self._lazy_frame(pixels, time, number)
        if video and self.info.duration is None:
            self.info = replace(self.info, duration=(number + 1) * self._step)

    def _lazy_frame(self, pixels: Pixels, time: Fraction, number: int) -> LazyFrame:
        def render(size: Size) -> Pixels:
            from kinoscope.source.decode.scaler import resize

            return resize(pixels, size)

        return LazyFrame(render, self.info.size, time, number, key=True, duration=self._step)


class VideoAddress(Address):
    """The name of a source that is more than a path: ``open_source`` reads its part of a file, or its frames.

    Attributes:
        options: options of ``open_source``, by name, that belong to the source.
        frames: frames in memory; None for a path or a URL.
    """

    __slots__ = ("frames", "options")
    options: Mapping[str, Any]
    frames: FrameSequence | None

    def __new__(
        cls, text: str, options: Mapping[str, Any] | None = None, frames: FrameSequence | None = None
    ) -> VideoAddress:
        """Return the masked address of a path or a URL, or the name of frames in memory."""
        address = super().__new__(cls, text)
        address.options, address.frames = options or {}, frames
        return address

    def __reduce__(self) -> tuple[type[Address], tuple[str]]:
        """Return the name alone for pickling: frames in memory stay in their process."""
        return Address, (self.real,)

    def merge(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options of ``open_source`` together with those of the source; times select a part of its part.

        Raises:
            OptionError: an option has two values.
        """
        given = {name: value for name, value in options.items() if value is not None}
        for name in given.keys() & self.options.keys():
            given[name] = self._merge_option(name, given[name], self.options[name])
        return dict(self.options) | given

    def _merge_option(self, name: str, given: Any, own: Any) -> Any:
        if name in ("start", "end"):
            return (max if name == "start" else min)(parse_time(given), parse_time(own))
        if given != own:
            raise OptionError(f"{name} is {own} for the Video of {self}, and {given} for the call; give it once")
        return given


def is_array(value: object) -> bool:
    """Return whether numpy can take an object as an array without reading its items one by one."""
    return hasattr(value, "__array__") or hasattr(value, "__array_interface__")


def in_memory(path: str) -> FrameSequence | None:
    """Return the frames of a source that is in memory; None for a path or a URL."""
    return path.frames if isinstance(path, VideoAddress) else None
