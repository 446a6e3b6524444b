"""Names of the sources of a call: paths, videos as objects, and frames in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kinoscope.core.addresses import Address
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.source.frames import is_array
from kinoscope.source.video_object import Video

SourceObject = str | Path | Video | NDArray[Any] | Iterable[NDArray[Any]]
"""One source: a path, a URL or a device; a Video; an array of frames (T, H, W, 3), or an iterable of (H, W, 3)."""


def name_of(source: Any) -> Address:
    """Return the name of a source, which ``open_source`` opens.

    Raises:
        SourceError: it is an array of another type or shape, or no source at all, or its path cannot be one.
    """
    if isinstance(source, Video):
        return source.address
    if isinstance(source, str | os.PathLike):
        if "\0" in os.fspath(source):
            raise SourceError(f"path {os.fspath(source)!r} contains a null character, which no file name has")
        return Address(source)
    return Video.from_frames(source).address


def name_sources(sources: Any) -> tuple[list[Address], bool]:
    """Return the names of the sources of a call, and whether they are one alone, not a list.

    An iterable whose items are frames is one source; of an iterator only the first item is read for that.

    Raises:
        OptionError: it is neither a source nor an iterable.
        SourceError: an array has another type or shape.
    """
    if isinstance(sources, str | os.PathLike | Video) or is_array(sources):
        return [name_of(sources)], True
    if not isinstance(sources, Iterable):
        raise OptionError(f"{type(sources).__name__} is no source; give a path, a Video, frames or a list of them")
    items = iter(sources)
    first = list(islice(items, 1))
    if not first or _is_source(first[0]):
        return [name_of(source) for source in chain(first, items)], False
    return [name_of(chain(first, items) if isinstance(sources, Iterator) else sources)], True


def _is_source(item: Any) -> bool:
    """Return whether an item of a list is a source: a path, a Video, or several frames; not one frame."""
    if is_array(item):
        return getattr(item, "ndim", 0) > 3
    return isinstance(item, str | os.PathLike | Video | Iterable)
