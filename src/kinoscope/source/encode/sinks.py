"""Sinks for frames: a video, a GIF, or a sequence of images. The Writer selects one and keeps the folder clean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from kinoscope.core.errors import OutputError
from kinoscope.core.image_metadata import embed_comment
from kinoscope.core.media import Audio, Frame, Pixels, Size
from kinoscope.core.time import Seconds, to_pts
from kinoscope.source.encode.audio import AudioTrack, add_audio_track

TICKS_PER_SECOND = 5_760_000
"""Ticks per second of a written video: whole ticks for milliseconds, 90 kHz, 12.8 and 15.36 kHz, and NTSC rates."""

MAX_TICKS_PER_SECOND = 2**31 - 1
"""Largest number of ticks per second that containers support."""

DETERMINISTIC_OPTIONS = {"mbtree": "0"}
"""Options of x264 without which the same frames do not make the same bytes: where there are B-frames, its macroblock
tree reads memory that it never wrote to, so that the result depends on what lay there before."""


class Sink(ABC):
    """A consumer of frames in order of time."""

    @abstractmethod
    def __init__(self, path: Path, size: Size, **options: Any) -> None: ...

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Write one frame."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is still buffered."""

    def write_audio(self, audio: Audio) -> None:  # noqa: B027
        """Write audio, if the format has any; images alone have none."""

    def abandon(self) -> None:  # noqa: B027  (images have no open file)
        """Close without finishing."""


class VideoSink(Sink):
    """A writer of H.264 in mp4, mov or mkv."""

    def __init__(self, path: Path, size: Size, **options: Any) -> None:
        self._size = size
        self._lossless = bool(options["lossless"])
        self._base: Fraction = options["time_base"] or _time_base(options["rate"])
        self._container = _create_container(path, self._base)
        self._container.metadata.update(options["tags"])
        try:
            self._stream = self._add_stream(options)
            self._audio: AudioTrack | None = add_audio_track(
                self._container, options["audio_from"], options["audio_rate"], options["audio_track"]
            )
        except BaseException:
            self.abandon()
            raise
        self._context = VideoReformatter()
        self._zero: Fraction = options["zero"]
        self._shift: Fraction | None = None
        self._end = Fraction(0)
        self._time: Fraction | None = None
        self._step = 1 / Fraction(options["rate"]) if options["rate"] else Fraction(0)
        self._last: int | None = None

    def _add_stream(self, options: dict[str, Any]) -> VideoStream:
        rate = options["rate"]
        codec = "libx264rgb" if self._lossless else "libx264"
        encoder_options = {
            "preset": options["preset"],
            "crf": "0" if self._lossless else str(options["quality"]),
        } | DETERMINISTIC_OPTIONS
        frame_rate = Fraction(rate).limit_denominator(1001) if rate else Fraction(25)
        stream = self._container.add_stream(codec, frame_rate, options=encoder_options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = self._size if self._lossless else (_even(n) for n in self._size)
        stream.pix_fmt = "rgb24" if self._lossless else "yuv420p"
        stream.codec_context.time_base = stream.time_base = self._base
        if not self._lossless:
            stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
            stream.codec_context.color_range = ColorRange.MPEG
        return stream

    def write(self, frame: Frame) -> None:
        """Encode one frame."""
        if self._shift is None:
            # An mp4 shows nothing before zero, so a negative start moves everything.
            self._shift = max(-self._zero, -frame.time)
            if self._audio is not None:
                self._audio.begin(frame.time, self._shift)
        video_frame = self._convert(frame.pixels)
        video_frame.pts, video_frame.time_base = to_pts(frame.time + self._shift, self._base), self._base
        self._check_order(video_frame.pts, frame.time)
        self._step = self._step if self._time is None else frame.time - self._time
        self._end, self._time = frame.time + (frame.duration or self._step), frame.time
        if self._audio is not None:
            self._audio.write_until(frame.time)
        self._container.mux(self._stream.encode(video_frame))

    def _check_order(self, pts: int, time: Fraction) -> None:
        if self._last is not None and pts <= self._last:
            raise OutputError(f"a frame at {float(time):g} s does not come after the one before; write them in order")
        self._last = pts

    def _convert(self, pixels: Pixels) -> VideoFrame:
        if self._lossless:
            return VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        height, width = pixels.shape[:2]
        if width % 2 or height % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        return self._context.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def write_audio(self, audio: Audio) -> None:
        """Encode audio."""
        if self._audio is None:
            raise OutputError("the Writer has no audio track; give it an audio_rate")
        self._audio.write(audio)

    def finish(self) -> None:
        """Encode what is buffered and close the file."""
        if self._last is None:
            raise OutputError("no frame was written; give at least one")
        if self._audio is not None:
            self._audio.finish(self._end)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        audio = getattr(self, "_audio", None)
        if audio is not None:
            audio.close()
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()


class GifSink(Sink):
    """A writer of an animation, each frame with a palette of its own."""

    def __init__(self, path: Path, size: Size, **options: Any) -> None:
        self._container = av.open(str(path), "w", format="gif")
        self._path, self._comment = path, options["tags"].get("comment")
        self._stream = self._container.add_stream("gif", 100)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "pal8"
        self._stream.codec_context.time_base = Fraction(1, 100)
        self._graph = _palette_graph(size)
        self._first: Fraction | None = None

    def write(self, frame: Frame) -> None:
        """Write one frame; a GIF counts in hundredths of a second."""
        self._first = frame.time if self._first is None else self._first
        video_frame = VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), "rgb24")
        video_frame.pts, video_frame.time_base = to_pts(frame.time - self._first, Fraction(1, 100)), Fraction(1, 100)
        self._graph.push(video_frame)
        self._pull()

    def _pull(self) -> None:
        while True:
            try:
                video_frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._container.mux(self._stream.encode(video_frame))  # type: ignore[arg-type]

    def finish(self) -> None:
        """Write what is buffered and close the file."""
        if self._first is None:
            raise OutputError("no frame was written; give at least one")
        self._graph.push(None)
        self._pull()
        self._container.mux(self._stream.encode(None))
        self._container.close()
        if self._comment:
            # FFmpeg drops the comment of a GIF.
            self._path.write_bytes(embed_comment(self._path.read_bytes(), self._comment))

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()


