"""Cache of decoded frames on disk, as small uint8 arrays.

Training reads the same clips again and again, and decoding a video costs far more than reading an array. So what can be
sampled from a clip is decoded once: frames of about the network's size, a few per second, each with its own
presentation time. They are memory-mapped arrays in ``frames`` of the cache (see ``kinoscope.models.store``), one file
for each segment of video, named by a hash of everything that it depends on.
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
"""From the extent [first, end) of a video to the (T,) times of a clip; all in seconds."""

OVERSAMPLING = 2
"""Frames cached for each one that a clip takes: clips begin at any of them, and may be played slower."""

MAX_CACHE_BYTES = 20 * 2**30
"""Maximum size of the cache."""

MIN_FREE_BYTES = 2 * 2**30
"""Minimum space that the cache leaves free on the disk."""

MAX_SEGMENT_BYTES = 2**28
"""Maximum size of a cached segment; of larger ones, only the requested clip is decoded, and not cached."""

MAX_FRAME_SECONDS = 1.0
"""Seconds before a clip at which decoding begins, so that the frame on screen at its start is decoded."""

DEFAULT_RATE = 25
"""Frames per second of a video that does not declare its rate."""

_TOLERANCE = 1e-6  # seconds, as in ``nearest_frames``


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrames:
    """Decoded frames of a segment of video.

    Attributes:
        pixels: (F, H, W, 3) uint8.
        times: (F,) presentation times in seconds.
        end: end of the last frame in seconds.
    """

    pixels: Pixels
    times: Float64Array
    end: float

    @property
    def first(self) -> float:
        """Time of the first frame in seconds."""
        return float(self.times[0])

    def at(self, times_wanted: Float64Array) -> Pixels:
        """Return the (T, H, W, 3) frames on screen at (T,) times; a short segment is played forwards and backwards."""
        return np.ascontiguousarray(
            self.pixels[nearest_frames(self.times, reflect_times(times_wanted, self.first, self.end))]
        )


def decode(source: Source, size: Size, rate: float, end: float | None = None) -> DecodedFrames:
    """Decode the frames on screen at a source's start and every 1 / ``rate`` seconds after.

    Args:
        source: an open one, limited to the segment.
        size: (width, height) of the frames.
        end: of the segment in seconds, if it ends before the video.

    Raises:
        SourceError: there is no frame.
    """
    frames, pixels = [], []
    for frame in sampled(source.lazy_frames(), rate):
        frames.append(frame)
        pixels.append(frame.pixels(size))
    if not frames:
        raise SourceError(f"{source.info.path} has no frame that can be decoded between its start and end")
    times = np.array([float(frame.time) for frame in frames])
    last = float(frames[-1].time + (frames[-1].duration or 1 / (source.info.rate or DEFAULT_RATE)))
    return DecodedFrames(np.stack(pixels), times, last if end is None else max(min(last, end), times[-1] + _TOLERANCE))


def sampled(frames: Iterable[LazyFrame], rate: float) -> Iterator[LazyFrame]:
    """Yield the frames on screen at the time of the first one and every 1 / ``rate`` seconds after; and the last."""
    previous: LazyFrame | None = None
    origin = 0.0
    for frame in frames:
        if previous is None:
            origin = float(frame.time)
        elif _on_grid(float(previous.time) - origin, float(frame.time) - origin, rate):
            yield previous
        previous = frame
    if previous is not None:
        yield previous


def _on_grid(begins: float, ends: float, rate: float) -> bool:
    """Return whether a multiple of 1 / ``rate`` lies in [begins, ends)."""
    return math.ceil((begins - _TOLERANCE) * rate) / rate + _TOLERANCE < ends


@contextmanager
def opened(path: str, start: float | None = None, end: float | None = None) -> Iterator[Source]:
    """Open a clip: a video, a strip or a folder of frames, limited to [start, end) seconds.

    Raises:
        SourceError: it cannot be opened or, inside the block, not be read.
    """
    import av

    from kinoscope.source import open_clip
    from kinoscope.source.frames import in_memory

    try:
        if not in_memory(path) and not os.path.lexists(path):  # it could be read as a pattern of names
            raise SourceError(f"{path} does not exist; check the path")
        first, last = (None if time is None else float(time) for time in (start, end))
        with open_clip(path, first, last) as source:
            if not source.info.width:
                raise SourceError(f"{path} has audio but no video; give a video")
            yield source
    except (OSError, av.FFmpegError) as error:
        raise SourceError(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from None


class FrameCache:
    """Reader of clips' frames, from the cache where possible.

    A segment that would be too large is decoded clip by clip; if the cache is full, or cannot be written, segments are
    decoded again each time. To make room, what no run has used since this one began is removed.

    Args:
        sampling: of the clips.
        margin: size of the cached frames relative to the network's input, up to their own size; 1 caches exactly the
            network's size.
        cache: whether to use the disk at all.
        max_bytes: of the cache.
    """

    def __init__(
        self, sampling: Sampling, margin: float = 1.0, cache: bool = True, max_bytes: int = MAX_CACHE_BYTES
    ) -> None:
        self.rate = OVERSAMPLING * sampling.rate
        self.folder = store.cache_folder() / "frames"
        self._size, self._margin = sampling.size, margin
        self._enabled, self._max_bytes, self._started = cache, max_bytes, time.time()
        self._paths: dict[Example, Path] = {}
        self._used_bytes: int | None = None
        self._lock = threading.Lock()

    def clip(self, example: Example, choose: Choose) -> tuple[Pixels, Float64Array]:
        """Return the (T, H, W, 3) frames at the (T,) times in seconds that ``choose`` returns, and those times.

        Raises:
            SourceError: the example cannot be decoded.
        """
        path = self._path(example)
        segment = load(path) if self._enabled else None
        if segment is None:
            with opened(example.path, example.start, example.end) as source:
                span = extent(source, example)
                if self._bytes(source, span) > MAX_SEGMENT_BYTES:
                    return self._window(example, span, choose(*span))
                segment = decode(source, self.size(source.info.size), self.rate, example.end)
            self._save(path, segment)
        times_wanted = choose(segment.first, segment.end)
        return segment.at(times_wanted), times_wanted

    def size(self, own: Size) -> Size:
        """Return the (width, height) in which frames of size ``own`` are cached."""
        if self._margin == 1:
            return self._size
        width, height = (min(side, round(self._margin * net)) for side, net in zip(own, self._size, strict=True))
        return width, height

    def _bytes(self, source: Source, span: tuple[float, float]) -> float:
        width, height = self.size(source.info.size)
        return (span[1] - span[0]) * self.rate * width * height * 3

    def _window(
        self, example: Example, span: tuple[float, float], times_wanted: Float64Array
    ) -> tuple[Pixels, Float64Array]:
        """Decode a single clip."""
        times = reflect_times(times_wanted, *span)
        order = np.argsort(times)
        # The frame on screen at the first moment began before it.
        start = max(span[0], times.min() - MAX_FRAME_SECONDS)
        with opened(example.path, start, example.end) as source:
            size = self.size(source.info.size)
            moments = (Fraction(moment + _TOLERANCE) for moment in times[order])
            frames = [frame.pixels(size) for frame in source.at(moments)]
        if not frames:
            raise SourceError(f"{example.path} has no frame from {start:g} s on; its declared length may be wrong")
        return np.stack(frames)[np.argsort(order)], times_wanted

    def _path(self, example: Example) -> Path:
        if example not in self._paths:
            key = [1, *_stamp(example.path), example.start, example.end, self.rate, self._size, self._margin]
            digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
            self._paths[example] = self.folder / digest[:2] / f"{digest}.frames"
        return self._paths[example]

    def _save(self, path: Path, segment: DecodedFrames) -> None:
        if not self._enabled:
            return
        try:
            if self._make_room(segment.pixels.nbytes):
                save(path, segment)
        except (OutputError, OSError) as error:
            log.warning("decoded frames are not cached: %s", error)
            self._enabled = False

    def _make_room(self, times_wanted: int) -> bool:
        """Reserve bytes if they fit, after removing old segments."""
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._used_bytes is None:
                self._used_bytes = sum(size for _, size, _ in _files(self.folder))
            if not self._fits(times_wanted):
                self._remove_old(times_wanted)
            if fits := self._fits(times_wanted):
                self._used_bytes += times_wanted
            return fits

    def _fits(self, times_wanted: int) -> bool:
        free = shutil.disk_usage(self.folder).free
        return (self._used_bytes or 0) + times_wanted <= self._max_bytes and times_wanted + MIN_FREE_BYTES <= free

    def _remove_old(self, times_wanted: int) -> None:
        for last_used, size, path in sorted(_files(self.folder)):
            if last_used >= self._started or self._fits(times_wanted):
                return
            with suppress(OSError):
                path.unlink()
                self._used_bytes = (self._used_bytes or 0) - size


def extent(source: Source, example: Example) -> tuple[float, float]:
    """Return the start and the end of an example in seconds, as its container declares; nothing is decoded."""
    first, end = float(source.info.start), float(source.info.start + (source.info.duration or 0))
    return max(first, example.start or first), end if example.end is None else min(end, example.end)


def _stamp(path: str) -> tuple[str, list[tuple[str, int, int]]]:
    """Return names, bytes and modification times of a file, or of those in a folder, to detect changes."""
    absolute = Path(path).absolute()
    try:
        entries = sorted(absolute.iterdir()) if absolute.is_dir() else [absolute]
        stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error.strerror or error}; check the path") from None
    return str(absolute), [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Return the cached files: time of last use, bytes, path."""
    files = []
    for path in folder.glob("*/*.frames"):
        with suppress(OSError):  # another run has just removed it
            stat = path.stat()
            files.append((stat.st_mtime, stat.st_size, path))
    return files


def save(path: Path, segment: DecodedFrames) -> None:
    """Write a segment: F, H and W as int64, the F times and the end as float64, then the pixels.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path, sync=False, listed=False) as temporary, temporary.open("wb") as file:
        file.write(np.array(segment.pixels.shape[:3], np.int64).tobytes())
        file.write(np.append(segment.times, segment.end).tobytes())
        file.write(np.ascontiguousarray(segment.pixels).data)


def load(path: Path) -> DecodedFrames | None:
    """Map a segment into memory and mark it as used; return None if there is none, or it is not readable."""
    # Not NumPy's own format: its header is Python text, and CPython 3.11 must not parse that in two threads at once.
    try:
        with path.open("rb") as file:
            frames, height, width = np.frombuffer(file.read(24), np.int64).tolist()
            boundaries = np.frombuffer(file.read(8 * (frames + 1)), np.float64)
            pixels = np.memmap(path, np.uint8, "r", file.tell(), (frames, height, width, 3))
        os.utime(path)
        return DecodedFrames(np.asarray(pixels), boundaries[:-1], float(boundaries[-1]))
    except (OSError, ValueError):
        return None
