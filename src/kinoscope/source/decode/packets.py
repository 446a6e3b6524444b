"""Read the packets of a container in order; damage is skipped and recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from kinoscope.source.decode.container import error_message
from kinoscope.source.decode.continuity import TimestampJoiner

Track = VideoStream | AudioStream

MAX_READ_ERRORS = 20
"""Failed reads in a row after which the rest of the container is given up."""

CONTIGUOUS_CONTAINERS = {"flv", "matroska,webm"}
"""Containers whose packets are contiguous, so that bytes between them were skipped because of damage."""

MAX_HEADER_BYTES = 100
"""Bytes that a container puts between two packets, at most."""


class PacketReader:
    """A demuxer of some streams of a container; the last packet of each is empty and flushes its decoder.

    Attributes:
        stop_reason: why reading stopped before the end, if it did.
        reached: the latest time in seconds at which a packet ends, or None before the first.
        skipped: whether bytes were skipped; the caller that handles it resets it.
        has_unread_audio: whether there is audio, which could be decoded, in none of the streams that are read.
    """

    def __init__(self, container: InputContainer, streams: Sequence[Track]) -> None:
        self._container, self._streams = container, streams
        self._ordered = container.format.name in CONTIGUOUS_CONTAINERS
        self._limit = None if container.read_timeout is None else float(container.read_timeout)
        self._continuity = TimestampJoiner()
        self._expected_position: int | None = None
        self._unflushed = set(streams)
        self._errors = 0
        self.stop_reason: str | None = None
        self.reached: Fraction | None = None
        self.skipped = self.has_unread_audio = False

    @property
    def joints(self) -> dict[int, int]:
        """First timestamp of each stream after its clock restarted, as in concatenated recordings."""
        return self._continuity.joints

    def __iter__(self) -> Iterator[Packet[Any]]:
        for packet in self._continuity.run(self._demux()):
            self._update_end(packet)
            yield packet

    def _demux(self) -> Iterator[Packet[Any]]:
        try:
            while self._streams and self.stop_reason is None:
                try:
                    yield from self._read_packets()
                    break
                except av.FFmpegError as error:
                    self._errors += 1
                    if not isinstance(error, av.InvalidDataError) or self._errors > MAX_READ_ERRORS:
                        self.stop_reason = error_message(error)
        except IndexError:  # damage simulated a stream, which PyAV does not know at the end
            pass
        for stream in list(self._unflushed):
            yield _flush_packet(stream)

    def _read_packets(self) -> Iterator[Packet[Any]]:
        started = time.monotonic()
        for packet in self._container.demux():
            timed_out = self._limit is not None and time.monotonic() - started >= self._limit
            self._errors = 0
            self._check_gap(packet)
            if packet.stream in self._streams:
                if not packet.size:
                    self._unflushed.discard(packet.stream)
                yield packet
            else:
                self._skip(packet)
            if timed_out:  # the packet was buffered all the time: another read would wait as long again
                self.stop_reason = f"no data for {self._limit:g} s"
                return
            started = time.monotonic()

    def _skip(self, packet: Packet[Any]) -> None:
        """Record a packet that is not read."""
        known = isinstance(packet.stream, AudioStream) and packet.stream.codec_context is not None
        self.has_unread_audio |= known and packet.size > 0
        self._update_end(packet)

    def _update_end(self, packet: Packet[Any]) -> None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.time_base and not packet.is_discard:
            self.reached = max(self.reached or Fraction(0), (stamp + (packet.duration or 0)) * packet.time_base)

    def _check_gap(self, packet: Packet[Any]) -> None:
        """Record whether bytes before a packet were skipped."""
        if self._ordered and packet.pos is not None and packet.pos >= 0 and packet.size:
            self.skipped |= (
                self._expected_position is not None and packet.pos - self._expected_position > MAX_HEADER_BYTES
            )
            self._expected_position = max(self._expected_position or 0, packet.pos + packet.size)


def _flush_packet(stream: Track) -> Packet[Any]:
    packet: Packet[Any] = Packet()
    packet.stream = stream
    return packet