class SequenceSink(Sink):
    """A writer of images numbered from 0, in the folder of ``path``, whose name is the pattern of theirs."""

    def __init__(self, path: Path, size: Size, **options: Any) -> None:
        self._folder, self._count, self._comment = path.parent, 0, options["tags"].get("comment")
        self._pattern = path.name
        self._file_name(0)

    def _file_name(self, number: int) -> str:
        try:
            return self._pattern % number
        except (TypeError, ValueError):
            raise OutputError(f"{self._pattern} is no pattern of names; write one number as in name-%05d.png") from None

    def write(self, frame: Frame) -> None:
        """Write one image."""
        video_frame = VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), "rgb24")
        path = self._folder / self._file_name(self._count)
        lower = path.with_suffix(path.suffix.lower())  # PyAV supports lower case only
        video_frame.save(lower)
        lower.rename(path)
        if self._comment:
            path.write_bytes(embed_comment(path.read_bytes(), self._comment))
        self._count += 1

    def finish(self) -> None:
        """Finish; nothing is buffered."""


def _time_base(rate: Seconds | None) -> Fraction:
    """Return a tick that divides the time of a frame at ``rate``, and most other times."""
    if not rate:
        return Fraction(1, TICKS_PER_SECOND)
    ticks = math.lcm(TICKS_PER_SECOND, Fraction(rate).limit_denominator(100_000).numerator)
    return Fraction(1, ticks if ticks <= MAX_TICKS_PER_SECOND else Fraction(rate).limit_denominator(100_000).numerator)


def _create_container(path: Path, base: Fraction) -> OutputContainer:
    if path.suffix.lower() == ".mkv":
        # Otherwise each file gets a random id.
        return av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"})
    scale = str(base.denominator)
    options = {"movflags": "+faststart", "video_track_timescale": scale, "movie_timescale": scale}
    return av.open(str(path), "w", format="mov" if path.suffix.lower() == ".mov" else "mp4", options=options)


def _even(number: int) -> int:
    return number + number % 2


def _palette_graph(size: Size) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=size[0], height=size[1], format=VideoFormat("rgb24"), time_base=Fraction(1, 100))
    split, palette, use = (
        graph.add("split"),
        graph.add("palettegen", "stats_mode=single"),
        graph.add("paletteuse", "new=1"),
    )
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
