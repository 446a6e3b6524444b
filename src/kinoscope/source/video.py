"""Video files: frames and audio in one pass, with exact times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
from av.container import InputContainer

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Frame, Size
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import to_pts, to_seconds
from kinoscope.source.base import Item, LazyFrame, Source, check_policy, frames_on_screen
from kinoscope.source.decode.container import open_file, read_errors
from kinoscope.source.decode.demux import Demuxer
from kinoscope.source.decode.metadata import build_source_info, keyframe_interval
from kinoscope.source.decode.mpeg_clock import CLOCK_CONTAINERS, clock_restarts
from kinoscope.source.decode.reader import MAX_MISSING_END_SECONDS, Reader, ReadRequest
from kinoscope.source.decode.scaler import Orientation, Scaler
from kinoscope.source.limits import DEFAULT_LIMITS, Limits

SEEK_BACK_SECONDS = (0, 5, 60)
"""Seconds before a time at which a keyframe is searched for, in turn: some formats land after the requested time."""


class VideoSource(Source):
    """A file that FFmpeg reads.

    Args:
        path: the file.
        start, end: read only [start, end), in seconds on the time axis of the frames.
        rate: frames per second to sample, or None for every frame.
        on_error: what to do about a frame that cannot be decoded: ``skip`` it, ``repeat`` the last one in its place,
            yield a ``blank`` (black) one, or ``raise`` DecodeError.
        opener: opens the container; by default as a local file.
        live: whether it never ends by itself.
        track: index of the audio track to read, from 0; by default the one that players choose.
        video_track: index of the video track to read, from 0; by default the largest.
        limits: on frames, audio and length; more is refused.

    Raises:
        SourceError: it cannot be opened, or has neither video nor audio; in one line.
        OptionError: there is no such policy, or no such track.
    """

    reader_class = Reader
    """Reader of the frames and audio of a container."""

    def __init__(
        self,
        path: str,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        on_error: str = "skip",
        opener: Callable[..., InputContainer] | None = None,
        live: bool = False,
        track: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        video_track: int | None = None,
    ) -> None:
        self._track, self._video_track, self._limits = track, video_track, limits
        self.path, self._start, self._end, self._rate = path, start, end, rate
        self._policy, self._live = check_policy(on_error), live
        self._opener = opener or partial(open_file, limits=limits)
        self.report = DecodeReport(policy=on_error)
        self._reached: Fraction | None = None
        self._opened: Demuxer | None = self._open()
        try:
            with read_errors(path):
                self._probe(self._opened)
        except BaseException:
            self.close()
            raise

    def _open(self) -> Demuxer:
        container = self._connect()
        try:
            with read_errors(self.path):
                return Demuxer(container, self._track, self._limits, self._video_track)
        except BaseException:
            container.close()
            raise

    def _connect(self) -> InputContainer:
        return self._opener(self.path)

    def _take_demuxer(self) -> Demuxer:
        """Return a demuxer at the beginning, which the caller must close."""
        demuxer, self._opened = self._opened or self._open(), None
        return demuxer

    def _probe(self, demuxer: Demuxer) -> None:
        """Read the metadata of the file and of its first frame."""
        self._check_size(demuxer)
        first = demuxer.peek()
        if demuxer.video is not None and first is None:
            raise self._limits.undecodable(self.path, "has video but no frame that can be decoded")
        if first is None and demuxer.audio is None:
            raise SourceError(f"{self.path} has neither video nor audio; give a video file")
        self.info = build_source_info(self.path, demuxer, first, self._live)
        self._limits.check_frame(self.path, *self.info.size)
        if self._rate is not None and self.info.rate is not None and self._rate < self.info.rate:
            self.info = replace(self.info, rate=self._rate, frames=None)
        self._scaler = Scaler(Orientation() if first is None else Orientation.of(first))
        self._joined = self._clock_restarts(demuxer.container.format.name)
        if self._joined:
            self._set_end(self._measure_end())

    def _clock_restarts(self, kind: str) -> bool:
        return kind in CLOCK_CONTAINERS and not self._live and Path(self.path).is_file() and clock_restarts(self.path)

    def _measure_end(self) -> Fraction | None:
        """Read all packets to find the end of a recording whose timestamps restart."""
        demuxer = self._open()
        try:
            for _ in demuxer.packets:
                pass
            return demuxer.packets.reached
        finally:
            demuxer.close()

    def _set_end(self, end: Fraction | None) -> None:
        if end is not None and end > self.info.start:
            self.info = replace(self.info, duration=end - self.info.start)

    def _check_size(self, demuxer: Demuxer) -> None:
        if demuxer.video is not None:
            context = demuxer.video.codec_context
            self._limits.check_frame(self.path, context.width, context.height)
        if demuxer.audio is not None:
            audio = demuxer.audio.codec_context
            self._limits.check_audio(self.path, audio.layout.nb_channels, audio.sample_rate)

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield frames and audio in [start, end) as they are stored."""
        reader = self._new_reader(tuple(audio_rates))
        demuxer = self._take_demuxer()
        try:
            self._select_streams(demuxer, video, reader)
            if self._start is not None and self._start > self.info.start and not self._live:
                demuxer = self._seek(demuxer, self._start)
            yield from reader.items(demuxer)
            self._update_info(demuxer, reader)
        except GeneratorExit:
            self.report.complete = False
            raise
        finally:
            demuxer.close()

    def _update_info(self, demuxer: Demuxer, reader: Reader) -> None:
        """Correct declared metadata: a rate that varies, and the duration of the first part of several."""
        self._joined |= bool(demuxer.packets.joints)
        if reader.is_uneven and not self._joined:
            self.info = replace(self.info, variable=True)
        if self._joined and not reader.reached_end:
            self._set_end(demuxer.packets.reached)

    def _new_reader(self, rates: tuple[int, ...] = (), limits: bool = True) -> Reader:
        self.report = DecodeReport(policy=self._policy)
        start, end = (self._start, self._end) if limits else (None, None)
        audio_limits = None if self._live else self._limits
        return self.reader_class(
            ReadRequest(self.info, self._scaler, start, end, self._rate, rates, audio_limits), self.report
        )

    def _select_streams(self, demuxer: Demuxer, video: bool, reader: Reader) -> None:
        demuxer.want_video = video and demuxer.video is not None
        demuxer.want_audio = reader.wants_audio and demuxer.audio is not None

    def _seek(self, demuxer: Demuxer, time: Fraction) -> Demuxer:
        """Return a demuxer at a keyframe at or before ``time``, or at the beginning if the file cannot be searched."""
        try:
            if self._joined:
                return self._reopen(demuxer)
            return demuxer if self._seek_back(demuxer, time) else self._reopen(demuxer)
        except av.FFmpegError:
            return self._reopen(demuxer)

    def _reopen(self, demuxer: Demuxer) -> Demuxer:
        demuxer.close()
        reopened = self._open()
        reopened.want_video, reopened.want_audio = demuxer.want_video, demuxer.want_audio
        return reopened

    def _seek_back(self, demuxer: Demuxer, time: Fraction) -> bool:
        """Seek to a keyframe at or before ``time``; return whether one was found.

        Some formats are searched by decoding times, so that even the start leads past the first keyframe.
        """
        stream = demuxer.video or demuxer.audio
        if stream is None or stream.time_base is None:
            return True
        for back in SEEK_BACK_SECONDS:
            demuxer.seek(to_pts(max(time - back, self.info.start), stream.time_base))
            if not demuxer.want_video:
                return True
            first = demuxer.peek()
            if first is not None and to_seconds(first.pts or 0, stream.time_base) <= time:
                return True
        return False

    def at(self, times: Iterable[Fraction]) -> Iterator[LazyFrame]:
        """Yield the frame on screen at each of ``times``, by seeking if they lie further apart than keyframes."""
        requested = list(times)
        return (
            self._seek_frames(requested)
            if self._should_seek(requested)
            else frames_on_screen(self.lazy_frames(), requested)
        )

    def _should_seek(self, times: list[Fraction]) -> bool:
        if self._live or self._joined or not times:
            return False
        self._opened = demuxer = self._take_demuxer()
        gop = None if demuxer.video is None else keyframe_interval(demuxer.video)
        first = times[0] if len(times) > 1 else self.begin
        return gop is not None and (times[-1] - first) / max(1, len(times) - 1) > gop

    def _seek_frames(self, times: list[Fraction]) -> Iterator[LazyFrame]:
        """Yield frames, decoded only from the keyframe before each time; the average rate determines ``index``."""
        demuxer = self._take_demuxer()
        try:
            for time in times:
                reader = self._new_reader(limits=False)
                self._select_streams(demuxer, True, reader)
                demuxer = self._seek(demuxer, time)
                lazy_frames = (item for item in reader.items(demuxer) if isinstance(item, LazyFrame))
                for lazy_frame in frames_on_screen(lazy_frames, [time]):
                    lazy_frame.index = round((lazy_frame.time - self.info.start) * (self.info.rate or 0))
                    yield lazy_frame
        finally:
            demuxer.close()

    def keyframes(self, size: Size | None = None) -> Iterator[Frame]:
        """Yield the keyframes; of a file, nothing else is decoded, and ``index`` counts keyframes."""
        if not self._live:
            self._opened = self._take_demuxer()
            self._opened.only_keyframes()
        return super().keyframes(size)

    def span(self) -> tuple[Fraction, Fraction]:
        """Return the times between which frames lie, within the requested range."""
        start, end = super().span()
        if self.info.duration and not self._live and not self._joined:
            end = self._verified_end(end)
        first, last = self._start, self._end
        return start if first is None else max(start, first), end if last is None else min(end, last)

    def _verified_end(self, end: Fraction) -> Fraction:
        """Return where the last packet ends, if that is well before the declared end."""
        if self._reached is None:
            demuxer = self._open()
            try:
                # Where nothing is left at the end, all packets are examined.
                self._reached = self._end_after(demuxer, end) or self._end_after(demuxer, self.info.start)
            finally:
                demuxer.close()
        known = self._reached is not None and self.info.start < self._reached < end - MAX_MISSING_END_SECONDS
        return self._reached if known and self._reached is not None else end

    def _end_after(self, demuxer: Demuxer, time: Fraction) -> Fraction | None:
        """Demux from a time on, and return where the last packet ends, or None if there is none."""
        stream = demuxer.video or demuxer.audio
        try:
            if stream is not None and stream.time_base is not None:
                demuxer.seek(to_pts(time, stream.time_base))
            for _ in demuxer.packets:
                pass
        except av.FFmpegError:
            return None
        return demuxer.packets.reached

    @property
    def begin(self) -> Fraction:
        """Time in seconds from which on the file is read."""
        return self.info.start if self._start is None else max(self.info.start, self._start)

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
