"""A video as an object: its metadata, frames and audio, read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from kinoscope.core.addresses import reveal
from kinoscope.core.errors import SourceError
from kinoscope.core.media import Audio, Frame, FrameBatch, Size, SourceInfo
from kinoscope.core.time import FrameSampler, Seconds, parse_time
from kinoscope.core.validation import require_number
from kinoscope.source import Source, open_source
from kinoscope.source.frames import DEFAULT_FRAME_RATE, FrameSequence, VideoAddress


class Video:
    """A video: a file, a URL, a camera, a folder of images, or frames in memory (see ``from_frames``).

    The source is opened when something is read, from the beginning each time, and closed afterwards. Every verb
    but ``lipsync``, which copies streams of files, takes a Video in place of a path::

        video = kinoscope.Video("street.mp4", start=3, end=10)
        for frame in video.frames(rate=5, size=(320, 180)):
            print(float(frame.time), frame.pixels.shape)

    Args:
        path: whatever ``kinoscope.open_source`` takes.
        start, end: only [start, end) is read, in seconds or as a clock (00:01:02.5).
        video_track, audio_track: which of several tracks are used, from 0; by default the largest video track, and the
            audio track that players choose.
        bounds: limits on what is read, as ``analyze`` takes them, such as ``hours=200``.

    Attributes:
        address: what names it in results, and what ``open_source`` takes.

    Raises:
        OptionError: ``start`` or ``end`` is no time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: str | Seconds | None = None,
        end: str | Seconds | None = None,
        video_track: int | None = None,
        audio_track: int | None = None,
        bounds: str | None = None,
    ) -> None:
        times = {name: None if time is None else parse_time(time) for name, time in (("start", start), ("end", end))}
        options = times | {"video_track": video_track, "audio_track": audio_track, "limit": bounds}
        given = {name: value for name, value in options.items() if value is not None}
        self.address = VideoAddress(reveal(os.fspath(path)), given)
        self._info: SourceInfo | None = None

    @classmethod
    def from_frames(cls, frames: Any, rate: str | Seconds = DEFAULT_FRAME_RATE, name: str = "frames") -> Video:
        """Return the video of frames in memory, which are not copied.

        Args:
            frames: uint8 RGB (T, H, W, 3), or any iterable of (H, W, 3): a list, or a generator, which is read only
                once. OpenCV reads BGR: pass ``frame[..., ::-1]``.
            rate: frames per second; the first frame is at 0.
            name: of the video in results.

        Raises:
            SourceError: the array is not uint8 or has another shape.
            OptionError: the rate cannot be used.
        """
        video = cls(name)
        video.address = VideoAddress(name, frames=FrameSequence(frames, rate, name))
        return video

    @property
    def info(self) -> SourceInfo:
        """The metadata: size, rate, duration, codec and others.

        Raises:
            SourceError: the video cannot be opened.
        """
        if self._info is None:
            self._open().close()
        assert self._info is not None
        return self._info

    def _open(self) -> Source:
        source = open_source(self.address)
        self._info = source.info
        return source

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame, as ``frames`` does."""
        return self.frames()

    def frames(self, rate: Seconds | None = None, size: Size | None = None) -> Iterator[Frame]:
        """Yield frames with ``time`` (Fraction, in seconds) and ``pixels``, uint8 RGB (H, W, 3).

        Args:
            rate: about as many frames per second; all if not given.
            size: (width, height) to scale them to; that of the video if not given.

        Raises:
            SourceError: the video cannot be opened, or has no frames.
            OptionError: the rate is not positive.
        """
        FrameSampler(rate)  # an invalid rate is reported by the call, not by the first frame
        return self._read_frames(rate, size)

    def _read_frames(self, rate: Seconds | None, size: Size | None) -> Iterator[Frame]:
        with self._open() as source:
            self._require_video()
            yield from source.frames(size, rate)
            self._info = source.info  # some of it is known only after decoding

    def _require_video(self) -> None:
        if not self.info.width:
            raise SourceError(f"{self.address} has no video; it is audio only")

    def at(self, time: str | Seconds, size: Size | None = None) -> Frame:
        """Return the frame on screen at a time, in seconds or as a clock; of a file, found by seeking.

        Raises:
            SourceError: the time lies outside of the video.
        """
        moment = parse_time(time)
        with self._open() as source:
            self._require_video()
            first, last = source.begin, self._end()
            if moment < first or (last is not None and moment > last):
                end = "" if last is None else f" to {float(last):g}"
                raise SourceError(f"{float(moment):g} s is outside of {self.address}: give {float(first):g}{end} s")
            for lazy_frame in source.at([moment]):
                return lazy_frame.frame(size)
        raise SourceError(f"{self.address} has no frame that can be decoded")

    def _end(self) -> Fraction | None:
        """Return when the part that is read ends, in seconds, or None if that is not known."""
        end = self.address.options.get("end")
        ends = [] if self.info.duration is None else [self.info.start + self.info.duration]
        return min(ends + ([] if end is None else [end]), default=None)

    def read(self, rate: Seconds | None = None, size: Size | None = None, count: int | None = None) -> FrameBatch:
        """Return frames in one array: ``pixels`` uint8 RGB (T, H, W, 3), and their ``times`` in seconds (T,).

        Args:
            rate, size: as of ``frames``. All frames of a long video may not fit into memory.
            count: as many frames, spread evenly over the video, instead of a rate.

        Raises:
            SourceError: the video cannot be opened, or has no frame.
            OptionError: the rate or the count cannot be used.
        """
        if count is None:
            frames = list(self.frames(rate, size))
        else:
            require_number("count", count, 1)
            with self._open() as source:
                frames = list(source.evenly(count, size))
        if not frames:
            raise SourceError(f"{self.address} has no frame that can be decoded")
        return FrameBatch.stack(frames)

    def audio(self, rate: int = 16_000) -> Audio:
        """Return the audio, mono: float32 ``samples`` (N,) in [-1, 1] from ``start`` in seconds on; gaps are silent.

        Args:
            rate: samples per second.

        Raises:
            SourceError: the video cannot be opened, or has no audio.
        """
        require_number("rate", rate, 1)
        with self._open() as source:
            parts = [part for part in source.read(video=False, audio_rates=(rate,)) if isinstance(part, Audio)]
        if not parts:
            raise SourceError(f"{self.address} has no audio")
        return Audio.concatenate(parts)

    def __repr__(self) -> str:
        if self.address.frames is not None:
            return f"Video.from_frames({self.address.frames!r})"
        options = "".join(f", {_describe_option(*item)}" for item in self.address.options.items())
        known = "" if self._info is None else f": {_describe(self._info)}"
        return f"Video({str(self.address)!r}{options}){known}"


def _describe_option(name: str, value: Any) -> str:
    shown = f"{float(value):g}" if isinstance(value, Fraction) else repr(value)
    return f"{'bounds' if name == 'limit' else name}={shown}"


def _describe(info: SourceInfo) -> str:
    """Return size, rate and duration, such as ``640x360, 25 fps, 12.5 s, audio``."""
    parts = [f"{info.width}x{info.height}"] if info.width else []
    parts += [f"{float(info.rate):g} fps"] if info.rate else []
    parts += [f"{float(info.duration):g} s"] if info.duration else []
    return ", ".join(parts + (["audio"] if info.has_audio else []))
