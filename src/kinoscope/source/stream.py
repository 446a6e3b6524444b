"""Network streams: what a file does, and opening again when the connection is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial

from av.container import InputContainer

from kinoscope.core.errors import SourceError
from kinoscope.core.time import to_seconds
from kinoscope.source.base import Item
from kinoscope.source.container import open_url
from kinoscope.source.decoding import Decoding
from kinoscope.source.limits import DEFAULT, Limits
from kinoscope.source.reading import Reading
from kinoscope.source.video import VideoSource

ENDLESS = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp")
"""Schemes whose streams go on until somebody stops them."""

LONGEST_WAIT = 30.0
"""Seconds between two tries to reconnect, at most."""


class StreamSource(VideoSource):
    """A URL.

    A stream that is lost is opened again, up to ``tries`` times in a row, after 0.5, 1, 2, 4... seconds. One
    that has an end is taken up where it broke off; a live one goes on with times moved by how long it was away.

    Args:
        path: the URL; see ``container.URL_PROTOCOLS`` for the schemes.
        start, end, rate, on_error, opener, limits: as of VideoSource.
        tries: how often to reconnect without getting anything before giving up.
        sleep, clock: to wait, and to tell the time, in seconds.
    """

    def __init__(
        self,
        path: str,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        on_error: str = "skip",
        opener: Callable[[str], InputContainer] | None = None,
        tries: int = 6,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = DEFAULT,
    ) -> None:
        self._tries, self._sleep, self._clock = tries, sleep, clock
        live = path.split("://")[0].lower() in ENDLESS
        opener = opener or partial(open_url, limits=limits)
        super().__init__(path, start, end, rate, on_error, opener, live, limits=limits)

    def read(self, video: bool = True, sound_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield pictures and sound, over as many connections as it takes."""
        reading, backoff = self._begin(tuple(sound_rates)), Backoff(self._tries, self._sleep)
        connection: Decoding | None = self._take()
        shift, seen = Fraction(0), self._clock()
        try:
            while connection is not None:
                self._choose(connection, video, reading)
                connection = self._take_up(connection, reading)
                for item in reading.items(connection, shift):
                    backoff.reset()
                    seen = self._clock()
                    yield item
                connection.close()
                connection = None if self._ended(reading) else self._reconnect(backoff)
                shift += self._gap(connection, reading, shift, seen)
        except GeneratorExit:
            self.report.complete = False
            raise
        finally:
            if connection is not None:
                connection.close()

    def _take_up(self, connection: Decoding, reading: Reading) -> Decoding:
        """Go to where a stream with an end is to begin, or broke off."""
        point = reading.last.time if reading.last is not None else self._start
        if not self._live and point is not None and point > self.info.start:
            return self._seek(connection, point)
        return connection

    def _ended(self, reading: Reading) -> bool:
        return reading.over or (self.report.complete and not self._live)

    def _reconnect(self, backoff: Backoff) -> Decoding | None:
        """Open again, or give up and say so."""
        while backoff.wait():
            try:
                connection = self._open()
            except SourceError:
                continue
            self.report.reconnects += 1
            self.report.complete = True
            return connection
        self.report.complete = False
        self.report.errors.append(f"{self.path} was lost, and {self._tries} tries did not bring it back")
        return None

    def _gap(self, connection: Decoding | None, reading: Reading, shift: Fraction, seen: float) -> Fraction:
        """Give the seconds by which a live stream's new times must move to go on from the old ones."""
        if connection is None or connection.video is None or reading.last is None or not self._live:
            return Fraction(0)
        first = connection.peek()
        if first is None or first.pts is None or connection.video.time_base is None:
            return Fraction(0)
        away = Fraction(round((self._clock() - seen) * 1000), 1000)
        step = 1 / (self.info.rate or Fraction(25))
        return reading.last.time + max(away, step) - to_seconds(first.pts, connection.video.time_base) - shift


class Backoff:
    """Wait 0.5, 1, 2, 4... seconds between tries, and give up after ``tries`` in a row."""

    def __init__(self, tries: int, sleep: Callable[[float], None]) -> None:
        self._tries, self._sleep, self._made = tries, sleep, 0

    def reset(self) -> None:
        """Begin anew: a try was worth it."""
        self._made = 0

    def wait(self) -> bool:
        """Wait for the next try, or tell at once that there is none."""
        if self._made == self._tries:
            return False
        self._sleep(min(0.5 * 2**self._made, LONGEST_WAIT))
        self._made += 1
        return True
