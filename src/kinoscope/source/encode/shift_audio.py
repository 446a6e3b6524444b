"""Shift the audio of a file relative to its video; video packets are copied."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, DataStream, Disposition, Stream
from av.video.stream import VideoStream

from kinoscope.core.errors import OptionError, OutputError, SourceError
from kinoscope.core.files import atomic_write
from kinoscope.core.time import Seconds, parse_time, to_pts
from kinoscope.source.decode.audio_tracks import select_audio
from kinoscope.source.decode.container import error_message, open_file
from kinoscope.source.decode.continuity import TimestampJoiner
from kinoscope.source.encode.time_stretch import TimeStretcher

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".ts": "mpegts",
}  # fmt: skip
"""Suffix -> container whose audio can begin at any time."""

MAX_HIDDEN_SECONDS = Fraction(1, 10)
"""Seconds of audio kept before zero where an edit list hides it: a decoder needs it for a clean start."""

GENERATE_PTS_FLAG = 0x1
"""FFmpeg's AVFMT_FLAG_GENPTS."""

STRETCH_RANGE = Fraction(9, 10), Fraction(11, 10)
"""Factors beyond which there is no clock drift but another speed."""

CONTAINER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
"""Tags that describe the container itself, and no other."""

PLAIN_TAGS = {
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc", "creation_time",
}  # fmt: skip
"""Tags that an mp4 has a box of its own for; the others need the general one."""


@dataclass(frozen=True, slots=True)
class ShiftResult:
    """The result of shifting the audio of a file.

    Attributes:
        path: the new file.
        delay: seconds by which audio was delayed (advanced if negative).
        stretch: factor by which its duration was multiplied.
        left_out: type and index of streams that the container does not support; video, audio and subtitles are always
            kept.
    """

    path: Path
    delay: Fraction
    stretch: Fraction
    left_out: tuple[str, ...] = ()


def shift_audio(
    path: str | Path, out: str | Path, delay: Seconds, stretch: Seconds = 1, audio_track: int | None = None
) -> ShiftResult:
    """Write a copy of a file with its audio shifted: what was at ``t`` seconds is at ``t * stretch + delay``.

    Video, subtitles, chapters, tags, languages, rotation and shape of pixels stay, and video is not encoded again.
    Audio is copied too, unless it is stretched: then it is resampled (its pitch falls by as much) and encoded in its
    own codec, or as AAC where that has no encoder. Audio that would begin before all else is cut there.

    Args:
        path: the file; it is never written to.
        out: the new file, which may be replaced; its suffix selects the container.
        delay: seconds; negative advances audio.
        stretch: 0.9 to 1.1; above 1 makes audio longer.
        audio_track: index of the audio track to shift, from 0, or None for all.

    Raises:
        OptionError: an option has a value that cannot be used, or ``out`` is the file itself.
        SourceError: the file cannot be read, or lacks video or audio.
        OutputError: the file cannot be written, or its container does not support a stream.
    """
    delay, stretch = parse_time(delay), parse_time(stretch).limit_denominator(1_000_000)
    container_format = _select_container(Path(out))
    if not STRETCH_RANGE[0] <= stretch <= STRETCH_RANGE[1]:
        raise OptionError(f"stretch {float(stretch):g} is not between 0.9 and 1.1; give a factor such as 1.001")
    with open_file(str(path)) as source:
        if container_format == "mpegts" != source.format.name:
            raise OptionError(f"{out}: .ts is written from a transport stream only; give a name that ends in .mkv")
        if Path(out).exists() and os.path.samefile(path, out):
            raise OptionError(f"{out} is the input itself, which is never overwritten; give another name")
        shifted_tracks = _select_tracks(source, audio_track)
        with atomic_write(out) as temporary, _Remuxer(source, temporary, Path(out), container_format) as remuxer:
            left_out = remuxer.run(shifted_tracks, delay, stretch)
    return ShiftResult(Path(out), delay, stretch, tuple(left_out))


def _select_container(out: Path) -> str:
    if out.suffix.lower() in CONTAINERS:
        return CONTAINERS[out.suffix.lower()]
    why = "keeps no times of its audio" if out.suffix.lower() in (".avi", ".mpg", ".mpeg") else "cannot be written"
    raise OptionError(
        f"{out}: such a file {why}; give a name that ends in {', '.join(CONTAINERS)} (.mkv supports most)"
    )


def _select_tracks(source: InputContainer, number: int | None) -> set[int]:
    """Return the stream indices of the audio tracks to shift."""
    name = source.name.removeprefix("file:")
    if not any(not _is_cover(stream) for stream in source.streams.video):
        raise SourceError(f"{name} has no video to shift its audio against; give a video with audio")
    if not source.streams.audio:
        raise SourceError(f"{name} has no audio to shift; give a video with audio")
    selected = None if number is None else select_audio(source, number)
    return {stream.index for stream in source.streams.audio} if selected is None else {selected.index}


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


