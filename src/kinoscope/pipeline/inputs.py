"""Expansion of the sources of a call, and the folders of their results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.files import hard_link
from kinoscope.results.base import Result
from kinoscope.source.frames import VideoAddress, in_memory
from kinoscope.source.names import SourceObject, name_of, name_sources

MAX_FOLDER_NUMBER = 10_000
"""Highest number appended to a folder's name."""

SOURCE_KEYS = ("source", "bytes", "modified", "images", "sample")
"""Keys of a fingerprint that describe the source; the others are options."""

HASHED_CHUNKS, CHUNK_BYTES = 16, 65_536
"""Chunks of a file that are hashed, spread evenly over it, and their length in bytes."""


SourceName = str | Path
"""A file, a folder, a pattern, a URL or a device."""

REREAD_OPTIONS = ("annotate", "blur", "clips")
"""Options that read a source a second time, after its analysis."""

P = ParamSpec("P")
R = TypeVar("R")


class Verb(Protocol[P, R]):
    """A verb that takes one source or several: paths, Videos, or frames in memory."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a text is one source, not a sequence of letters
        self, sources: SourceObject, /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    def __call__(self, sources: Sequence[SourceObject], /, *args: P.args, **kwargs: P.kwargs) -> list[R]: ...


def one_or_several(verb: Callable[Concatenate[Sequence[SourceName], P], list[R]]) -> Verb[P, R]:
    """Return a verb on a list of sources that also takes one source, and then returns its result, not a list.

    The verb raises OptionError if one source, such as a folder, stands for several.
    """
    return _accept_one(verb, strips=False)


def one_or_several_clips(verb: Callable[Concatenate[Sequence[SourceName], P], list[R]]) -> Verb[P, R]:
    """Return a verb as ``one_or_several`` does, where each image of a folder may be a clip: a strip of frames."""
    return _accept_one(verb, strips=True)


def _accept_one(verb: Callable[Concatenate[Sequence[SourceName], P], list[R]], strips: bool) -> Verb[P, R]:
    @wraps(verb)
    def call(sources: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        names, is_one = name_sources(sources)
        if is_one and len(expand(names, strips)) > 1:
            raise OptionError(f"{names[0]} stands for several videos; give a list, as in [{str(names[0])!r}]")
        results = [release(result) for result in verb(names, *args, **kwargs)]
        return results[0] if is_one else results

    return cast(Verb[P, R], call)


def release(result: R) -> R:
    """Return a result that names its source, and does not keep frames in memory."""
    if isinstance(result, Result) and isinstance(result.source, VideoAddress):
        result.source = str(result.source)
    return result


def one_source(source: SourceObject, strips: bool = False) -> str:
    """Return the name of a single source.

    Args:
        source: a path, a Video or frames in memory.
        strips: see ``expand``.

    Raises:
        OptionError: it is a list, or a folder of several.
    """
    names, is_one = name_sources(source)
    found = expand(names, strips)
    if not is_one or len(found) > 1:
        given = f"a list of {len(found)}" if not is_one else f"{names[0]}, which stands for {len(found)}"
        raise OptionError(f"one video is taken at a time, not {given}; use a loop, or the verb of that name")
    return found[0]


def require_rereadable(sources: Sequence[str], **options: object) -> None:
    """Require that sources can be read a second time, if one of the options needs it.

    Args:
        sources: as ``expand`` returns them.
        options: values of the options of ``REREAD_OPTIONS``, by name.

    Raises:
        OptionError: a source can be read only once; the message names the option.
    """
    wanted = [name for name in REREAD_OPTIONS if options.get(name)]
    once = [source for source in sources if (frames := in_memory(source)) and frames.once]
    if wanted and once:
        raise OptionError(
            f"{wanted[0]} reads a source twice, and {once[0]} can be read only once, as it is an iterator; "
            f"give an array, a list or a file, or leave {wanted[0]} out"
        )


def expand(sources: Sequence[SourceObject], strips: bool = False) -> list[str]:
    """Return every source that is named: a folder stands for each video in it and below it, in natural order.

    A folder of images is one source, as are a file, a pattern, a URL and a device.

    Args:
        sources: paths, patterns, URLs and devices; Videos, and frames in memory.
        strips: images may be strips of square frames, each of which is a clip of its own.

    Raises:
        SourceError: nothing is named.
    """
    if not sources:
        raise SourceError("no source is given; name a video file, a folder, a URL or a camera (camera:0)")
    return [entry for source in sources for entry in _inside(name_of(source), strips)]


def _inside(source: str, strips: bool) -> list[str]:
    from kinoscope.source.folders import find_sources

    if isinstance(source, VideoAddress):
        return [source]
    try:
        return find_sources(source, strips)
    except SourceError:
        # A folder without videos is reported when it is processed, so that the other sources still run.
        return [source]


def result_folders(
    sources: Sequence[str], out: Path | None, accepts: Callable[[str, Path], bool] = lambda source, folder: True
) -> list[Path]:
    """Return a separate results folder for each source.

    One source gets ``out`` itself, several get ``out/<name>``; without ``out`` each gets
    ``runs/analyze/<name>``. Sources of the same name get a number.

    Args:
        sources: as ``expand`` returns them.
        out: the folder that the user named, or None.
        accepts: returns whether a folder may hold the results of a source; otherwise the next number is tried.
    """
    if out is not None and len(sources) == 1:
        return [out]
    root = Path("runs/analyze") if out is None else out
    used_names: set[str] = set()
    return [
        root / _unused(source, used_names, lambda candidate, name: accepts(candidate, root / name))
        for source in sources
    ]


def _name(source: str) -> str:
    stem = Path(short_name(source) if "://" in source else Path(source).resolve()).stem
    return "".join(c if c.isalnum() or c in "-_. " else "-" for c in stem).strip(" .-") or "source"


def _unused(source: str, used_names: set[str], accepts: Callable[[str, str], bool]) -> str:
    """Return an unused name, ignoring case: some file systems are case-insensitive."""
    name = _name(source)
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, MAX_FOLDER_NUMBER + len(used_names)))
    unique = next((entry for entry in numbered if entry.casefold() not in used_names and accepts(source, entry)), name)
    used_names.add(unique.casefold())
    return unique


def fingerprint(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies a file and the options of an analysis, to compare with an earlier one."""
    metadata: dict[str, Any] = {}
    with suppress(OSError, SourceError):
        metadata = _mark(source)
    metadata = metadata or {"source": str(Address(source))}
    options = source.merge(options) if isinstance(source, VideoAddress) else options
    return metadata | {name: str(value) for name, value in options.items() if value is not None}


