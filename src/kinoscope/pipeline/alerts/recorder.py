"""Clips of alerts: what was seen some seconds before and after, out of a memory of bounded length."""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from kinoscope.core.errors import KinoscopeError
from kinoscope.core.media import Audio, Frame, FrameBatch, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult, Timeline
from kinoscope.core.validation import slugify
from kinoscope.source.encode.writer import Writer
from kinoscope.tasks.base import Needs, Skip

log = logging.getLogger("kinoscope")

MAX_FRAME_SIDE, FRAME_RATE, JPEG_QUALITY = 1280, 15.0, 85
"""Longer side in pixels, and pictures a second, of clips, and the JPEG quality in which they wait."""
SHARED_CLIP_SECONDS = 1.0
"""Seconds after an alert in which others of its rule have no clip of their own."""
MAX_OPEN_CLIPS = 8
"""Clips that are taken or wait to be written at once; alerts that come faster than that share the latest."""
MAX_CLIP_SECONDS = 60.0
"""Seconds of a clip that alerts share, at most."""
MAX_QUEUED_CLIPS = 8
"""Clips that may wait to be written; of more, the newest are lost, and counted."""
MAX_REMEMBERED_NAMES = 1000
"""Names of clips that are remembered, so that none is given twice."""


@dataclass(frozen=True, slots=True)
class BufferedFrame:
    """A picture that waits: its time in seconds, and its JPEG file."""

    time: float
    jpeg: bytes


@dataclass(slots=True)
class RecordingRequest:
    """A clip in the making: of what rule, when that was met, from when to when, and its pictures so far."""

    path: Path
    name: str
    alert: float
    start: float
    end: float
    pictures: list[BufferedFrame] = field(default_factory=list)


class Recorder:
    """Saves a clip around each alert; one for those of a rule that follow at once upon each other.

    Args:
        folder: where clips go, as ``SECONDS-NAME.mp4``.
        before, after: seconds of them.
        prefix: of their names, so that one watch does not overwrite what another has left.
    """

    name = "recording"

    def __init__(self, folder: Path, before: float = 3.0, after: float = 3.0, prefix: str = "") -> None:
        self._folder, self._before, self._after, self._prefix = folder, before, after, prefix
        self._past: deque[BufferedFrame] = deque()
        self._takes: list[RecordingRequest] = []
        self._names: deque[Path] = deque(maxlen=MAX_REMEMBERED_NAMES)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kinoscope-clips")
        self._writing: list[Future[Path | None]] = []
        self.lost = self._written = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures at a moderate size and rate.

        Raises:
            Skip: there is no picture.
        """
        if not info.width:
            raise Skip("no picture")
        return Needs(sizes=(info.fit(MAX_FRAME_SIDE),), rate=FRAME_RATE, batch=4)

    def want(self, name: str, time: float) -> tuple[Path, float]:
        """Ask for a clip of what is called so at a time in seconds.

        Returns:
            Where it will be, and how many seconds into it that time lies.
        """
        with self._lock:
            take = self._shared(name, time)
            if take is None:
                take = RecordingRequest(self._free(name, time), name, time, time - self._before, time + self._after)
                take.pictures = [one for one in self._past if take.start <= one.time <= take.end]
                self._takes.append(take)
            take.end = max(take.end, time + self._after)
            begin = take.pictures[0].time if take.pictures else take.start
            return take.path, round(max(0.0, time - begin), 3)

    def _shared(self, name: str, time: float) -> RecordingRequest | None:
        """Return the open clip in which an alert lies anyway, or that it shares because there are too many."""
        own = next((take for take in reversed(self._takes) if take.name == name), None)
        if own is not None and time - own.alert < SHARED_CLIP_SECONDS:
            return own
        last = self._takes[-1] if self._takes and len(self._takes) + self._waiting() >= MAX_OPEN_CLIPS else None
        return last if last is not None and time + self._after - last.start <= MAX_CLIP_SECONDS else None

    def _free(self, name: str, time: float) -> Path:
        """Return a path that no clip has yet."""
        stem, count = f"{self._prefix}{time:.1f}-{slugify(name, 'alert')}", 1
        while (path := self._folder / f"{stem}{f'-{count}' if count > 1 else ''}.mp4") in self._names:
            count += 1
        self._names.append(path)
        return path

    def process_frames(self, *batches: FrameBatch) -> None:
        """Keep the next pictures, and have finished clips written."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            self._keep(BufferedFrame(time, bytes(data)))

    def process_audio(self, audio: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Write the clips that are still open."""
        with self._lock:
            takes, self._takes = self._takes, []
        for take in takes:
            self._write(take)
        self._pool.shutdown()
        extra = {"clips": self._written + sum(one.result() is not None for one in self._writing), "lost": self.lost}
        return TaskResult(report=TaskReport(extra=extra))

    def _keep(self, picture: BufferedFrame) -> None:
        with self._lock:
            self._past.append(picture)
            # An alert may be told some time after the picture that raised it.
            while picture.time - self._past[0].time > self._before + self._after + 2:
                self._past.popleft()
            for take in self._takes:
                if take.start <= picture.time <= take.end:
                    take.pictures.append(picture)
            done = [take for take in self._takes if picture.time > take.end]
            self._takes = [take for take in self._takes if picture.time <= take.end]
        for take in done:
            self._write(take)

    def _waiting(self) -> int:
        return sum(not one.done() for one in list(self._writing))

    def _write(self, take: RecordingRequest) -> None:
        if not take.pictures:
            return
        if self._waiting() >= MAX_QUEUED_CLIPS:
            self.lost += 1
            return
        self._written += sum(one.done() and one.result() is not None for one in self._writing)
        self._writing = [one for one in self._writing if not one.done()]
        self._writing.append(self._pool.submit(write_clip, take))


def write_clip(take: RecordingRequest) -> Path | None:
    """Write a clip; give where, or None if it could not be written."""
    first = _decode(take.pictures[0])
    zero = Fraction(take.pictures[0].time).limit_denominator(1_000_000)
    try:
        with Writer(take.path, size=(first.shape[1], first.shape[0]), rate=FRAME_RATE) as writer:
            for number, picture in enumerate(take.pictures):
                time = Fraction(picture.time).limit_denominator(1_000_000) - zero
                writer.write(Frame(_decode(picture), time, number))
    except KinoscopeError as error:
        log.warning("%s", error)
        return None
    return take.path


def _decode(picture: BufferedFrame) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.ascontiguousarray(pixels[:, :, ::-1])
