"""Video files: one decode of pictures and sound, with exact times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame

from kinoscope.core.errors import DecodeError, SourceError
from kinoscope.core.media import Frame, Pixels, Size
from kinoscope.core.results import DecodeReport
from kinoscope.core.time import Ticker, to_pts, to_seconds
from kinoscope.source.base import Item, Picture, Source, check_policy, on_screen
from kinoscope.source.container import open_file
from kinoscope.source.decoding import Decoding, Lost
from kinoscope.source.facts import describe, end_of, gop_of
from kinoscope.source.hearing import Hearing, cut
from kinoscope.source.scaling import Orientation, Scaler
from kinoscope.source.stamps import Stamps

BEYOND = Fraction(10)
"""Seconds after ``end`` at which reading stops though one stream has not reached it."""

SLACK = Fraction(1, 2)
"""Seconds that a file may end before its declared end and still count as complete."""


class VideoSource(Source):
    """A file that FFmpeg reads.

    Args:
        path: the file.
        start, end: only what lies in [start, end) is given, in seconds on the clock of the frames' times.
        rate: pictures per second to give at most, or None for every one.
        on_error: what to do about a picture that cannot be decoded: ``skip`` it, ``repeat`` the last one in its
            place, give a ``blank`` (black) one, or ``raise`` DecodeError.

    Raises:
        SourceError: it cannot be opened, or has neither picture nor sound; in one line.
    """

    live = False

    def __init__(
        self,
        path: str,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        on_error: str = "skip",
        opener: Callable[[str], InputContainer] = open_file,
    ) -> None:
        self.path, self._start, self._end, self._rate = path, start, end, rate
        self._policy, self._opener = check_policy(on_error), opener
        self.report = DecodeReport(policy=on_error)
        self._fresh: Decoding | None = self._open()
        try:
            self._look(self._fresh)
        except BaseException:
            self.close()
            raise

    def _open(self) -> Decoding:
        return Decoding(self._opener(self.path))

    def _look(self, decoding: Decoding) -> None:
        """Learn what the file says, and from its first picture."""
        first = decoding.peek()
        if decoding.video is not None and first is None:
            raise SourceError(f"{self.path} has a video stream but no picture that can be decoded")
        if first is None and decoding.sound is None:
            raise SourceError(f"{self.path} has neither picture nor sound; give a video file")
        self.info = describe(self.path, decoding, first, self.live)
        if self._rate is not None and self.info.rate is not None and self._rate < self.info.rate:
            self.info = replace(self.info, rate=self._rate, frames=None)
        self._scaler = Scaler(Orientation() if first is None else Orientation.of(first))

    def read(self, video: bool = True, sound_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield pictures and sound in [start, end) as they are stored."""
        self.report = DecodeReport(policy=self._policy)
        rates = tuple(sound_rates)
        decoding = self._rewound()
        decoding.want_video = video and decoding.video is not None
        decoding.want_sound = bool(rates) and decoding.sound is not None
        try:
            yield from _Reading(self, decoding, rates).items()
        except GeneratorExit:
            self.report.complete = False
            raise
        finally:
            decoding.close()

    def _rewound(self) -> Decoding:
        """Give the container at the keyframe before ``start``."""
        decoding, self._fresh = self._fresh or self._open(), None
        if self._start is not None and self._start > self.info.start:
            self._seek(decoding, self._start)
        return decoding

    def _seek(self, decoding: Decoding, time: Fraction) -> None:
        """Go to a keyframe at or before ``time``; where the format lands later, go further back."""
        stream = decoding.video or decoding.sound
        if stream is None or stream.time_base is None:
            return
        for back in (0, 5, 60):
            decoding.seek(to_pts(max(time - back, self.info.start), stream.time_base))
            first = decoding.peek()
            if decoding.video is None or (first is not None and _time_of(first, stream.time_base) <= time):
                return
        decoding.seek(to_pts(self.info.start, stream.time_base))

    def at(self, times: Iterable[Fraction]) -> Iterator[Picture]:
        """Yield the picture on screen at each of ``times``: by seeking if they lie further apart than keyframes."""
        wanted = list(times)
        if self._seeking_pays(wanted):
            return self._jump(wanted)
        return on_screen(self.pictures(), wanted)

    def _seeking_pays(self, times: list[Fraction]) -> bool:
        decoding = self._fresh = self._fresh or self._open()
        gop = None if decoding.video is None else gop_of(decoding.video)
        if self.live or gop is None or len(times) < 2:
            return False
        return (times[-1] - times[0]) / (len(times) - 1) > gop

    def _jump(self, times: list[Fraction]) -> Iterator[Picture]:
        """Decode only from the keyframe before each time. ``index`` is reckoned from the average rate."""
        self.report = DecodeReport(policy=self._policy)
        decoding, self._fresh = self._fresh or self._open(), None
        decoding.want_sound = False
        try:
            for time in times:
                self._seek(decoding, time)
                reading = _Reading(self, decoding, ())
                pictures = (item for item in reading.items(limits=False) if isinstance(item, Picture))
                for picture in on_screen(pictures, [time]):
                    if self.info.rate:
                        picture.index = round((picture.time - self.info.start) * self.info.rate)
                    yield picture
        finally:
            decoding.close()

    def keyframes(self, size: Size | None = None) -> Iterator[Frame]:
        """Yield the keyframes; nothing else is decoded. ``index`` counts keyframes."""
        self._fresh = self._fresh or self._open()
        if self._fresh.video is not None and not self.live:
            self._fresh.only_keyframes()
        return super().keyframes(size)

    def span(self) -> tuple[Fraction, Fraction]:
        """Give the times between which frames lie, within the asked limits."""
        start, end = super().span()
        return max(start, self._start or start), min(end, self._end or end)

    def close(self) -> None:
        """Close the file."""
        if self._fresh is not None:
            self._fresh.close()
            self._fresh = None


