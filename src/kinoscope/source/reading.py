"""From decoded frames to what is handed on: times, limits, the corrupt-frame policy, the count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from kinoscope.core.errors import DecodeError
from kinoscope.core.media import Flow, Size, SourceInfo
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import Ticker, to_seconds
from kinoscope.source.base import Item, Picture, black, cut
from kinoscope.source.decoding import Decoding, Lost
from kinoscope.source.facts import end_of
from kinoscope.source.hearing import Hearing
from kinoscope.source.scaling import Scaler
from kinoscope.source.stamps import Stamps
from kinoscope.source.vectors import flow_of

BEYOND = Fraction(10)
"""Seconds after ``end`` at which reading stops though one stream has not reached it."""

SLACK = Fraction(1, 2)
"""Seconds that a file may end before its declared end and still count as complete."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a read is to give.

    Attributes:
        info: of the source; every picture has its size.
        scaler: makes the pixels.
        start, end: limits in seconds.
        rate: most pictures per second.
        sound_rates: samples per second, of each sound.
    """

    info: SourceInfo
    scaler: Scaler
    start: Fraction | None = None
    end: Fraction | None = None
    rate: Fraction | None = None
    sound_rates: tuple[int, ...] = ()

    @property
    def step(self) -> Fraction:
        """Seconds from picture to picture, on average."""
        return 1 / (self.info.rate or Fraction(25))


class Reading:
    """One pass over a source, which may take several connections.

    Attributes:
        last: the last picture that was decoded.
        over: whether ``end`` was reached.
    """

    def __init__(self, wanted: Wanted, report: DecodeReport) -> None:
        self._wanted, self._report = wanted, report
        self._hearing = Hearing(wanted.sound_rates)
        self._ticker = Ticker(wanted.rate)
        self._form: Size | None = None
        self.last: Picture | None = None
        self.over = False

    @property
    def wants_sound(self) -> bool:
        """Whether any sound is to be decoded."""
        return bool(self._wanted.sound_rates)

    def items(self, decoding: Decoding, shift: Fraction = Fraction(0)) -> Iterator[Item]:
        """Yield what lies in the limits, with ``shift`` seconds added to its times.

        What a former connection gave already is left out.
        """
        start, end = self._wanted.start, self._wanted.end
        for item in self._all(decoding, shift):
            if isinstance(item, Picture):
                yield from self._admit(item)
            elif (sound := cut(item, start, end)) is not None:
                yield sound
            if self._passes_end(item, decoding):
                self.over = True
                return
        self._check_end(decoding)

    def _admit(self, picture: Picture) -> Iterator[Picture]:
        start, end = self._wanted.start, self._wanted.end
        inside = (start is None or picture.time >= start) and (end is None or picture.time < end)
        if inside and self._ticker.due(picture.time):
            picture.index = self._report.frames
            self._report.frames += 1
            yield picture

    def _passes_end(self, item: Item, decoding: Decoding) -> bool:
        """Stop decoding a stream that has passed ``end``; tell whether all that are read have."""
        time, end = item.time if isinstance(item, Picture) else item.start, self._wanted.end
        if end is None or time < end:
            return False
        if isinstance(item, Picture):
            decoding.want_video = False
        else:
            decoding.want_sound = False
        return time > end + BEYOND or not (decoding.want_video or decoding.want_sound)

    def _all(self, decoding: Decoding, shift: Fraction) -> Iterator[Item]:
        base = decoding.video.time_base if decoding.video is not None else None
        before = None if self.last is None else self.last.time
        stamps = Stamps(
            base or Fraction(1, 1000), self._wanted.step, self._report, self._wanted.info.start, shift, before
        )
        for event in decoding:
            if isinstance(event, VideoFrame):
                if before is None or event.pts is None or event.pts * stamps.time_base + shift > before:
                    yield self._picture(event, stamps, decoding)
            elif isinstance(event, AudioFrame):
                time = to_seconds(event.pts, event.time_base) if event.pts is not None and event.time_base else None
                yield from self._hearing.take(event, None if time is None else time + shift)
            else:
                yield from self._replace(event, stamps)
        yield from self._hearing.finish()

    def _picture(self, frame: VideoFrame, stamps: Stamps, decoding: Decoding) -> Picture:
        form = frame.width, frame.height
        self._report.resizes += self._form not in (None, form)
        self._form = form
        scaler = self._wanted.scaler
        time = stamps.time(frame.pts if frame.pts is not None else frame.dts)
        self.last = Picture(
            lambda size: scaler(frame, size),
            self._wanted.info.size,
            time,
            key=bool(frame.key_frame),
            duration=stamps.duration(frame.duration),
            flow=self._flow(frame, time, stamps.time_base, decoding),
        )
        return self.last

    def _flow(self, frame: VideoFrame, time: Fraction, base: Fraction, decoding: Decoding) -> Callable[[], Flow] | None:
        if decoding.references is None:
            return None
        spans, wanted = decoding.references.spans(frame), self._wanted
        return lambda: flow_of(frame, time, spans, base, wanted.scaler.orientation, wanted.info.size)

    def _replace(self, lost: Lost, stamps: Stamps) -> Iterator[Picture]:
        """Do about a picture that is lost what the policy says."""
        self._report.fail(lost.why)
        policy = self._report.policy
        if policy == "raise":
            where = "" if lost.pts is None else f" at {float(to_seconds(lost.pts, stamps.time_base)):.3f} s"
            advice = "read it with on_error skip, repeat or blank"
            raise DecodeError(f"{self._wanted.info.path} is broken{where}: {lost.why}; {advice}")
        if policy == "skip" or not lost.picture:
            return
        render = self.last.pixels if policy == "repeat" and self.last is not None else black
        yield Picture(render, self._wanted.info.size, stamps.time(lost.pts))

    def _check_end(self, decoding: Decoding) -> None:
        """Say so when the container ended before its own declared end."""
        if decoding.broken:
            self._report.complete = False
            self._report.fail(decoding.broken)
        declared = end_of(decoding.video) if decoding.video is not None else None
        end = self._wanted.end
        if self.last is None or declared is None or (end is not None and end < declared):
            return
        if self.last.time + self._wanted.step + max(SLACK, declared / 50) < declared:
            self._report.complete = False
            self._report.errors.append(f"ends at {float(self.last.time):.2f} s of {float(declared):.2f} s")
