"""Join timestamps that restart or jump, as in concatenated recordings, into one clock for all streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from av.packet import Packet

MAX_JITTER_SECONDS = Fraction(1, 5)
"""Seconds by which a timestamp may lie before the previous one; further back the clock has restarted."""

MAX_STEP_SECONDS = Fraction(5)
"""Seconds from one timestamp to the next beyond which the following one must confirm it."""

MAX_PAUSE_SECONDS = Fraction(12 * 3600)
"""Seconds that may pass without a packet; a jump further ahead is another clock, not a pause."""

MAX_WAIT_SECONDS = Fraction(2)
MAX_BUFFERED_PACKETS = 500
"""Seconds and packets for which the other streams are waited for when one jumps."""


@dataclass(slots=True)
class _TrackClock:
    """The clock of one stream, in seconds: the offset of its timestamps, its last timestamp and its latest end."""

    offset: Fraction
    last: Fraction | None = None
    end: Fraction | None = None


class TimestampJoiner:
    """Shift the timestamps of packets so that each stream continues where it jumps, all streams by the same time.

    Where the timestamps of a stream jump back, or ahead by more than ``MAX_PAUSE_SECONDS``, packets are buffered until
    the other streams have jumped too: then the new part is shifted as a whole to where the last stream of the old part
    ends. A single outlier loses its timestamp, and the clock is left alone.

    Attributes:
        joints: the first shifted timestamp after the latest jump, in ticks, of each stream that jumped.
    """

    def __init__(self) -> None:
        self.joints: dict[int, int] = {}
        self._offset = Fraction(0)
        self._clocks: dict[int, _TrackClock] = {}
        self._buffer: list[Packet[Any]] = []

    def run(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """Yield packets with their timestamps shifted."""
        for packet in packets:
            yield from self._push(packet)
        while self._buffer:
            yield from self._resolve(final=True)

    def _push(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        if not self._buffer and not self._is_ambiguous(packet):
            yield self._shift(packet)
            return
        self._buffer.append(packet)
        yield from self._resolve(final=not packet.size)

    def _is_ambiguous(self, packet: Packet[Any]) -> bool:
        """Return whether later packets must decide what a timestamp means."""
        clock = self._clock(packet)
        shifted = _gap(packet, clock, self._offset)
        if _is_regular(_gap(packet, clock, clock.offset)):
            return False
        return clock.offset == self._offset or not _is_regular(shifted)

    def _resolve(self, final: bool) -> Iterator[Packet[Any]]:
        """Yield buffered packets as soon as it is clear what the first of them means."""
        first = self._buffer[0]
        same_stream = [p for p in self._buffer if p.stream_index == first.stream_index and _decode_time(p) is not None]
        if len(same_stream) == 1 and not final and len(self._buffer) < MAX_BUFFERED_PACKETS:
            return
        if len(same_stream) > 1 and self._is_outlier(first, same_stream[1]):
            first.pts = first.dts = None
            yield from self._release(1)
        elif not self._is_discontinuous(first):
            yield from self._release(1)
        elif final or self._can_join(same_stream):
            yield from self._join_parts(_find_restart(self._buffer, first.stream_index))

    def _is_outlier(self, first: Packet[Any], second: Packet[Any]) -> bool:
        """Return whether the second packet continues from before the first."""
        gap, step = _gap(first, self._clock(first), self._clock(first).offset), _seconds_between(first, second)
        return not self._is_discontinuous(second) and (gap < 0 or step < -MAX_JITTER_SECONDS)

    def _is_discontinuous(self, packet: Packet[Any]) -> bool:
        """Return whether a packet is of another clock than the previous one of its stream."""
        clock = self._clock(packet)
        gap = _gap(packet, clock, clock.offset)
        return gap < -MAX_JITTER_SECONDS or gap > MAX_PAUSE_SECONDS

    def _can_join(self, same_stream: list[Packet[Any]]) -> bool:
        jumped = {packet.stream_index for packet in self._buffer if self._is_discontinuous(packet)}
        known = {index for index, clock in self._clocks.items() if clock.last is not None}
        enough = (
            _seconds_between(same_stream[0], same_stream[-1]) > MAX_WAIT_SECONDS
            or len(self._buffer) >= MAX_BUFFERED_PACKETS
        )
        return enough or known <= jumped or _find_restart(self._buffer, same_stream[0].stream_index) < len(self._buffer)

    def _join_parts(self, count: int) -> Iterator[Packet[Any]]:
        """Shift the new part to the end of the old one, and yield the first ``count`` packets."""
        starts: dict[int, Fraction] = {}
        for packet in self._buffer[:count]:
            index, start = packet.stream_index, _display_time(packet)
            if start is not None and (index in starts or self._is_discontinuous(packet)):
                starts[index] = min(starts.get(index, start), start)
            elif start is not None:
                self._update_clock(packet)
        self._offset = max((self._clocks[index].end or start) - start for index, start in starts.items())
        yield from self._release(count)

    def _release(self, count: int) -> Iterator[Packet[Any]]:
        ready, rest, self._buffer = self._buffer[:count], self._buffer[count:], []
        for packet in ready:
            yield self._shift(packet)
        for packet in rest:
            yield from self._push(packet)

    def _shift(self, packet: Packet[Any]) -> Packet[Any]:
        """Shift the timestamps of a packet by the offset of its stream, which becomes the latest where it jumps."""
        clock = self._clock(packet)
        joint = self._is_discontinuous(packet)
        if joint:
            clock.offset = self._offset
        self._update_clock(packet)
        if clock.offset and packet.time_base:
            ticks = round(clock.offset / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        if joint and packet.pts is not None:
            self.joints[packet.stream_index] = packet.pts
        return packet

    def _update_clock(self, packet: Packet[Any]) -> None:
        clock, stamp, start = self._clock(packet), _decode_time(packet), _display_time(packet)
        if stamp is not None and start is not None:
            end = start + clock.offset + (packet.duration or 0) * packet.time_base
            clock.last, clock.end = stamp + clock.offset, end if clock.end is None else max(clock.end, end)

    def _clock(self, packet: Packet[Any]) -> _TrackClock:
        return self._clocks.setdefault(packet.stream_index, _TrackClock(self._offset))


def _decode_time(packet: Packet[Any]) -> Fraction | None:
    """Return the decoding time of a packet in seconds, or None if it is unknown.

    Presentation times do not determine the order: the first packets of Matroska have these alone, and frames are
    reordered.
    """
    return None if packet.dts is None or packet.time_base is None else packet.dts * packet.time_base


def _display_time(packet: Packet[Any]) -> Fraction | None:
    """Return the presentation time of a packet in seconds, or its decoding time if only that is known."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None or packet.time_base is None else ticks * packet.time_base


def _gap(packet: Packet[Any], clock: _TrackClock, offset: Fraction) -> Fraction:
    """Return the seconds from the last packet of a stream to this one; 0 if one of them has no timestamp."""
    stamp = _decode_time(packet)
    return Fraction(0) if stamp is None or clock.last is None else stamp + offset - clock.last


def _is_regular(gap: Fraction) -> bool:
    return -MAX_JITTER_SECONDS <= gap <= MAX_STEP_SECONDS


def _seconds_between(first: Packet[Any], second: Packet[Any]) -> Fraction:
    return (_decode_time(second) or Fraction(0)) - (_decode_time(first) or Fraction(0))


def _find_restart(buffered: list[Packet[Any]], index: int) -> int:
    """Return the position at which a stream jumps back once more in the buffer, or the buffer's length."""
    same_stream = [
        at for at, packet in enumerate(buffered) if packet.stream_index == index and _decode_time(packet) is not None
    ]
    return next(
        (b for a, b in pairwise(same_stream) if _seconds_between(buffered[a], buffered[b]) < -MAX_JITTER_SECONDS),
        len(buffered),
    )
