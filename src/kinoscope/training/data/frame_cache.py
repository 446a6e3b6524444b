"""The pictures of clips, decoded once and kept on disk as small uint8 arrays.

Training looks at the same clips again and again, and decoding a video costs far more than looking at it. So what can be
asked of a clip is decoded once: pictures of about the network's size, a few a second, each with its own presentation
time. They lie as memory-mapped arrays in ``frames`` of the cache (see ``kinoscope.models.store``), one file for each
stretch of video, under a name made of everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import OutputError, SourceError
from kinoscope.core.files import atomic_write
from kinoscope.core.media import Pixels, Size
from kinoscope.core.sampling import Sampling, nearest_frames
from kinoscope.imaging.reflect_time import reflect_times
from kinoscope.models import store
from kinoscope.training.data.dataset import Example

if TYPE_CHECKING:
    from kinoscope.source.base import LazyFrame, Source

log = logging.getLogger("kinoscope")

Choose = Callable[[float, float], Float64Array]
"""Gives the (T,) wanted times of a clip in a video that lies in [first, end); all in seconds."""

OVERSAMPLING = 2
"""Pictures kept for each one that a clip takes: clips begin at any of them, and may be played slower."""

LIMIT = 20 * 2**30
"""Bytes that the cache may take."""

SPARE = 2 * 2**30
"""Bytes of the disk that the cache leaves free."""

LARGEST = 2**28
"""Bytes of one stretch from which it is not kept, nor decoded as a whole: only the clip in question is."""

LONGEST_SHOWN = 1.0
"""Seconds before a clip at which decoding begins, so that the picture on screen at its start is among them."""

USUAL_RATE = 25
"""Pictures a second of a video that does not say."""

_TOLERANCE = 1e-6  # seconds, as in ``nearest_frames``


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrames:
    """Decoded pictures of a stretch of video.

    Attributes:
        pixels: (F, H, W, 3) uint8.
        times: (F,) presentation times in seconds.
        end: when the last picture leaves the screen, in seconds.
    """

    pixels: Pixels
    times: Float64Array
    end: float

    @property
    def first(self) -> float:
        """Time of the first picture in seconds."""
        return float(self.times[0])

    def at(self, wanted: Float64Array) -> Pixels:
        """Give the (T, H, W, 3) pictures on screen at (T,) times; a short stretch is played to and fro."""
        return np.ascontiguousarray(
            self.pixels[nearest_frames(self.times, reflect_times(wanted, self.first, self.end))]
        )


def decode(source: Source, size: Size, rate: float, end: float | None = None) -> DecodedFrames:
    """Decode the pictures that are on screen at a source's first moment and every 1 / ``rate`` seconds after.

    Args:
        source: an open one, limited to the stretch that counts.
        size: (width, height) of the pictures.
        end: of the stretch in seconds, where it does not reach to the end of the video.

    Raises:
        SourceError: there is no picture.
    """
    kept, frames = [], []
    for picture in sampled(source.lazy_frames(), rate):
        kept.append(picture)
        frames.append(picture.pixels(size))
    if not kept:
        raise SourceError(f"{source.info.path} has no picture that can be decoded in the asked stretch")
    times = np.array([float(picture.time) for picture in kept])
    close = float(kept[-1].time + (kept[-1].duration or 1 / (source.info.rate or USUAL_RATE)))
    return DecodedFrames(
        np.stack(frames), times, close if end is None else max(min(close, end), times[-1] + _TOLERANCE)
    )


def sampled(pictures: Iterable[LazyFrame], rate: float) -> Iterator[LazyFrame]:
    """Yield the pictures on screen at the time of the first one and every 1 / ``rate`` seconds after; and the last."""
    shown: LazyFrame | None = None
    origin = 0.0
    for picture in pictures:
        if shown is None:
            origin = float(picture.time)
        elif _on_grid(float(shown.time) - origin, float(picture.time) - origin, rate):
            yield shown
        shown = picture
    if shown is not None:
        yield shown


def _on_grid(begins: float, ends: float, rate: float) -> bool:
    """Tell whether a multiple of 1 / ``rate`` lies in [begins, ends)."""
    return math.ceil((begins - _TOLERANCE) * rate) / rate + _TOLERANCE < ends


@contextmanager
def opened(path: str, start: float | None = None, end: float | None = None) -> Iterator[Source]:
    """Open a clip to be read: a video, a strip or a folder of frames, of which only [start, end) seconds are given.

    Raises:
        SourceError: it cannot be opened or, inside the block, not be read.
    """
    import av

    from kinoscope.source import open_clip

    try:
        if not os.path.lexists(path):  # it could be read as a pattern of names, which is no clip
            raise SourceError(f"{path} does not exist; check the path")
        first, last = (None if limit is None else float(limit) for limit in (start, end))
        with open_clip(path, first, last) as source:
            if not source.info.width:
                raise SourceError(f"{path} has sound but no picture; give a video")
            yield source
    except (OSError, av.FFmpegError) as error:
        raise SourceError(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from None


class FrameCache:
    """Gives the pictures of clips, from the cache where that pays.

    A stretch that would be too large is decoded clip by clip; if the cache is full, or cannot be written, stretches are
    decoded anew each time. To make room, what no run has used since this one began is removed.

    Args:
        sampling: the clips that will be taken.
        margin: how many times larger than the network's pictures they are kept, at most as large as they come; 1 keeps
            exactly the network's size.
        cache: whether to use the disk at all.
        limit: bytes that the cache may take.
    """

    def __init__(self, sampling: Sampling, margin: float = 1.0, cache: bool = True, limit: int = LIMIT) -> None:
        self.rate = OVERSAMPLING * sampling.rate
        self.folder = store.cache_folder() / "frames"
        self._size, self._margin = sampling.size, margin
        self._caches, self._limit, self._born = cache, limit, time.time()
        self._places: dict[Example, Path] = {}
        self._used: int | None = None
        self._lock = threading.Lock()

    def clip(self, example: Example, choose: Choose) -> tuple[Pixels, Float64Array]:
        """Give the (T, H, W, 3) pictures at the (T,) times in seconds that ``choose`` asks for, and those times.

        Raises:
            SourceError: the example cannot be decoded.
        """
        place = self._place(example)
        stretch = load(place) if self._caches else None
        if stretch is None:
            with opened(example.path, example.start, example.end) as source:
                span = extent(source, example)
                if self._bytes(source, span) > LARGEST:
                    return self._window(example, span, choose(*span))
                stretch = decode(source, self.size(source.info.size), self.rate, example.end)
            self._keep(place, stretch)
        wanted = choose(stretch.first, stretch.end)
        return stretch.at(wanted), wanted

    def size(self, own: Size) -> Size:
        """Give the (width, height) in which pictures of size ``own`` are kept."""
        if self._margin == 1:
            return self._size
        width, height = (min(side, round(self._margin * net)) for side, net in zip(own, self._size, strict=True))
        return width, height

    def _bytes(self, source: Source, span: tuple[float, float]) -> float:
        width, height = self.size(source.info.size)
        return (span[1] - span[0]) * self.rate * width * height * 3

    def _window(self, example: Example, span: tuple[float, float], wanted: Float64Array) -> tuple[Pixels, Float64Array]:
        """Decode nothing but one clip."""
        times = reflect_times(wanted, *span)
        order = np.argsort(times)
        # The picture on screen at the first moment began before it.
        start = max(span[0], times.min() - LONGEST_SHOWN)
        with opened(example.path, start, example.end) as source:
            size = self.size(source.info.size)
            moments = (Fraction(moment + _TOLERANCE) for moment in times[order])
            pictures = [picture.pixels(size) for picture in source.at(moments)]
        if not pictures:
            raise SourceError(f"{example.path} has no picture from {start:g} s on; its declared length may be wrong")
        return np.stack(pictures)[np.argsort(order)], wanted

    def _place(self, example: Example) -> Path:
        if example not in self._places:
            key = [1, *_stamp(example.path), example.start, example.end, self.rate, self._size, self._margin]
            digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
            self._places[example] = self.folder / digest[:2] / f"{digest}.frames"
        return self._places[example]

    def _keep(self, place: Path, stretch: DecodedFrames) -> None:
        if not self._caches:
            return
        try:
            if self._make_room(stretch.pixels.nbytes):
                save(place, stretch)
        except (OutputError, OSError) as error:
            log.warning("decoded frames are not kept: %s", error)
            self._caches = False

    def _make_room(self, wanted: int) -> bool:
        """Count ``wanted`` bytes as used if they fit, once what is old is removed."""
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._used is None:
                self._used = sum(size for _, size, _ in _files(self.folder))
            if not self._fits(wanted):
                self._remove_old(wanted)
            if fits := self._fits(wanted):
                self._used += wanted
            return fits

    def _fits(self, wanted: int) -> bool:
        free = shutil.disk_usage(self.folder).free
        return (self._used or 0) + wanted <= self._limit and wanted + SPARE <= free

    def _remove_old(self, wanted: int) -> None:
        for used, size, path in sorted(_files(self.folder)):
            if used >= self._born or self._fits(wanted):
                return
            with suppress(OSError):
                path.unlink()
                self._used = (self._used or 0) - size


def extent(source: Source, example: Example) -> tuple[float, float]:
    """Give when the stretch of an example begins and ends, in seconds, as its container says; nothing is decoded."""
    first, end = float(source.info.start), float(source.info.start + (source.info.duration or 0))
    return max(first, example.start or first), end if example.end is None else min(end, example.end)


def _stamp(path: str) -> tuple[str, list[tuple[str, int, int]]]:
    """Give what tells that a file, or those in a folder, are as they were: names, bytes and times of change."""
    place = Path(path).absolute()
    try:
        entries = sorted(place.iterdir()) if place.is_dir() else [place]
        stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror or error}; check the path") from None
    return str(place), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """List what the cache holds: when it was used last, bytes, path."""
    found = []
    for path in folder.glob("*/*.frames"):
        with suppress(OSError):  # another run has just removed it
            stat = path.stat()
            found.append((stat.st_mtime, stat.st_size, path))
    return found


def save(path: Path, stretch: DecodedFrames) -> None:
    """Write a stretch: F, H and W as int64, the F times and the end as float64, then the pixels, all as they are.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path, sync=False, listed=False) as temporary, temporary.open("wb") as file:
        file.write(np.array(stretch.pixels.shape[:3], np.int64).tobytes())
        file.write(np.append(stretch.times, stretch.end).tobytes())
        file.write(np.ascontiguousarray(stretch.pixels).data)


def load(path: Path) -> DecodedFrames | None:
    """Map a stretch into memory and mark it as used, or give None where there is none, or a broken one."""
    # Not NumPy's own format: its head is Python text, and CPython 3.11 must not parse that in two threads at once.
    try:
        with path.open("rb") as file:
            frames, height, width = np.frombuffer(file.read(24), np.int64).tolist()
            edges = np.frombuffer(file.read(8 * (frames + 1)), np.float64)
            pixels = np.memmap(path, np.uint8, "r", file.tell(), (frames, height, width, 3))
        os.utime(path)
        return DecodedFrames(np.asarray(pixels), edges[:-1], float(edges[-1]))
    except (OSError, ValueError):
        return None