def is_repeatable(source: str) -> bool:
    """Return whether a source is the same whenever it is read: files are, cameras and streams are not."""
    return source.startswith("synthetic:") or "sample" in fingerprint(source, {})


def files_of(source: str) -> list[str]:
    """Return the files that are read of a source: itself, or the images of a folder or pattern."""
    from kinoscope.source.images import find_images, is_image_path

    if in_memory(source):
        return []
    if "://" in source or Path(source).is_file() or not is_image_path(source):
        return [source]
    try:
        return [str(path) for path in find_images(source)]
    except (SourceError, OSError):
        return [source]


def _mark(source: str) -> dict[str, Any]:
    """Return what identifies a file, or the images of a folder or pattern; nothing if it is no file."""
    from kinoscope.source.images import find_images, is_image_path

    if frames := in_memory(source):
        digest = frames.digest()
        return {} if digest is None else {"images": frames.count, "sample": digest}
    path = Path(source)
    if path.is_file():
        stat = path.stat()
        return {"bytes": stat.st_size, "modified": round(stat.st_mtime, 3), "sample": _sample(path, stat.st_size)}
    if "://" in source or not is_image_path(source):
        return {}
    stats = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in find_images(source)]
    return {"images": len(stats), "sample": hashlib.sha256(repr(stats).encode("utf-8", "replace")).hexdigest()}


def _sample(path: Path, size: int) -> str:
    """Return the sha256 of chunks of a file: two recordings of equal length and time differ in some of them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number in range(HASHED_CHUNKS):
            file.seek(max(0, size - CHUNK_BYTES) * number // (HASHED_CHUNKS - 1))
            digest.update(file.read(CHUNK_BYTES))
    return digest.hexdigest()


def is_playable(source: dict[str, Any]) -> bool:
    """Return whether a browser can play the file itself, by its container and codecs."""
    container, codec, audio = (str(source.get(key) or "") for key in ("container", "codec", "audio_codec"))
    if source.get("video_tracks"):  # it would play the default track
        return False
    if source.get("live") or not Path(str(source.get("path", ""))).is_file():
        return False
    mp4 = "mp4" in container and codec in ("h264", "av1", "vp9") and audio in ("", "aac", "mp3", "opus", "flac")
    webm = "webm" in container and codec in ("vp8", "vp9", "av1") and audio in ("", "opus", "vorbis")
    has_suffix = Path(str(source["path"])).suffix.lower() in (".mp4", ".m4v", ".mov", ".webm")
    return has_suffix and (mp4 or webm) and source.get("pixel_format") in ("yuv420p", "yuvj420p")


def link_beside(source: Path, folder: Path) -> str:
    """Link a video into a report's folder without copying it, if possible; return its path relative to the folder."""
    target = folder / f"video{source.suffix.lower()}"
    return target.name if hard_link(source, target) else os.path.relpath(source, folder)
