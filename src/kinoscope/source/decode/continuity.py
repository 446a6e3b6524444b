"""One clock for all streams of a container whose stamps start again or jump, as in recordings that were joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from av.packet import Packet

MAX_JITTER_SECONDS = Fraction(1, 5)
"""Seconds by which a stamp may lie before the one before it; further back the clock has started again."""

MAX_STEP_SECONDS = Fraction(5)
"""Seconds from one stamp to the next beyond which the following one must confirm it."""

MAX_PAUSE_SECONDS = Fraction(12 * 3600)
"""Seconds that may pass without a packet; a jump further ahead is another clock, not a pause."""

MAX_WAIT_SECONDS = Fraction(2)
MAX_BUFFERED_PACKETS = 500
"""Seconds and packets for which the other streams are waited for where one jumps."""


@dataclass(slots=True)
class _TrackClock:
    """One stream: what is added to its stamps, its last stamp and its latest end, in seconds of the one clock."""

    offset: Fraction
    last: Fraction | None = None
    end: Fraction | None = None


class TimestampJoiner:
    """Move the stamps of packets so that each stream goes on where it jumps, all streams by the same time.

    Where the stamps of a stream jump back, or ahead by more than ``MAX_PAUSE_SECONDS``, packets are buffered until the
    other streams have jumped too: then the new part is moved as a whole to where the last stream of the old part ends.
    A single stamp that is off is dropped, and the clock left alone.

    Attributes:
        joints: the first moved stamp after the latest jump, in ticks, of each stream that jumped.
    """

    def __init__(self) -> None:
        self.joints: dict[int, int] = {}
        self._offset = Fraction(0)
        self._tracks: dict[int, _TrackClock] = {}
        self._held: list[Packet[Any]] = []

    def run(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """Yield packets with their stamps moved."""
        for packet in packets:
            yield from self._take(packet)
        while self._held:
            yield from self._decide(final=True)

    def _take(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        if not self._held and not self._is_odd(packet):
            yield self._moved(packet)
            return
        self._held.append(packet)
        yield from self._decide(final=not packet.size)

    def _is_odd(self, packet: Packet[Any]) -> bool:
        """Return whether it must be waited for what a stamp means."""
        track = self._track(packet)
        moved = _gap(packet, track, self._offset)
        if _is_regular(_gap(packet, track, track.offset)):
            return False
        return track.offset == self._offset or not _is_regular(moved)

    def _decide(self, final: bool) -> Iterator[Packet[Any]]:
        """Hand on what is held as soon as it is clear what its first packet means."""
        first = self._held[0]
        mine = [p for p in self._held if p.stream_index == first.stream_index and _decode_time(p) is not None]
        if len(mine) == 1 and not final and len(self._held) < MAX_BUFFERED_PACKETS:
            return
        if len(mine) > 1 and self._is_alone(first, mine[1]):
            first.pts = first.dts = None
            yield from self._release(1)
        elif not self._breaks(first):
            yield from self._release(1)
        elif final or self._is_settled(mine):
            yield from self._join(_find_restart(self._held, first.stream_index))

    def _is_alone(self, first: Packet[Any], second: Packet[Any]) -> bool:
        """Return whether the second packet goes on from before the first."""
        gap, step = _gap(first, self._track(first), self._track(first).offset), _seconds_between(first, second)
        return not self._breaks(second) and (gap < 0 or step < -MAX_JITTER_SECONDS)

    def _breaks(self, packet: Packet[Any]) -> bool:
        """Return whether a packet is of another clock than the one before it in its stream."""
        track = self._track(packet)
        gap = _gap(packet, track, track.offset)
        return gap < -MAX_JITTER_SECONDS or gap > MAX_PAUSE_SECONDS

    def _is_settled(self, mine: list[Packet[Any]]) -> bool:
        jumped = {packet.stream_index for packet in self._held if self._breaks(packet)}
        known = {index for index, track in self._tracks.items() if track.last is not None}
        enough = _seconds_between(mine[0], mine[-1]) > MAX_WAIT_SECONDS or len(self._held) >= MAX_BUFFERED_PACKETS
        return enough or known <= jumped or _find_restart(self._held, mine[0].stream_index) < len(self._held)

    def _join(self, count: int) -> Iterator[Packet[Any]]:
        """Move the new part to the end of the old one, and hand on the first ``count`` packets."""
        begins: dict[int, Fraction] = {}
        for packet in self._held[:count]:
            index, begin = packet.stream_index, _display_time(packet)
            if begin is not None and (index in begins or self._breaks(packet)):
                begins[index] = min(begins.get(index, begin), begin)
            elif begin is not None:
                self._note(packet)
        self._offset = max((self._tracks[index].end or begin) - begin for index, begin in begins.items())
        yield from self._release(count)

    def _release(self, count: int) -> Iterator[Packet[Any]]:
        ready, rest, self._held = self._held[:count], self._held[count:], []
        for packet in ready:
            yield self._moved(packet)
        for packet in rest:
            yield from self._take(packet)

    def _moved(self, packet: Packet[Any]) -> Packet[Any]:
        """Move the stamps of a packet by the offset of its stream, which becomes the latest where it jumps."""
        track = self._track(packet)
        joint = self._breaks(packet)
        if joint:
            track.offset = self._offset
        self._note(packet)
        if track.offset and packet.time_base:
            ticks = round(track.offset / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        if joint and packet.pts is not None:
            self.joints[packet.stream_index] = packet.pts
        return packet

    def _note(self, packet: Packet[Any]) -> None:
        track, stamp, begin = self._track(packet), _decode_time(packet), _display_time(packet)
        if stamp is not None and begin is not None:
            end = begin + track.offset + (packet.duration or 0) * packet.time_base
            track.last, track.end = stamp + track.offset, end if track.end is None else max(track.end, end)

    def _track(self, packet: Packet[Any]) -> _TrackClock:
        return self._tracks.setdefault(packet.stream_index, _TrackClock(self._offset))


def _decode_time(packet: Packet[Any]) -> Fraction | None:
    """Return when a packet is decoded in seconds, or None if that is not known.

    When it is shown says nothing of order: the first packets of Matroska have that alone, and frames are reordered.
    """
    return None if packet.dts is None or packet.time_base is None else packet.dts * packet.time_base


def _display_time(packet: Packet[Any]) -> Fraction | None:
    """Return when a packet is shown in seconds, or decoded if that is all that is known."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None or packet.time_base is None else ticks * packet.time_base


def _gap(packet: Packet[Any], track: _TrackClock, offset: Fraction) -> Fraction:
    """Return the seconds from the last packet of a track to this one; none where one of them has no stamp."""
    stamp = _decode_time(packet)
    return Fraction(0) if stamp is None or track.last is None else stamp + offset - track.last


def _is_regular(gap: Fraction) -> bool:
    return -MAX_JITTER_SECONDS <= gap <= MAX_STEP_SECONDS


def _seconds_between(first: Packet[Any], second: Packet[Any]) -> Fraction:
    return (_decode_time(second) or Fraction(0)) - (_decode_time(first) or Fraction(0))


def _find_restart(held: list[Packet[Any]], index: int) -> int:
    """Return the position at which a stream jumps back once more among what is held, or its length."""
    mine = [at for at, packet in enumerate(held) if packet.stream_index == index and _decode_time(packet) is not None]
    return next((b for a, b in pairwise(mine) if _seconds_between(held[a], held[b]) < -MAX_JITTER_SECONDS), len(held))
