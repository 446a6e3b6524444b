"""Video files: one decode of pictures and sound, with exact times."""

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
"""Seconds before a time at which a keyframe is looked for, in turn: some formats land after what was asked."""


class VideoSource(Source):
    """A file that FFmpeg reads.

    Args:
        path: the file.
        start, end: only what lies in [start, end) is given, in seconds on the clock of the frames' times.
        rate: pictures per second to give at most, or None for every one.
        on_error: what to do about a picture that cannot be decoded: ``skip`` it, ``repeat`` the last one in its
            place, give a ``blank`` (black) one, or ``raise`` DecodeError.
        opener: opens the container; as a file, if not given.
        live: whether it never ends by itself.
        track: which of several sound tracks is heard, counted from 0; by default the one that players choose.
        video_track: which of several video tracks is shown, counted from 0; by default the largest.
        limits: on frames, audio and length; more is refused.

    Raises:
        SourceError: it cannot be opened, or has neither picture nor sound; in one line.
        OptionError: there is no such policy, or no such track.
    """

    reading = Reader
    """How frames and audio are taken from a container."""

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
        self._track, self._video_track, self._allowed = track, video_track, limits
        self.path, self._start, self._end, self._rate = path, start, end, rate
        self._policy, self._live = check_policy(on_error), live
        self._opener = opener or partial(open_file, limits=limits)
        self.report = DecodeReport(policy=on_error)
        self._reached: Fraction | None = None
        self._fresh: Demuxer | None = self._open()
        try:
            with read_errors(path):
                self._look(self._fresh)
        except BaseException:
            self.close()
            raise

    def _open(self) -> Demuxer:
        container = self._connect()
        try:
            with read_errors(self.path):
                return Demuxer(container, self._track, self._allowed, self._video_track)
        except BaseException:
            container.close()
            raise

    def _connect(self) -> InputContainer:
        return self._opener(self.path)

    def _take(self) -> Demuxer:
        """Give a container at its beginning, which is then the caller's to close."""
        decoding, self._fresh = self._fresh or self._open(), None
        return decoding

    def _look(self, decoding: Demuxer) -> None:
        """Learn what the file says, and from its first picture."""
        self._check_size(decoding)
        first = decoding.peek()
        if decoding.video is not None and first is None:
            raise self._allowed.undecodable(self.path, "has video but no picture that can be decoded")
        if first is None and decoding.sound is None:
            raise SourceError(f"{self.path} has neither picture nor sound; give a video file")
        self.info = build_source_info(self.path, decoding, first, self._live)
        self._allowed.check_frame(self.path, *self.info.size)
        if self._rate is not None and self.info.rate is not None and self._rate < self.info.rate:
            self.info = replace(self.info, rate=self._rate, frames=None)
        self._scaler = Scaler(Orientation() if first is None else Orientation.of(first))
        self._joined = self._restarts(decoding.container.format.name)
        if self._joined:
            self._last_to(self._measured())

    def _restarts(self, kind: str) -> bool:
        return kind in CLOCK_CONTAINERS and not self._live and Path(self.path).is_file() and clock_restarts(self.path)

    def _measured(self) -> Fraction | None:
        """Read all packets to learn where a recording ends whose stamps start again."""
        decoding = self._open()
        try:
            for _ in decoding.packets:
                pass
            return decoding.packets.reached
        finally:
            decoding.close()

    def _last_to(self, end: Fraction | None) -> None:
        if end is not None and end > self.info.start:
            self.info = replace(self.info, duration=end - self.info.start)

    def _check_size(self, decoding: Demuxer) -> None:
        if decoding.video is not None:
            context = decoding.video.codec_context
            self._allowed.check_frame(self.path, context.width, context.height)
        if decoding.sound is not None:
            audio = decoding.sound.codec_context
            self._allowed.check_audio(self.path, audio.layout.nb_channels, audio.sample_rate)

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield pictures and sound in [start, end) as they are stored."""
        reading = self._begin(tuple(audio_rates))
        decoding = self._take()
        try:
            self._choose(decoding, video, reading)
            if self._start is not None and self._start > self.info.start and not self._live:
                decoding = self._seek(decoding, self._start)
            yield from reading.items(decoding)
            self._learn(decoding, reading)
        except GeneratorExit:
            self.report.complete = False
            raise
        finally:
            decoding.close()

    def _learn(self, decoding: Demuxer, reading: Reader) -> None:
        """Correct what the file said of itself: a rate that changes, and the duration of the first part of several."""
        self._joined |= bool(decoding.packets.joints)
        if reading.uneven and not self._joined:
            self.info = replace(self.info, variable=True)
        if self._joined and not reading.over:
            self._last_to(decoding.packets.reached)

    def _begin(self, rates: tuple[int, ...] = (), limits: bool = True) -> Reader:
        self.report = DecodeReport(policy=self._policy)
        start, end = (self._start, self._end) if limits else (None, None)
        longest = None if self._live else self._allowed
        return self.reading(ReadRequest(self.info, self._scaler, start, end, self._rate, rates, longest), self.report)

    def _choose(self, decoding: Demuxer, video: bool, reading: Reader) -> None:
        decoding.want_video = video and decoding.video is not None
        decoding.want_sound = reading.wants_sound and decoding.sound is not None

    def _seek(self, decoding: Demuxer, time: Fraction) -> Demuxer:
        """Go to a keyframe at or before ``time``, or to the beginning where a file cannot be searched."""
        try:
            if self._joined:
                return self._anew(decoding)
            return decoding if self._step_back(decoding, time) else self._anew(decoding)
        except av.FFmpegError:
            return self._anew(decoding)

    def _anew(self, decoding: Demuxer) -> Demuxer:
        decoding.close()
        again = self._open()
        again.want_video, again.want_sound = decoding.want_video, decoding.want_sound
        return again

    def _step_back(self, decoding: Demuxer, time: Fraction) -> bool:
        """Seek to a keyframe at or before ``time``; return whether one was found.

        Some formats are searched by the times of decoding, so that even the start leads past the first keyframe.
        """
        stream = decoding.video or decoding.sound
        if stream is None or stream.time_base is None:
            return True
        for back in SEEK_BACK_SECONDS:
            decoding.seek(to_pts(max(time - back, self.info.start), stream.time_base))
            if not decoding.want_video:
                return True
            first = decoding.peek()
            if first is not None and to_seconds(first.pts or 0, stream.time_base) <= time:
                return True
        return False

    def at(self, times: Iterable[Fraction]) -> Iterator[LazyFrame]:
        """Yield the picture on screen at each of ``times``: by seeking if they lie further apart than keyframes."""
        wanted = list(times)
        return self._jump(wanted) if self._seeking_pays(wanted) else frames_on_screen(self.lazy_frames(), wanted)

    def _seeking_pays(self, times: list[Fraction]) -> bool:
        if self._live or self._joined or len(times) < 2:
            return False
        self._fresh = decoding = self._take()
        gop = None if decoding.video is None else keyframe_interval(decoding.video)
        return gop is not None and (times[-1] - times[0]) / (len(times) - 1) > gop

    def _jump(self, times: list[Fraction]) -> Iterator[LazyFrame]:
        """Decode only from the keyframe before each time. ``index`` is reckoned from the average rate."""
        decoding = self._take()
        try:
            for time in times:
                reading = self._begin(limits=False)
                self._choose(decoding, True, reading)
                decoding = self._seek(decoding, time)
                pictures = (item for item in reading.items(decoding) if isinstance(item, LazyFrame))
                for picture in frames_on_screen(pictures, [time]):
                    picture.index = round((picture.time - self.info.start) * (self.info.rate or 0))
                    yield picture
        finally:
            decoding.close()

    def keyframes(self, size: Size | None = None) -> Iterator[Frame]:
        """Yield the keyframes; of a file, nothing else is decoded, and ``index`` counts keyframes."""
        if not self._live:
            self._fresh = self._take()
            self._fresh.only_keyframes()
        return super().keyframes(size)

    def span(self) -> tuple[Fraction, Fraction]:
        """Give the times between which frames lie, within the asked limits."""
        start, end = super().span()
        if self.info.duration and not self._live and not self._joined:
            end = self._verified(end)
        first, last = self._start, self._end
        return start if first is None else max(start, first), end if last is None else min(end, last)

    def _verified(self, end: Fraction) -> Fraction:
        """Return where the last packet ends, if that is well before the end that the file declares."""
        if self._reached is None:
            decoding = self._open()
            try:
                # Where nothing is left at the end, all packets are examined.
                self._reached = self._last_from(decoding, end) or self._last_from(decoding, self.info.start)
            finally:
                decoding.close()
        known = self._reached is not None and self.info.start < self._reached < end - MAX_MISSING_END_SECONDS
        return self._reached if known and self._reached is not None else end

    def _last_from(self, decoding: Demuxer, time: Fraction) -> Fraction | None:
        """Demux from a time on, and return where the last packet ends, or None if there is none."""
        stream = decoding.video or decoding.sound
        try:
            if stream is not None and stream.time_base is not None:
                decoding.seek(to_pts(time, stream.time_base))
            for _ in decoding.packets:
                pass
        except av.FFmpegError:
            return None
        return decoding.packets.reached

    @property
    def begin(self) -> Fraction:
        """The time in seconds from which on it is read."""
        return self.info.start if self._start is None else max(self.info.start, self._start)

    def close(self) -> None:
        """Close the file."""
        if self._fresh is not None:
            self._fresh.close()
            self._fresh = None
