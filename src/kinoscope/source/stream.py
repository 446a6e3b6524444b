"""Network streams: read as files, and reconnected when the connection is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

from av.container import InputContainer

from kinoscope.core.addresses import Address
from kinoscope.core.errors import SourceError
from kinoscope.core.time import to_seconds
from kinoscope.source.base import Item
from kinoscope.source.decode.container import open_url
from kinoscope.source.decode.demux import Demuxer
from kinoscope.source.decode.reader import Reader
from kinoscope.source.limits import DEFAULT_LIMITS, Limits
from kinoscope.source.video import VideoSource

ENDLESS_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp")
"""Schemes whose streams continue until they are closed."""

MAX_WAIT_SECONDS, MAX_LIVE_WAIT_SECONDS = 30.0, 5.0
"""Seconds between two tries to reconnect, at most: of a stream with an end, and of a live one, whose frames are missed.
"""

MAX_TRIES, MAX_LIVE_TRIES = 6, 9
"""Tries to reconnect in a row: for half a minute, for both."""

UNTIMED_FORMATS = {"mpjpeg"}
"""Formats without timestamps: a camera over HTTP that sends one JPEG after the other."""


class ReconnectingReader(Reader):
    """One pass over a stream: a lost connection is no damage, and what was lost with it is reported once."""

    def check_end(self, demuxer: Demuxer) -> None:
        """Report that the stream ended before its time, which reconnecting may repair."""
        packets = demuxer.packets
        reason, packets.stop_reason = packets.stop_reason, None
        super().check_end(demuxer)
        if reason:
            self._report.complete = False


class StreamSource(VideoSource):
    """A network stream.

    A lost stream is opened again, up to ``max_tries`` times in a row, after 0.5, 1, 2, 4... seconds. One that has an
    end is resumed where it broke off; a live one continues with times shifted by the length of the outage.

    Args:
        path: the URL; see ``container.URL_PROTOCOLS`` for the schemes.
        start, end, rate, on_error, limits: as of VideoSource.
        opener: opens a container; called with ``again`` if it was open before, and ``wall_clock`` if frames are to be
            stamped on arrival.
        max_tries: tries to reconnect in a row without receiving anything; by default as many as are usual for its kind.
        endless: whether it continues until it is closed, though its scheme does not say so.
        sleep, clock: wait for, and return the time in, seconds.
    """

    reader_class = ReconnectingReader

    def __init__(
        self,
        path: str,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        on_error: str = "skip",
        opener: Callable[..., InputContainer] | None = None,
        max_tries: int | None = None,
        endless: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        live = endless or path.split("://")[0].lower() in ENDLESS_SCHEMES
        self._max_tries = max_tries if max_tries is not None else MAX_LIVE_TRIES if live else MAX_TRIES
        self._sleep, self._clock = sleep, clock
        self._wall_clock = self._probed = False
        self._messages_before = 0
        opener = opener or partial(open_url, limits=limits)
        super().__init__(Address(path), start, end, rate, on_error, opener, live, limits=limits)
        self._probed = live

    def _open(self) -> Demuxer:
        """Open the stream; a stream that was open before is probed for a shorter time."""
        opened = super()._open()
        if self._live and not self._wall_clock and opened.container.format.name in UNTIMED_FORMATS:
            opened.close()
            self._wall_clock = True
            opened = super()._open()
        if self._probed and opened.video is None and self.info.width:
            opened.close()
            self._probed = False  # it was not probed for long enough to find the video
            opened = super()._open()
        return opened

    def _connect(self) -> InputContainer:
        options = {"again": True} if self._probed else {}
        options |= {"wall_clock": True} if self._wall_clock else {}
        return self._opener(self.path, **options)

    def _probe(self, demuxer: Demuxer) -> None:
        """Read the stream's metadata; where frames are stamped on arrival, the first is at 0."""
        super()._probe(demuxer)
        self._shift = -self.info.start if self._wall_clock else Fraction(0)
        self.info = replace(self.info, start=self.info.start + self._shift)

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield frames and audio, over as many connections as necessary."""
        reader = self._new_reader(tuple(audio_rates))
        backoff = Backoff(self._max_tries, self._sleep, MAX_LIVE_WAIT_SECONDS if self._live else MAX_WAIT_SECONDS)
        connection: Demuxer | None = self._take_demuxer()
        shift, last_arrival = self._shift, self._clock()
        try:
            while connection is not None:
                self._select_streams(connection, video, reader)
                connection = self._resume(connection, reader)
                for item in reader.items(connection, shift):
                    self._record_data(backoff, last_arrival)
                    last_arrival = self._clock()
                    yield item
                connection.close()
                connection = None if self._is_finished(reader) else self._reconnect(backoff)
                shift += self._outage_shift(connection, reader, shift, last_arrival)
        except GeneratorExit:
            # Nothing is missing if the caller stops a camera that is connected.
            self.report.complete &= self._live
            raise
        finally:
            if connection is not None:
                connection.close()

    def _record_data(self, backoff: Backoff, last_arrival: float) -> None:
        """Record that data arrived, possibly after an outage."""
        if backoff.failed_tries:
            backoff.reset()
            self.report.complete = True
            del self.report.errors[self._messages_before :]
            if self._live:
                # Before messages on single frames, such as those before the first keyframe.
                self.report.add_message(f"no data for {self._clock() - last_arrival:.0f} s; reconnected", first=True)

    def _resume(self, connection: Demuxer, reader: Reader) -> Demuxer:
        """Seek to where a stream with an end is to begin, or broke off."""
        resume_time = reader.last.time if reader.last is not None else self._start
        if not self._live and resume_time is not None and resume_time > self.info.start:
            return self._seek(connection, resume_time)
        return connection

    def _is_finished(self, reader: Reader) -> bool:
        return reader.reached_end or (self.report.complete and not self._live)

    def _reconnect(self, backoff: Backoff) -> Demuxer | None:
        """Return a new connection; None, and a message in the report, after the last try."""
        self.report.complete = False
        if not backoff.failed_tries:
            self._messages_before = len(self.report.errors)
            self.report.add_message("no data any more; it could not be opened again until now")
        while backoff.wait():
            try:
                connection = self._open()
            except SourceError:
                continue
            self.report.reconnects += 1
            self.report.complete = not self._live  # a live one is complete once it sends data
            return connection
        del self.report.errors[self._messages_before :]
        self.report.add_message(f"{self.path} was lost, and {self._max_tries} tries did not bring it back")
        return None

    def _outage_shift(
        self, connection: Demuxer | None, reader: Reader, shift: Fraction, last_arrival: float
    ) -> Fraction:
        """Return the seconds by which a live stream's new times must be shifted to continue the old ones."""
        if connection is None or connection.video is None or reader.last is None or not self._live:
            return Fraction(0)
        first = connection.peek()
        if first is None or first.pts is None or connection.video.time_base is None:
            return Fraction(0)
        outage = Fraction(round((self._clock() - last_arrival) * 1000), 1000)
        step = 1 / (self.info.rate or Fraction(25))
        return reader.last.time + max(outage, step) - to_seconds(first.pts, connection.video.time_base) - shift


class Backoff:
    """Exponential delays of 0.5, 1, 2, 4... seconds between tries, up to ``max_tries`` in a row.

    Attributes:
        failed_tries: tries since the last success.
    """

    def __init__(self, max_tries: int, sleep: Callable[[float], None], max_wait: float = MAX_WAIT_SECONDS) -> None:
        self._max_tries, self._sleep, self._max_wait, self.failed_tries = max_tries, sleep, max_wait, 0

    def reset(self) -> None:
        """Reset after a success."""
        self.failed_tries = 0

    def wait(self) -> bool:
        """Wait for the next try and return True, or return False at once if there is none."""
        if self.failed_tries == self._max_tries:
            return False
        self._sleep(min(0.5 * 2**self.failed_tries, self._max_wait))
        self.failed_tries += 1
        return True
