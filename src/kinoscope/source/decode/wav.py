"""Read the declared duration of a truncated WAV file; FFmpeg goes by the size of the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

STREAMED_BYTES = 0x7FFFF000
"""Declared bytes from which the size was not known when the header was written, as into a pipe."""

MAX_CHUNKS = 100
"""Chunks that are searched for the samples."""


def truncated_wav_duration(path: Path) -> Fraction | None:
    """Return the declared seconds of samples if the WAV file ends before them; None if all are there."""
    rate, file_size = 0, path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        for _ in range(MAX_CHUNKS):
            head = file.read(8)
            name, size, begin = head[:4], int.from_bytes(head[4:], "little"), file.tell()
            if name == b"data":
                return Fraction(size, rate) if rate and file_size < begin + size < STREAMED_BYTES else None
            if name == b"fmt ":
                rate = int.from_bytes(file.read(12)[8:], "little")
            file.seek(begin + size + size % 2)
    return None
