"""Which inputs a call names, and where the results of each go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import SourceError
from kinoscope.core.files import cannot_write


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


def folders(sources: Sequence[str], out: Path | None) -> list[Path]:
    """Give each source a results folder of its own.

    One source gets ``out`` itself, several get ``out/<name>``; without ``out`` each gets
    ``runs/analyze/<name>``. Sources of one name are told apart by a number.
    """
    if out is not None and len(sources) == 1:
        return [out]
    root = Path("runs/analyze") if out is None else out
    taken: set[str] = set()
    return [root / _unused(_name(source), taken) for source in sources]


def _name(source: str) -> str:
    stem = Path(short_name(source) if "://" in source else Path(source).resolve()).stem
    return "".join(c if c.isalnum() or c in "-_. " else "-" for c in stem).strip(" .-") or "source"


def _unused(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    taken.add(unique)
    return unique


def prepare(folder: Path) -> None:
    """Make a results folder and make sure that it can be written to.

    Raises:
        OutputError: it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from None


def fingerprint(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Give what tells whether an earlier analysis was of the same file with the same options."""
    path = Path(source)
    stat = path.stat() if path.exists() else None
    mark = {"bytes": stat.st_size, "modified": round(stat.st_mtime, 3)} if stat else {"source": str(Address(source))}
    return mark | {name: str(value) for name, value in options.items() if value is not None}


def playable(source: dict[str, Any]) -> bool:
    """Tell whether a browser can play the file itself, from its container and codecs."""
    container, codec, sound = (str(source.get(key) or "") for key in ("container", "codec", "sound_codec"))
    if source.get("live") or not Path(str(source.get("path", ""))).is_file():
        return False
    mp4 = "mp4" in container and codec in ("h264", "av1", "vp9") and sound in ("", "aac", "mp3", "opus", "flac")
    webm = "webm" in container and codec in ("vp8", "vp9", "av1") and sound in ("", "opus", "vorbis")
    named = Path(str(source["path"])).suffix.lower() in (".mp4", ".m4v", ".mov", ".webm")
    return named and (mp4 or webm) and source.get("pixel_format") in ("yuv420p", "yuvj420p")


def place_beside(source: Path, folder: Path) -> str:
    """Put a video beside a report without a copy where that can be; give its address relative to the folder."""
    target = folder / f"video{source.suffix.lower()}"
    try:
        target.unlink(missing_ok=True)
        os.link(source, target)
    except OSError:
        return os.path.relpath(source, folder)
    return target.name
