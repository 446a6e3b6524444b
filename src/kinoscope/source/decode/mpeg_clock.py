"""Detect whether the clock of an MPEG stream restarts somewhere, as in concatenated recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import UInt8Array

CLOCK_CONTAINERS = {"mpeg", "mpegts"}
"""Containers that hold a clock: program and transport streams."""

SYNC_BYTE = 0x47
"""First byte of a transport packet."""
PACKET_STRIDES = (188, 192, 204)
"""Bytes of a packet, bare or with a timestamp or a checksum of its own."""

CHUNK_BYTES = 1 << 20
MAX_CHUNKS = 64
"""Bytes read at a time, and how many such chunks of a large file."""

WRAP_TICKS = 2**33
"""Ticks of 90 kHz after which a clock wraps around by itself."""

MAX_BACKWARD_TICKS, MAX_FORWARD_TICKS = 90_000 // 5, 90_000 * 12 * 3600
"""Ticks that a clock may fall back or run ahead from one sample to the next."""


def clock_restarts(path: str | Path) -> bool:
    """Return whether any program's clock (PCR) jumps back, or far ahead, between chunks spread over the file."""
    last: dict[int, int] = {}
    with Path(path).open("rb") as file:
        for offset in _chunk_offsets(Path(path).stat().st_size):
            file.seek(offset)
            for pid, clock in _clock_references(np.frombuffer(file.read(CHUNK_BYTES), np.uint8)):
                gap = (clock - last.get(pid, clock) + WRAP_TICKS // 2) % WRAP_TICKS - WRAP_TICKS // 2
                if gap < -MAX_BACKWARD_TICKS or gap > MAX_FORWARD_TICKS:
                    return True
                last[pid] = clock
    return False


def _chunk_offsets(size: int) -> list[int]:
    count = -(-size // CHUNK_BYTES)
    if count <= MAX_CHUNKS:
        return [CHUNK_BYTES * i for i in range(count)]
    return [(size - CHUNK_BYTES) * i // (MAX_CHUNKS - 1) for i in range(MAX_CHUNKS)]


def _clock_references(data: UInt8Array) -> list[tuple[int, int]]:
    """Return the packet identifier and the ticks of each clock reference."""
    packets = _split_packets(data)
    if packets is None:
        return _program_stream_clocks(data.tobytes())
    # An adaptation field that has a PCR (ISO 13818-1, 2.4.3.4).
    has_clock = ((packets[:, 3] & 0x20) > 0) & (packets[:, 4] > 6) & ((packets[:, 5] & 0x10) > 0)
    clocked = packets[has_clock].astype(np.int64)
    pids = (clocked[:, 1] & 0x1F) << 8 | clocked[:, 2]
    ticks = clocked[:, 6] << 25 | clocked[:, 7] << 17 | clocked[:, 8] << 9 | clocked[:, 9] << 1 | clocked[:, 10] >> 7
    return list(zip(pids.tolist(), ticks.tolist(), strict=True))


def _program_stream_clocks(data: bytes) -> list[tuple[int, int]]:
    """Return the clock references of the packs of an MPEG-2 program stream (ISO 13818-1, 2.5.3.3)."""
    clocks = []
    for match in re.finditer(rb"\x00\x00\x01\xba([\x44-\x7f].{4})", data, re.DOTALL):
        bits = int.from_bytes(match[1], "big")
        clocks.append((0, (bits >> 35 & 7) << 30 | (bits >> 19 & 0x7FFF) << 15 | bits >> 3 & 0x7FFF))
    return clocks


def _split_packets(data: UInt8Array) -> NDArray[Any] | None:
    """Return packets (N, 188) uint8, or None if none are found."""
    for stride in PACKET_STRIDES:
        for first in np.flatnonzero(data[:stride] == SYNC_BYTE).tolist():
            count = (len(data) - first - 188) // stride + 1
            if count > 0 and np.mean(data[first : first + count * stride : stride] == SYNC_BYTE) > 0.9:
                padded = data[first : first + (count - 1) * stride + 188]
                return np.lib.stride_tricks.sliding_window_view(padded, 188)[::stride]
    return None
