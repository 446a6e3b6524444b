"""From decoded frames to what is handed on: times, limits, the corrupt-frame policy, the count."""

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
from kinoscope.source.decode.losses import LostFrame
from kinoscope.source.decode.metadata import DURATION_EXACT, declared_end
from kinoscope.source.decode.scaler import Scaler
from kinoscope.source.decode.timestamps import TimestampSorter
from kinoscope.source.limits import Limits

MAX_OVERRUN_SECONDS = Fraction(10)
"""Seconds after ``end`` at which reading stops though one stream has not reached it."""

MAX_MISSING_END_SECONDS = Fraction(1, 2)
"""Seconds that a file may end before its declared end and still count as complete."""

LATE_AUDIO = "sound: it begins too late for FFmpeg to know what it is, and was not read"
"""Why audio is missing that begins seconds after the file, as where the first of joined parts has none."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a read is to give.

    Attributes:
        info: of the source; every picture has its size.
        scaler: makes the pixels.
        start, end: limits in seconds.
        rate: most pictures per second.
        audio_rates: samples per second, of each sound.
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
        """Seconds from picture to picture, on average."""
        return 1 / (self.info.rate or Fraction(25))


class Reader:
    """One pass over a source, which may take several connections.

    Attributes:
        last: the last picture that was decoded.
        over: whether ``end`` was reached.
    """

    def __init__(self, wanted: ReadRequest, report: DecodeReport) -> None:
        self._wanted, self._report = wanted, report
        self._hearing = MultiRateResampler(wanted.audio_rates)
        self._ticker = FrameSampler(wanted.rate)
        self._form: Size | None = None
        self._before: Fraction | None = None
        self._seconds = Fraction(0)
        self.last: LazyFrame | None = None
        self.over = False
        self._steps: tuple[Fraction, Fraction] | None = None
        self._tick = Fraction(1, 1000)

    @property
    def uneven(self) -> bool:
        """Whether frames were unevenly spaced, beyond the rounding of their stamps."""
        whole = not (self._report.guessed or self._report.failures)
        return whole and self._steps is not None and self._steps[1] - self._steps[0] > 2 * self._tick

    @property
    def wants_sound(self) -> bool:
        """Whether any sound is to be decoded."""
        return bool(self._wanted.audio_rates)

    def items(self, decoding: Demuxer, shift: Fraction = Fraction(0)) -> Iterator[Item]:
        """Yield what lies in the limits, with ``shift`` seconds added to its times.

        What a former connection gave already is left out.

        Raises:
            DecodeError: a frame is broken and the policy is ``raise``.
            SourceError: it cannot be read, or is longer than allowed.
        """
        with read_errors(self._wanted.info.path):
            yield from self._items(decoding, shift)

    def _items(self, decoding: Demuxer, shift: Fraction) -> Iterator[Item]:
        start, end = self._wanted.start, self._wanted.end
        for item in self._all(decoding, shift):
            if isinstance(item, LazyFrame):
                yield from self._admit(item)
            elif (sound := cut_audio(item, start, end)) is not None:
                self._check_length(sound)
                yield sound
            if self._passes_end(item, decoding):
                self.over = True
                return
        self.check_end(decoding)

    def _check_length(self, sound: Audio) -> None:
        """Count the audio that was handed on; times say nothing of how much there is."""
        self._seconds += Fraction(len(sound.samples), sound.rate)
        limits = self._wanted.limits
        if limits and self._seconds > 3600 * Fraction(limits.hours) * len(self._wanted.audio_rates):
            raise limits.too_long(self._wanted.info.path)

    def _admit(self, picture: LazyFrame) -> Iterator[LazyFrame]:
        if not self._inside(picture.time):
            return
        if picture.corrupt:
            self._report.record_damaged(
                float(picture.time), float(picture.time + (picture.duration or self._wanted.step))
            )
        if self._ticker.due(picture.time):
            picture.index = self._report.frames
            self._report.frames += 1
            yield picture

    def _inside(self, time: Fraction) -> bool:
        start, end = self._wanted.start, self._wanted.end
        return (start is None or time >= start) and (end is None or time < end)

    def _passes_end(self, item: Item, decoding: Demuxer) -> bool:
        """Stop decoding a stream that has passed ``end``; tell whether all that are read have."""
        time, end = item.time if isinstance(item, LazyFrame) else item.start, self._wanted.end
        if end is None or time < end:
            return False
        if isinstance(item, LazyFrame):
            decoding.want_video = False
        else:
            decoding.want_sound = False
        return time > end + MAX_OVERRUN_SECONDS or not (decoding.want_video or decoding.want_sound)

    def _all(self, decoding: Demuxer, shift: Fraction) -> Iterator[Item]:
        stamps = self._stamps(decoding, shift)
        for event in decoding:
            if isinstance(event, AudioFrame):
                time = to_seconds(event.pts, event.time_base) if event.pts is not None and event.time_base else None
                yield from self._heard(event, None if time is None else time + shift)
            elif self._is_new(event, stamps):
                shown = isinstance(event, VideoFrame) or self._lose(event, stamps)
                pts = event.dts if isinstance(event, VideoFrame) and event.pts is None else event.pts
                timed = stamps.put(event, pts) if shown else ()
                yield from (self._made(one, time, stamps) for one, time in timed)
        yield from (self._made(one, time, stamps) for one, time in stamps.rest())
        yield from self._hearing.finish()

    def _heard(self, frame: AudioFrame, time: Fraction | None) -> Iterator[Audio]:
        """Resample audio; what FFmpeg cannot resample is counted as lost, and the pictures go on."""
        try:
            yield from self._hearing.take(frame, time)
        except av.FFmpegError as error:
            self._count(LostFrame(None, f"sound: {error_message(error)}", picture=False), time)

    def _stamps(self, decoding: Demuxer, shift: Fraction) -> TimestampSorter[VideoFrame | LostFrame]:
        base = decoding.video.time_base if decoding.video is not None else None
        self._before = None if self.last is None else self.last.time
        step, start = self._wanted.step, self._wanted.info.start
        return TimestampSorter(
            base or Fraction(1, 1000), step, self._report, start, shift, self._before, lambda: decoding.lead
        )

    def _is_new(self, event: VideoFrame | LostFrame, stamps: TimestampSorter[VideoFrame | LostFrame]) -> bool:
        """Return whether a former connection has not yet handed on this picture."""
        return self._before is None or event.pts is None or stamps.seconds(event.pts) > self._before

    def _made(
        self, event: VideoFrame | LostFrame, time: Fraction, stamps: TimestampSorter[VideoFrame | LostFrame]
    ) -> LazyFrame:
        if isinstance(event, VideoFrame):
            return self._picture(event, time, stamps)
        render = self.last.pixels if self._report.policy == "repeat" and self.last is not None else black_frame
        return LazyFrame(render, self._wanted.info.size, time)

    def _picture(self, frame: VideoFrame, time: Fraction, stamps: TimestampSorter[VideoFrame | LostFrame]) -> LazyFrame:
        form = frame.width, frame.height
        self._report.resizes += self._form not in (None, form)
        self._form = form
        scaler = self._wanted.scaler
        self._note_step(time, stamps.time_base)
        self.last = LazyFrame(
            lambda size: scaler(frame, size),
            self._wanted.info.size,
            time,
            key=bool(frame.key_frame),
            duration=stamps.duration(frame.duration),
            corrupt=frame.is_corrupt,
        )
        return self.last

    def _note_step(self, time: Fraction, tick: Fraction) -> None:
        if self.last is not None:
            step = time - self.last.time
            low, high = self._steps or (step, step)
            self._steps, self._tick = (min(low, step), max(high, step)), tick

    def _lose(self, lost: LostFrame, stamps: TimestampSorter[VideoFrame | LostFrame]) -> bool:
        """Count what is lost, if it was wanted; return whether the policy puts a picture in its place."""
        time = None if lost.pts is None else stamps.seconds(lost.pts)
        if time is not None and not self._inside(time):
            return False
        self._count(lost, time)
        return lost.picture and self._report.policy != "skip"

    def _count(self, lost: LostFrame, time: Fraction | None) -> None:
        if self._report.policy == "raise":
            where = "" if time is None else f" at {float(time):.3f} s"
            advice = "read it with on_error skip, repeat or blank"
            raise DecodeError(f"{self._wanted.info.path} is broken{where}: {lost.why}; {advice}")
        if time is None or not lost.picture:
            self._report.record_failure(lost.why)
        else:
            self._report.record_missing(float(time), float(time + self._wanted.step), lost.why)

    def check_end(self, decoding: Demuxer) -> None:
        """Report that the container ended before its own declared end."""
        packets = decoding.packets
        if packets.broken:
            self._report.complete = False
            self._report.record_failure(packets.broken)
        if packets.unheard and decoding.sound is None:
            self._report.record_failure(LATE_AUDIO)
        end, reached = self._wanted.end, packets.reached
        declared = declared_end(decoding.container, decoding.video)
        if reached is None or declared is None or (end is not None and end < declared):
            return
        slack = (
            MAX_MISSING_END_SECONDS
            if decoding.container.format.name in DURATION_EXACT
            else max(MAX_MISSING_END_SECONDS, declared / 50)
        )
        if reached + self._wanted.step + slack < declared:
            self._report.complete = False
            self._report.errors.append(f"ends at {float(reached):.2f} s of {float(declared):.2f} s")
