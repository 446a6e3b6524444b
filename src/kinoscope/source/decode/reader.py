"""The timed decode pass: demux and decode a file once, and yield frames and audio with their exact timestamps.

Times are exact: a ``Fraction`` of seconds since the start of the source. Here frames outside the range are dropped, the
policy on corrupt frames is applied, and the decode report is filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from kinoscope.core.errors import DecodeError
from kinoscope.core.media import Audio, Size, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import FrameSampler, to_seconds
from kinoscope.source.base import Item, LazyFrame, black_frame, cut_audio
from kinoscope.source.decode.audio import MultiRateResampler
from kinoscope.source.decode.container import error_message, read_errors
from kinoscope.source.decode.demux import Demuxer
from kinoscope.source.decode.lost_frames import LostFrame
from kinoscope.source.decode.metadata import DURATION_EXACT, declared_end
from kinoscope.source.decode.scaler import Scaler
from kinoscope.source.decode.timestamps import TimestampSorter
from kinoscope.source.limits import Limits

MAX_OVERRUN_SECONDS = Fraction(10)
"""Seconds after ``end`` at which reading stops even if one stream has not reached it."""

MAX_MISSING_END_SECONDS = Fraction(1, 2)
"""Seconds that a file may end before its declared end and still count as complete."""

LATE_AUDIO = "audio: it begins too late for FFmpeg to know what it is, and was not read"
"""Reason why audio is missing that begins seconds after the file, as where the first of joined parts has none."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Options of one read.

    Attributes:
        info: of the source; every frame has its size.
        scaler: converts the pixels.
        start, end: range in seconds.
        rate: largest number of frames per second.
        audio_rates: samples per second of each resampled audio stream.
        limits: on the length of audio; None for a source that never ends by itself.
    """

    info: SourceInfo
    scaler: Scaler
    start: Fraction | None = None
    end: Fraction | None = None
    rate: Fraction | None = None
    audio_rates: tuple[int, ...] = ()
    limits: Limits | None = None

    @property
    def step(self) -> Fraction:
        """Seconds from frame to frame, on average."""
        return 1 / (self.info.rate or Fraction(25))


class Reader:
    """One pass over a source, which may take several connections.

    Attributes:
        last: the last frame that was decoded.
        reached_end: whether ``end`` was reached.
    """

    def __init__(self, request: ReadRequest, report: DecodeReport) -> None:
        self._request, self._report = request, report
        self._resampler = MultiRateResampler(request.audio_rates)
        self._sampler = FrameSampler(request.rate)
        self._size: Size | None = None
        self._resume_after: Fraction | None = None
        self._audio_seconds = Fraction(0)
        self.last: LazyFrame | None = None
        self.reached_end = False
        self._step_range: tuple[Fraction, Fraction] | None = None
        self._tick = Fraction(1, 1000)

    @property
    def is_uneven(self) -> bool:
        """Whether frames were unevenly spaced, beyond the rounding of their timestamps."""
        whole = not (self._report.guessed or self._report.failures)
        return whole and self._step_range is not None and self._step_range[1] - self._step_range[0] > 2 * self._tick

    @property
    def wants_audio(self) -> bool:
        """Whether any audio is to be decoded."""
        return bool(self._request.audio_rates)

    def items(self, demuxer: Demuxer, shift: Fraction = Fraction(0)) -> Iterator[Item]:
        """Yield the items in the range, with ``shift`` seconds added to their times.

        Items of a former connection are not repeated.

        Raises:
            DecodeError: a frame is corrupt and the policy is ``raise``.
            SourceError: it cannot be read, or is longer than allowed.
        """
        with read_errors(self._request.info.path):
            yield from self._items(demuxer, shift)

    def _items(self, demuxer: Demuxer, shift: Fraction) -> Iterator[Item]:
        start, end = self._request.start, self._request.end
        for item in self._decode_items(demuxer, shift):
            if isinstance(item, LazyFrame):
                yield from self._select(item)
            elif (audio := cut_audio(item, start, end)) is not None:
                self._check_length(audio)
                yield audio
            if self._passes_end(item, demuxer):
                self.reached_end = True
                return
        self.check_end(demuxer)

    def _check_length(self, audio: Audio) -> None:
        """Count the yielded audio, and raise SourceError above the limit; times do not measure how much there is."""
        self._audio_seconds += Fraction(len(audio.samples), audio.rate)
        limits = self._request.limits
        if limits and self._audio_seconds > 3600 * Fraction(limits.hours) * len(self._request.audio_rates):
            raise limits.too_long(self._request.info.path)

    def _select(self, lazy_frame: LazyFrame) -> Iterator[LazyFrame]:
        if not self._in_range(lazy_frame.time):
            return
        if lazy_frame.corrupt:
            self._report.record_damaged(
                float(lazy_frame.time), float(lazy_frame.time + (lazy_frame.duration or self._request.step))
            )
        if self._sampler.due(lazy_frame.time):
            lazy_frame.index = self._report.frames
            self._report.frames += 1
            yield lazy_frame

    def _in_range(self, time: Fraction) -> bool:
        start, end = self._request.start, self._request.end
        return (start is None or time >= start) and (end is None or time < end)

    def _passes_end(self, item: Item, demuxer: Demuxer) -> bool:
        """Stop decoding a stream that has passed ``end``; return whether all requested streams have."""
        time, end = item.time if isinstance(item, LazyFrame) else item.start, self._request.end
        if end is None or time < end:
            return False
        if isinstance(item, LazyFrame):
            demuxer.want_video = False
        else:
            demuxer.want_audio = False
        return time > end + MAX_OVERRUN_SECONDS or not (demuxer.want_video or demuxer.want_audio)

    def _decode_items(self, demuxer: Demuxer, shift: Fraction) -> Iterator[Item]:
        sorter = self._new_sorter(demuxer, shift)
        for event in demuxer:
            if isinstance(event, AudioFrame):
                time = to_seconds(event.pts, event.time_base) if event.pts is not None and event.time_base else None
                yield from self._resample(event, None if time is None else time + shift)
            elif self._is_new(event, sorter):
                visible = isinstance(event, VideoFrame) or self._report_lost(event, sorter)
                pts = event.dts if isinstance(event, VideoFrame) and event.pts is None else event.pts
                timed = sorter.push(event, pts) if visible else ()
                yield from (self._to_lazy_frame(timed_event, time, sorter) for timed_event, time in timed)
        yield from (self._to_lazy_frame(timed_event, time, sorter) for timed_event, time in sorter.flush())
        yield from self._resampler.flush()

    def _resample(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        """Resample audio; what FFmpeg cannot resample is counted as lost, and frames continue."""
        try:
            yield from self._resampler.push(frame, time)
        except av.FFmpegError as error:
            self._record_loss(LostFrame(None, f"audio: {error_message(error)}", is_video=False), time)

    def _new_sorter(self, demuxer: Demuxer, shift: Fraction) -> TimestampSorter[VideoFrame | LostFrame]:
        base = demuxer.video.time_base if demuxer.video is not None else None
        self._resume_after = None if self.last is None else self.last.time
        step, start = self._request.step, self._request.info.start
        return TimestampSorter(
            base or Fraction(1, 1000), step, self._report, start, shift, self._resume_after, lambda: demuxer.lead
        )

    def _is_new(self, event: VideoFrame | LostFrame, sorter: TimestampSorter[VideoFrame | LostFrame]) -> bool:
        """Return whether a former connection has not yet yielded this frame."""
        return self._resume_after is None or event.pts is None or sorter.seconds(event.pts) > self._resume_after

    def _to_lazy_frame(
        self, event: VideoFrame | LostFrame, time: Fraction, sorter: TimestampSorter[VideoFrame | LostFrame]
    ) -> LazyFrame:
        if isinstance(event, VideoFrame):
            return self._decoded_frame(event, time, sorter)
        render = self.last.pixels if self._report.policy == "repeat" and self.last is not None else black_frame
        return LazyFrame(render, self._request.info.size, time)

    def _decoded_frame(
        self, frame: VideoFrame, time: Fraction, sorter: TimestampSorter[VideoFrame | LostFrame]
    ) -> LazyFrame:
        size = frame.width, frame.height
        self._report.resizes += self._size not in (None, size)
        self._size = size
        scaler = self._request.scaler
        self._update_steps(time, sorter.time_base)
        self.last = LazyFrame(
            lambda size: scaler(frame, size),
            self._request.info.size,
            time,
            key=bool(frame.key_frame),
            duration=sorter.duration(frame.duration),
            corrupt=frame.is_corrupt,
        )
        return self.last

    def _update_steps(self, time: Fraction, tick: Fraction) -> None:
        if self.last is not None:
            step = time - self.last.time
            low, high = self._step_range or (step, step)
            self._step_range, self._tick = (min(low, step), max(high, step)), tick

    def _report_lost(self, lost: LostFrame, sorter: TimestampSorter[VideoFrame | LostFrame]) -> bool:
        """Record a lost frame in the range; return whether the policy puts a frame in its place."""
        time = None if lost.pts is None else sorter.seconds(lost.pts)
        if time is not None and not self._in_range(time):
            return False
        self._record_loss(lost, time)
        return lost.is_video and self._report.policy != "skip"

    def _record_loss(self, lost: LostFrame, time: Fraction | None) -> None:
        if self._report.policy == "raise":
            where = "" if time is None else f" at {float(time):.3f} s"
            advice = "read it with on_error skip, repeat or blank"
            raise DecodeError(f"{self._request.info.path} is corrupt{where}: {lost.reason}; {advice}")
        if time is None or not lost.is_video:
            self._report.record_failure(lost.reason)
        else:
            self._report.record_missing(float(time), float(time + self._request.step), lost.reason)

    def check_end(self, demuxer: Demuxer) -> None:
        """Report a container that ended before its declared end."""
        packets = demuxer.packets
        if packets.stop_reason:
            self._report.complete = False
            self._report.record_failure(packets.stop_reason)
        if packets.has_unread_audio and demuxer.audio is None:
            self._report.record_failure(LATE_AUDIO)
        end, reached = self._request.end, packets.reached
        declared = declared_end(demuxer.container, demuxer.video)
        if reached is None or declared is None or (end is not None and end < declared):
            return
        slack = (
            MAX_MISSING_END_SECONDS
            if demuxer.container.format.name in DURATION_EXACT
            else max(MAX_MISSING_END_SECONDS, declared / 50)
        )
        if reached + self._request.step + slack < declared:
            self._report.complete = False
            self._report.errors.append(f"ends at {float(reached):.2f} s of {float(declared):.2f} s")
