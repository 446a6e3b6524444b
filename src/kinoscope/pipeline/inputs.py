"""Which inputs a call names, and where the results of each go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import SourceError
from kinoscope.core.files import hard_link

MAX_FOLDER_NUMBER = 10_000
"""Folders of one name that are tried."""

SOURCE_KEYS = ("source", "bytes", "modified", "images", "sample")
"""What of a fingerprint is of the source; the rest is of the options."""

HASHED_CHUNKS, CHUNK_BYTES = 16, 65_536
"""Pieces of a file that tell it from others, spread evenly over it, and how long they are."""


def expand(sources: Sequence[str | Path], strips: bool = False) -> list[str]:
    """Return every source that is named: a folder stands for each video in it and below it, in natural order.

    A folder of images is one source, as are a file, a pattern, a URL and a device.

    Args:
        strips: whether images may be strips of square frames, each of which is a clip of its own.

    Raises:
        SourceError: nothing is named.
    """
    if not sources:
        raise SourceError("no source is given; name a video file, a folder, a URL or a camera (camera:0)")
    return [one for source in sources for one in _inside(Address(source), strips)]


def _inside(source: str, strips: bool) -> list[str]:
    from kinoscope.source.folders import find_sources

    try:
        return find_sources(source, strips)
    except SourceError:
        # A folder with nothing to watch is an error of its own, told when its turn comes: the others go on.
        return [source]


def result_folders(
    sources: Sequence[str], out: Path | None, fits: Callable[[str, Path], bool] = lambda source, folder: True
) -> list[Path]:
    """Give each source a results folder of its own.

    One source gets ``out`` itself, several get ``out/<name>``; without ``out`` each gets
    ``runs/analyze/<name>``. Sources of one name are told apart by a number.

    Args:
        fits: whether a folder that was not named may hold the results of a source: the next number is tried otherwise.
    """
    if out is not None and len(sources) == 1:
        return [out]
    root = Path("runs/analyze") if out is None else out
    taken: set[str] = set()
    return [root / _unused(source, taken, lambda one, name: fits(one, root / name)) for source in sources]


def _name(source: str) -> str:
    stem = Path(short_name(source) if "://" in source else Path(source).resolve()).stem
    return "".join(c if c.isalnum() or c in "-_. " else "-" for c in stem).strip(" .-") or "source"


def _unused(source: str, taken: set[str], fits: Callable[[str, str], bool]) -> str:
    """Return a name that is not taken, in any case of letters: some file systems know no case."""
    name = _name(source)
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, MAX_FOLDER_NUMBER + len(taken)))
    unique = next((one for one in numbered if one.casefold() not in taken and fits(source, one)), name)
    taken.add(unique.casefold())
    return unique


def fingerprint(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies a file and the options of an analysis, to compare with an earlier one."""
    mark: dict[str, Any] = {}
    with suppress(OSError, SourceError):
        mark = _mark(source)
    mark = mark or {"source": str(Address(source))}
    return mark | {name: str(value) for name, value in options.items() if value is not None}


def is_repeatable(source: str) -> bool:
    """Return whether a source shows the same whenever it is read: files do, cameras and streams do not."""
    return source.startswith("synthetic:") or "sample" in fingerprint(source, {})


def files_of(source: str) -> list[str]:
    """Return the files that are read of a source: itself, or the pictures of a folder or pattern."""
    from kinoscope.source.images import find_images, is_image_path

    if "://" in source or Path(source).is_file() or not is_image_path(source):
        return [source]
    try:
        return [str(path) for path in find_images(source)]
    except (SourceError, OSError):
        return [source]


def _mark(source: str) -> dict[str, Any]:
    """Return what tells a file, or the pictures of a folder or pattern, from others; nothing of what is no file."""
    from kinoscope.source.images import find_images, is_image_path

    path = Path(source)
    if path.is_file():
        stat = path.stat()
        return {"bytes": stat.st_size, "modified": round(stat.st_mtime, 3), "sample": _sample(path, stat.st_size)}
    if "://" in source or not is_image_path(source):
        return {}
    rows = [(one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in find_images(source)]
    return {"images": len(rows), "sample": hashlib.sha256(repr(rows).encode("utf-8", "replace")).hexdigest()}


def _sample(path: Path, size: int) -> str:
    """Return the sha256 of pieces of a file: two recordings of one length and second differ in any of them."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for number in range(HASHED_CHUNKS):
            file.seek(max(0, size - CHUNK_BYTES) * number // (HASHED_CHUNKS - 1))
            found.update(file.read(CHUNK_BYTES))
    return found.hexdigest()


def is_playable(source: dict[str, Any]) -> bool:
    """Tell whether a browser can play the file itself, from its container and codecs."""
    container, codec, sound = (str(source.get(key) or "") for key in ("container", "codec", "audio_codec"))
    if source.get("video_tracks"):  # it would show the one that is marked default
        return False
    if source.get("live") or not Path(str(source.get("path", ""))).is_file():
        return False
    mp4 = "mp4" in container and codec in ("h264", "av1", "vp9") and sound in ("", "aac", "mp3", "opus", "flac")
    webm = "webm" in container and codec in ("vp8", "vp9", "av1") and sound in ("", "opus", "vorbis")
    named = Path(str(source["path"])).suffix.lower() in (".mp4", ".m4v", ".mov", ".webm")
    return named and (mp4 or webm) and source.get("pixel_format") in ("yuv420p", "yuvj420p")


def link_beside(source: Path, folder: Path) -> str:
    """Put a video beside a report without a copy where that can be; give its address relative to the folder."""
    target = folder / f"video{source.suffix.lower()}"
    return target.name if hard_link(source, target) else os.path.relpath(source, folder)
