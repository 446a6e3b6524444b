"""Clips of live pictures: the last seconds are always at hand, and are written when an alert comes.

Pictures are held as JPEG, so that memory is bounded and small; clips are encoded in a thread of their own, behind a
bounded queue: whatever writing costs, the pictures go on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from queue import Full, Queue

import cv2
import numpy as np

from kinoscope.alerts.clips import AROUND, LONGEST, name_of, told
from kinoscope.core.errors import KinoscopeError
from kinoscope.core.media import Frame, FrameBatch, Sound, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.source.writer import Writer
from kinoscope.tasks.base import Needs, Skip

log = logging.getLogger("kinoscope")

RATE, LARGE, QUALITY = 15.0, 1280, 85
"""Pictures kept each second, pixels of their longer side at most, and the JPEG quality in which they wait."""

SLACK = 3.0
"""Seconds by which an alert may come after its picture."""

HELD_BYTES = 64_000_000
"""Bytes of pictures that are held for clips to come, at most; the oldest give way."""

QUEUED = 400
"""Pictures that may wait to be written; further ones are lost, and counted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture as it waits: its time in seconds, and its JPEG."""

    time: Fraction
    jpeg: bytes


@dataclass(slots=True)
class Clip:
    """A clip that is being taken: its file, from when to when, and the first second that it could ever have."""

    name: str
    start: float
    end: float
    begun: bool = False


class Recorder:
    """A task that keeps the last pictures, and writes them with those that follow when :meth:`alert` is called.

    Args:
        folder: where the clips go.
        before, after: seconds kept before and after an alert.
        prefix: of the file names.
        rate, large, held: see ``RATE``, ``LARGE`` and ``HELD_BYTES``.
    """

    name = "clips"

    def __init__(
        self,
        folder: Path,
        before: float = AROUND,
        after: float = AROUND,
        prefix: str = "",
        rate: float = RATE,
        large: int = LARGE,
        held: int = HELD_BYTES,
    ) -> None:
        self._folder, self._before, self._after, self._prefix = folder, before, after, prefix
        self._rate, self._large, self._most = rate, large, held
        self._ring: deque[Kept] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._open: Clip | None = None
        self._writing = _Writing(folder)

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures to keep."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        return Needs((info.fit(self._large),), self._rate, batch=1)

    def listen(self, sound: Sound) -> None:
        """Not called: no sound is asked for."""

    def alert(self, event: Event) -> str:
        """Have the seconds around an event written; returns at once, with the name of the clip.

        A clip that is being taken is made longer instead, if it does not get too long.
        """
        start, end = told(event) - self._before, told(event) + self._after
        with self._lock:
            clip = self._open
            if clip is not None and start <= clip.end and end - clip.start <= LONGEST:
                clip.end = max(clip.end, end)
            else:
                self._finish()
                clip = self._open = Clip(self._writing.unused(name_of(event, self._prefix)), start, end)
            self._advance()
            return clip.name

    def step(self, *batches: FrameBatch) -> None:
        """Keep the next pictures, and hand them to the clip that is being taken."""
        for frame in batches[0]:
            done, jpeg = cv2.imencode(".jpg", frame.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            if not done:
                continue
            kept = Kept(frame.time, jpeg.tobytes())
            with self._lock:
                self._keep(kept)
                self._advance(kept)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Write what was begun to its end."""
        with self._lock:
            self._finish()
        self._writing.close()
        extra = {"clips": self._writing.written, "lost": self._writing.lost}
        return TaskResult(report=TaskReport(runtime="jpeg", extra=extra))

    def _keep(self, kept: Kept) -> None:
        self._ring.append(kept)
        self._bytes += len(kept.jpeg)
        oldest = float(kept.time) - self._before - SLACK
        while self._ring and (self._bytes > self._most or self._ring[0].time < oldest):
            self._bytes -= len(self._ring.popleft().jpeg)

    def _advance(self, latest: Kept | None = None) -> None:
        """Hand what is new of the pictures to the clip that is being taken, and end it when it is full."""
        clip = self._open
        if clip is None:
            return
        fresh = list(self._ring) if not clip.begun else [latest] if latest else []
        for kept in fresh:
            if clip.start <= kept.time <= clip.end:
                self._writing.put(clip.name, kept)
        clip.begun = True
        if self._ring and self._ring[-1].time > clip.end:
            self._finish()

    def _finish(self) -> None:
        if self._open is not None:
            self._writing.put(self._open.name, None)
        self._open = None


class _Writing:
    """Writes clips, one after another, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue: Queue[tuple[str, Kept | None] | None] = Queue(QUEUED)
        self._names: deque[str] = deque(maxlen=QUEUED)  # some of them are not on the disk yet
        self.lost = self.written = 0
        self._writer: Writer | None = None
        self._name = ""
        self._thread = threading.Thread(target=self._work, name="kinoscope-clips", daemon=True)
        self._thread.start()

    def unused(self, name: str) -> str:
        """Give the name, with a number if there is such a clip already."""
        stem, number = name.removesuffix(".mp4"), 1
        while name in self._names or (self._folder / name).exists():
            number += 1
            name = f"{stem}-{number}.mp4"
        self._names.append(name)
        return name

    def put(self, name: str, kept: Kept | None) -> None:
        """Take a picture of the clip ``name``, or its end."""
        try:
            self._queue.put_nowait((name, kept))
        except Full:
            self.lost += 1

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._do(*item)
        self._end()

    def _do(self, name: str, kept: Kept | None) -> None:
        """Write a picture, or end a clip; one that cannot be written is told and left out."""
        try:
            if kept is None or name != self._name:
                self._end()
            if kept is not None:
                frame = _decode(kept)
                if self._writer is None:
                    self._name, self._writer = name, Writer(self._folder / name, size=frame.size, rate=RATE)
                self._writer.write(frame)
        except KinoscopeError as error:
            self._writer = None
            self.lost += 1
            log.error("%s", error)

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self.written += 1


def _decode(kept: Kept) -> Frame:
    pixels = cv2.imdecode(np.frombuffer(kept.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return Frame(np.ascontiguousarray(pixels[..., ::-1]).astype(np.uint8, copy=False), kept.time)
