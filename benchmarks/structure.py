"""Damage the structure of a media file: boxes, elements, chunks or packets are removed, duplicated, moved, resized.

    damaged = restructure(data, ".mp4", random.Random(0))

Bytes that are changed at random mostly hit compressed frames; parsers fail on sizes, orders and missing parts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BOXES = frozenset(b"moov trak mdia minf stbl edts dinf udta moof traf mvex iprp ipco".split())
"""Boxes of ISO base media files (MP4, MOV, M4A, AVIF) that contain others; ``meta`` does after four bytes."""

MASTERS = {
    0x1A45DFA3,
    0x18538067,
    0x1654AE6B,
    0xAE,
    0x1F43B675,
    0x1C53BB6B,
    0xBB,
    0x114D9B74,
    0x1549A966,
    0xA0,
    0xE0,
    0xE1,
}
"""Elements of Matroska and WebM that contain others."""

MAX_DEPTH = 8
PACKET = 188
"""Bytes of a packet of an MPEG transport stream, and of the pieces of a file without known structure."""


@dataclass(frozen=True)
class Piece:
    """A part [start, end) of a file; its size is in the ``width`` bytes at ``size_at``."""

    start: int
    end: int
    size_at: int = 0
    width: int = 0


def restructure(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """Change a file's structure at one to three positions."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        pieces = find_pieces(data, suffix)
        if not pieces:
            break
        data = rng.choice(DAMAGES)(data, pieces, rng)
    return data or b"\0"


def find_pieces(data: bytes, suffix: str) -> list[Piece]:
    """List the parts of a file, nested ones too."""
    finder = FINDERS.get(suffix, _packets)
    return list(finder(data, 0, len(data), 0)) or list(_packets(data, 0, len(data), 0))


def _boxes(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
    while at + 8 <= end:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        last = end if size == 0 else at + size
        if last > end or last < at + 8:
            return
        yield Piece(at, last, at, 4)
        if depth < MAX_DEPTH and (kind in BOXES or kind == b"meta"):
            yield from _boxes(data, at + (12 if kind == b"meta" else 8), last, depth + 1)
        at = last


def _elements(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
    while at + 2 <= end:
        identity, size_at = _number(data, at, keep=True)
        size, content = _number(data, size_at)
        unknown = size == (1 << 7 * (content - size_at)) - 1
        last = end if unknown else content + size
        if last > end or content <= size_at:
            return
        yield Piece(at, last, size_at, content - size_at)
        if depth < MAX_DEPTH and identity in MASTERS:
            yield from _elements(data, content, last, depth + 1)
        at = last


def _number(data: bytes, at: int, keep: bool = False) -> tuple[int, int]:
    """Read a variable-length integer of EBML, and return it and its end."""
    first = data[at] if at < len(data) else 0
    length = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep else value & ~(1 << 7 * length)), at + (length if first else 0)


def _chunks(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
    """List the chunks of RIFF: WAV, AVI, WebP."""
    while at + 8 <= end:
        last = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        last = min(last + last % 2, end)
        yield Piece(at, last, at + 4, 4)
        if depth < MAX_DEPTH and data[at : at + 4] in (b"RIFF", b"LIST"):
            yield from _chunks(data, at + 12, last, depth + 1)
        at = last


def _png_chunks(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
    at += 8
    while at + 12 <= end:
        last = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if last > end:
            return
        yield Piece(at, last, at, 4)
        at = last


def _marked(mark: bytes) -> Callable[[bytes, int, int, int], Iterator[Piece]]:
    """Return a finder of the parts that begin with a mark: pages of Ogg, segments of JPEG, NAL units."""

    def find(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
        at = data.find(mark, at)
        while at >= 0:
            last = data.find(mark, at + len(mark))
            yield Piece(at, last if last >= 0 else end, at + len(mark), 2)
            at = last

    return find


def _packets(data: bytes, at: int, end: int, depth: int) -> Iterator[Piece]:
    for start in range(at, end, PACKET):
        yield Piece(start, min(start + PACKET, end), start + 1, 2)


FINDERS = {
    **dict.fromkeys((".mp4", ".mov", ".m4a", ".avif"), _boxes),
    **dict.fromkeys((".mkv", ".webm"), _elements),
    **dict.fromkeys((".wav", ".avi", ".webp"), _chunks),
    **dict.fromkeys((".ogg",), _marked(b"OggS")),
    **dict.fromkeys((".mpg", ".h264"), _marked(b"\0\0\1")),
    ".png": _png_chunks,
    ".jpg": _marked(b"\xff"),
    ".gif": _marked(b"\x21\xf9"),
}
"""Finder of the parts of a file by its suffix."""


def _remove(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    piece = rng.choice(pieces)
    return data[: piece.start] + data[piece.end :]


def _duplicate(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    piece = rng.choice(pieces)
    times = rng.choice((1, 1, 3, 50)) if piece.end - piece.start < 10_000 else 1
    return data[: piece.end] + data[piece.start : piece.end] * times + data[piece.end :]


def _move(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    piece, where = rng.choice(pieces), rng.choice(pieces).start
    part, rest = data[piece.start : piece.end], data[: piece.start] + data[piece.end :]
    where = min(where, len(rest))
    return rest[:where] + part + rest[where:]


def _swap(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    first, second = sorted((rng.choice(pieces), rng.choice(pieces)), key=lambda piece: piece.start)
    if first.end > second.start:
        return data
    middle = data[first.end : second.start]
    parts = data[: first.start], data[second.start : second.end], middle, data[first.start : first.end]
    return b"".join(parts) + data[second.end :]


def _resize(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    piece = rng.choice(pieces)
    old = int.from_bytes(data[piece.size_at : piece.size_at + piece.width], "big")
    maximum = (1 << 8 * piece.width) - 1
    new = rng.choice((0, 1, 7, old - 1, old + 1, old * 2, old // 2, maximum, maximum >> 1, rng.randint(0, maximum)))
    written = min(max(new, 0), maximum).to_bytes(piece.width, "big")
    return data[: piece.size_at] + written + data[piece.size_at + piece.width :]


def _empty(data: bytes, pieces: list[Piece], rng: random.Random) -> bytes:
    piece = rng.choice(pieces)
    end = min(piece.size_at + piece.width + rng.choice((0, 1, 4)), piece.end)
    return data[:end] + bytes(piece.end - end) + data[piece.end :]


DAMAGES = (_remove, _duplicate, _move, _swap, _resize, _resize, _empty)
