"""Detect by its first bytes, not by its suffix, whether a file is one image, an animation, or a video."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

FileKind = Literal["image", "animation", "animated webp", "video", "unknown"]

HEADER_BYTES = 4096
"""Bytes that are examined; the marks of an animated image stand before its pixels."""

IMAGE_SIGNATURES = re.compile(
    rb"\x89PNG\r\n\x1a\n|RIFF....WEBP|II\*\0|MM\0\*|BM....\0\0\0\0|P[1-6]\s|\0\0\0\x0cjP  |\xffO\xffQ",
    re.DOTALL,
)
"""PNG, WebP, TIFF, BMP, PNM and JPEG 2000; a sequence of JPEGs may be a video, so the suffix decides."""

VIDEO_SIGNATURES = re.compile(rb"GIF8[79]a|\x1aE\xdf\xa3|RIFF....AVI |FLV\x01|OggS|\0\0\x01[\xb3\xba]", re.DOTALL)
"""GIF, Matroska and WebM, AVI, Flash, Ogg, and MPEG streams."""

STILL_BRANDS = {b"avif", b"mif1", b"mif2", b"heic", b"heix", b"heim", b"heis"}
SEQUENCE_BRANDS = {b"avis", b"msf1", b"hevc", b"hevx", b"hevm", b"hevs"}
"""Brands of image files, and of image sequences, in the boxes of MPEG-4 (ISO/IEC 23008-12)."""


def detect_kind(path: Path) -> FileKind:
    """Return the kind of a file; ``unknown`` if its first bytes do not determine it, or it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return "unknown"
    if head[4:8] == b"ftyp":
        return _mpeg4_kind(head)
    if IMAGE_SIGNATURES.match(head):
        return _image_kind(head)
    return "video" if VIDEO_SIGNATURES.match(head) else "unknown"


def _image_kind(head: bytes) -> FileKind:
    if head.startswith(b"RIFF") and head[12:16] == b"VP8X" and len(head) > 20 and head[20] & 2:
        return "animated webp"
    animated = head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]
    return "animation" if animated else "image"


def _mpeg4_kind(head: bytes) -> FileKind:
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in range(8, min(size, len(head)), 4) if at != 12}
    if brands & SEQUENCE_BRANDS:
        return "animation"
    return "image" if head[8:12] in STILL_BRANDS else "video"