def _time_of(frame: VideoFrame, time_base: Fraction) -> Fraction:
    return to_seconds(frame.pts or 0, time_base)


class _Reading:
    """One pass over a container: stamps, limits, the corrupt-frame policy."""

    def __init__(self, source: VideoSource, decoding: Decoding, rates: tuple[int, ...]) -> None:
        self._source, self._decoding, self._report = source, decoding, source.report
        self._hearing = Hearing(rates)
        self._ticker = Ticker(source._rate)
        self._index = 0
        self._last: Picture | None = None
        self._form: tuple[int, int] | None = None
        rate = source.info.rate or Fraction(25)
        base = decoding.video.time_base if decoding.video else None
        self._stamps = Stamps(base or Fraction(1, 1000), 1 / rate, self._report, source.info.start)

    def items(self, limits: bool = True) -> Iterator[Item]:
        """Yield what lies in the limits of the source."""
        start, end = (self._source._start, self._source._end) if limits else (None, None)
        for item in self._all():
            if isinstance(item, Picture):
                yield from self._admit(item, start, end)
            elif (sound := cut(item, start, end)) is not None:
                yield sound
            if self._over(item, end):
                return
        self._check_end(end)

    def _admit(self, picture: Picture, start: Fraction | None, end: Fraction | None) -> Iterator[Picture]:
        inside = (start is None or picture.time >= start) and (end is None or picture.time < end)
        if inside and self._ticker.due(picture.time):
            picture.index, self._index = self._index, self._index + 1
            self._report.frames += 1
            yield picture

    def _over(self, item: Item, end: Fraction | None) -> bool:
        """Note which stream has passed ``end``; tell whether all that are read have."""
        time = item.time if isinstance(item, Picture) else item.start
        if end is None or time < end:
            return False
        if isinstance(item, Picture):
            self._decoding.want_video = False
        else:
            self._decoding.want_sound = False
        return time > end + BEYOND or not (self._decoding.want_video or self._decoding.want_sound)

    def _all(self) -> Iterator[Item]:
        for event in self._decoding:
            if isinstance(event, VideoFrame):
                yield self._picture(event)
            elif isinstance(event, AudioFrame):
                time = to_seconds(event.pts, event.time_base) if event.pts is not None and event.time_base else None
                yield from self._hearing.take(event, time)
            else:
                yield from self._replace(event)
        yield from self._hearing.finish()

    def _picture(self, frame: VideoFrame) -> Picture:
        form = frame.width, frame.height
        self._report.resizes += self._form not in (None, form)
        self._form = form
        scaler = self._source._scaler
        time = self._stamps.time(frame.pts if frame.pts is not None else frame.dts)
        duration = self._stamps.duration(frame.duration)
        self._last = Picture(
            lambda size: scaler(frame, size), self._source.info.size, time, key=bool(frame.key_frame), duration=duration
        )
        return self._last

    def _replace(self, lost: Lost) -> Iterator[Picture]:
        """Do with a picture that is lost what the policy says."""
        self._report.fail(lost.why)
        policy = self._report.policy
        if policy == "raise":
            where = "" if lost.pts is None else f" at tick {lost.pts}"
            raise DecodeError(
                f"{self._source.path} is broken{where}: {lost.why}; read it with on_error skip, repeat or blank"
            )
        if policy == "skip" or not lost.picture:
            return
        time = self._stamps.time(lost.pts)
        render = self._last.pixels if policy == "repeat" and self._last is not None else _black
        yield Picture(render, self._source.info.size, time)

    def _check_end(self, end: Fraction | None) -> None:
        """Say so when the file ended before its own declared end."""
        if self._decoding.broken:
            self._report.complete = False
            self._report.fail(self._decoding.broken)
        stream = self._decoding.video
        declared = end_of(stream) if stream is not None else None
        if self._last is None or declared is None or (end is not None and end < declared):
            return
        step = self._last.duration or 1 / (self._source.info.rate or 25)
        if self._last.time + step + max(SLACK, declared / 50) < declared:
            self._report.complete = False
            self._report.errors.append(f"ends at {float(self._last.time):.2f} s of {float(declared):.2f} s")


def _black(size: Size) -> Pixels:
    return np.zeros((size[1], size[0], 3), np.uint8)