class _Remuxer:
    """A copy of one container into another."""

    def __init__(self, source: InputContainer, temporary: Path, out: Path, container_format: str) -> None:
        self._source, self._out, self._format = source, out, container_format
        source.flags = source.flags | GENERATE_PTS_FLAG  # AVI has no presentation timestamps
        self._target: OutputContainer = av.open(str(temporary), "w", format=container_format, options=self._options())
        self._streams: dict[int, Stream] = {}
        self._stretchers: dict[int, TimeStretcher] = {}
        starts = [s.start_time * s.time_base for s in source.streams if s.start_time is not None and s.time_base]
        self._start = min(starts, default=Fraction(0))

    def __enter__(self) -> _Remuxer:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            try:
                self._target.close()
            except (av.FFmpegError, OSError, ValueError):
                return  # the first error is reported

    def run(self, shifted_tracks: set[int], delay: Fraction, stretch: Fraction) -> list[str]:
        """Copy all streams, and return the type and index of those that could not be copied."""
        try:
            left_out = self._add_streams(shifted_tracks if stretch != 1 else set(), delay, stretch)
            self._copy_metadata()
            for packet in self._packets():
                self._write(packet, delay if packet.stream.index in shifted_tracks else Fraction(0))
            for stretcher in self._stretchers.values():
                self._target.mux(stretcher.flush())
            self._target.close()
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"cannot write {self._out}: {error_message(error)}; {self._advice()}") from None
        return left_out

    def _packets(self) -> Iterator[Packet[Any]]:
        """Yield packets on one clock, also where recordings were concatenated."""
        yield from TimestampJoiner().run(self._demux())

    def _demux(self) -> Iterator[Packet[Any]]:
        packets = self._source.demux(*(self._source.streams[i] for i in self._streams))
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                name = self._source.name.removeprefix("file:")
                raise SourceError(f"{name} is corrupt: {error_message(error)}; copy or download it again") from None
            if packet is None:
                return
            yield packet

    def _options(self) -> dict[str, str]:
        if self._format not in ("mp4", "mov"):
            return {}
        flags = "+faststart"
        if set(self._source.metadata) - PLAIN_TAGS - CONTAINER_TAGS:
            flags += "+use_metadata_tags"
        bases = [stream.time_base.denominator for stream in self._source.streams if stream.time_base]
        ticks = math.lcm(*bases)
        # The start of audio is written in ticks of the movie, by default whole milliseconds.
        return {"movflags": flags, "movie_timescale": str(ticks if ticks <= 100_000_000 else 90_000)}

    def _add_streams(self, stretched: set[int], delay: Fraction, stretch: Fraction) -> list[str]:
        left_out = []
        for stream in self._source.streams:
            if not self._can_store(stream):
                left_out += [] if self._is_regenerated(stream) else [f"{stream.type} {stream.index}"]
                continue
            if isinstance(stream, AudioStream) and stream.index in stretched:
                stretcher = self._stretchers[stream.index] = TimeStretcher(
                    self._target, stream, delay, stretch, max(self._start, Fraction(0))
                )
                copy: Stream = stretcher.target
            else:
                copy = self._copy(stream)
            copy.metadata.update({k: v for k, v in stream.metadata.items() if not k.upper().startswith("DURATION")})
            copy.disposition = stream.disposition
            self._streams[stream.index] = copy
        return left_out

    def _can_store(self, stream: Stream) -> bool:
        if isinstance(stream, AttachmentStream):
            return self._format == "matroska"
        if isinstance(stream, DataStream):
            return self._format == "mpegts" == self._source.format.name
        return stream.codec_context is not None

    def _is_regenerated(self, stream: Stream) -> bool:
        """Return whether a stream only holds the chapters or the timecode of an mp4, which are written again."""
        clock = "timecode" in stream.metadata and self._format in ("mp4", "mov")
        return clock or (stream.name == "bin_data" and bool(self._source.chapters()))

    def _copy(self, stream: Stream) -> Stream:
        try:
            copy = self._target.add_stream_from_template(stream, opaque=True)
        except ValueError:
            content = f"the {stream.type} of {self._source.name.removeprefix('file:')} ({stream.codec_context.name})"
            raise OutputError(f"{self._out.suffix} cannot hold {content}; {self._advice()}") from None
        if isinstance(stream, VideoStream) and isinstance(copy, VideoStream):
            if stream.average_rate:
                copy.codec_context.framerate = stream.average_rate
            self._check_shape(stream)
            if stream.sample_aspect_ratio:
                copy.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio
            if self._format in ("mp4", "mov") and "mov" in self._source.format.name:
                copy.codec_context.codec_tag = stream.codec_context.codec_tag
        return copy

    def _check_shape(self, stream: VideoStream) -> None:
        """Raise OutputError where pixels would become square: PyAV cannot write a shape into Matroska itself."""
        shape = stream.sample_aspect_ratio
        if self._format in ("matroska", "webm") and shape not in (None, 1, stream.codec_context.sample_aspect_ratio):
            content = f"the shape of pixels ({shape}) of {self._source.name.removeprefix('file:')}"
            raise OutputError(f"{self._out.suffix} cannot hold {content}; give a name that ends in .mp4 or .mov")

    def _advice(self) -> str:
        own = Path(self._source.name).suffix.lower()
        endings = [end for end in dict.fromkeys((own, ".mkv")) if end in CONTAINERS and end != self._out.suffix.lower()]
        return f"give a name that ends in {' or '.join(endings)}" if endings else "check the file and the free space"

    def _copy_metadata(self) -> None:
        self._target.metadata.update({k: v for k, v in self._source.metadata.items() if k not in CONTAINER_TAGS})
        self._target.set_chapters(self._source.chapters())

    def _write(self, packet: Packet[Any], delay: Fraction) -> None:
        index = packet.stream.index
        if index in self._stretchers:
            self._target.mux(self._stretchers[index].process(packet))
        elif packet.size:
            for shifted in self._shift(packet, delay):
                shifted.stream = self._streams[index]
                self._target.mux(shifted)

    def _shift(self, packet: Packet[Any], delay: Fraction) -> Iterator[Packet[Any]]:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if delay and stamp is not None:
            # An mp4 hides what lies before zero; elsewhere it would move everything.
            hidden = MAX_HIDDEN_SECONDS if self._format in ("mp4", "mov") and self._start <= 0 else 0
            if stamp * packet.time_base + delay < self._start - hidden:
                return
            ticks = to_pts(delay, packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        yield packet
