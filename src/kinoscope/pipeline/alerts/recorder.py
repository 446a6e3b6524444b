"""Recorder of alert clips of live video: the seconds before and after, from a buffer of bounded length."""

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
from kinoscope.core.media import Frame, FrameBatch, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult
from kinoscope.core.validation import slugify
from kinoscope.source.encode.writer import Writer
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.views.timeline import Timeline

log = logging.getLogger("kinoscope")

MAX_FRAME_SIDE, FRAME_RATE, JPEG_QUALITY = 1280, 15.0, 85
"""Longer side in pixels and frames per second of clips, and the JPEG quality of buffered frames."""
SHARED_CLIP_SECONDS = 1.0
"""Seconds after an alert in which others of its rule have no clip of their own."""
MAX_OPEN_CLIPS = 8
"""Clips that are recorded or queued at once; alerts in excess share the latest one."""
MAX_CLIP_SECONDS = 60.0
"""Maximum seconds of a clip that alerts share."""
MAX_QUEUED_CLIPS = 8
"""Clips in the queue to be written; in excess, the newest are lost, and counted."""
MAX_REMEMBERED_NAMES = 1000
"""Names of clips that are remembered, so that none is used twice."""


@dataclass(frozen=True, slots=True)
class BufferedFrame:
    """A buffered frame: its time in seconds, and its JPEG file."""

    time: float
    jpeg: bytes


@dataclass(slots=True)
class RecordingRequest:
    """A clip being recorded: its rule's name, alert time, start and end in seconds, and its frames so far."""

    path: Path
    name: str
    alert: float
    start: float
    end: float
    frames: list[BufferedFrame] = field(default_factory=list)


class Recorder(Task):
    """Task that saves a clip around each alert; alerts of a rule in quick succession share one.

    Args:
        folder: of the clips, named ``SECONDS-NAME.mp4``.
        before, after: seconds before and after an alert.
        prefix: of their names, so that one watch does not overwrite the clips of another.
    """

    name = "recording"

    def __init__(self, folder: Path, before: float = 3.0, after: float = 3.0, prefix: str = "") -> None:
        super().__init__()
        self._folder, self._before, self._after, self._prefix = folder, before, after, prefix
        self._buffer: deque[BufferedFrame] = deque()
        self._requests: list[RecordingRequest] = []
        self._names: deque[Path] = deque(maxlen=MAX_REMEMBERED_NAMES)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kinoscope-clips")
        self._writing: list[Future[Path | None]] = []
        self.lost = self._written = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Request frames at a moderate size and rate.

        Raises:
            Skip: there is no video.
        """
        if not info.width:
            raise Skip("no video")
        return Needs(sizes=(info.fit(MAX_FRAME_SIDE),), rate=FRAME_RATE, batch=4)

    def request_clip(self, name: str, time: float) -> tuple[Path, float]:
        """Request a clip of an alert of that name, at ``time`` in seconds.

        Returns:
            Its path, and the position of the alert in it in seconds.
        """
        with self._lock:
            request = self._shared_request(name, time)
            if request is None:
                request = RecordingRequest(
                    self._unused_path(name, time), name, time, time - self._before, time + self._after
                )
                request.frames = [frame for frame in self._buffer if request.start <= frame.time <= request.end]
                self._requests.append(request)
            request.end = max(request.end, time + self._after)
            begin = request.frames[0].time if request.frames else request.start
            return request.path, round(max(0.0, time - begin), 3)

    def _shared_request(self, name: str, time: float) -> RecordingRequest | None:
        """Return the open clip that contains an alert anyway, or that it shares because there are too many."""
        own_request = next((request for request in reversed(self._requests) if request.name == name), None)
        if own_request is not None and time - own_request.alert < SHARED_CLIP_SECONDS:
            return own_request
        last = (
            self._requests[-1]
            if self._requests and len(self._requests) + self._queued_count() >= MAX_OPEN_CLIPS
            else None
        )
        return last if last is not None and time + self._after - last.start <= MAX_CLIP_SECONDS else None

    def _unused_path(self, name: str, time: float) -> Path:
        """Return a path that no clip has."""
        stem, count = f"{self._prefix}{time:.1f}-{slugify(name, 'alert')}", 1
        while (path := self._folder / f"{stem}{f'-{count}' if count > 1 else ''}.mp4") in self._names:
            count += 1
        self._names.append(path)
        return path

    def process_frames(self, *batches: FrameBatch) -> None:
        """Buffer the next frames, and queue finished clips for writing."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            self._buffer_frame(BufferedFrame(time, bytes(data)))

    def finish(self, timeline: Timeline) -> TaskResult:
        """Write the clips that are still open."""
        with self._lock:
            requests, self._requests = self._requests, []
        for request in requests:
            self._write(request)
        self._pool.shutdown()
        extra = {
            "clips": self._written + sum(future.result() is not None for future in self._writing),
            "lost": self.lost,
        }
        return TaskResult(report=TaskReport(extra=extra))

    def _buffer_frame(self, frame: BufferedFrame) -> None:
        with self._lock:
            self._buffer.append(frame)
            # An alert may be reported some time after its frame.
            while frame.time - self._buffer[0].time > self._before + self._after + 2:
                self._buffer.popleft()
            for request in self._requests:
                if request.start <= frame.time <= request.end:
                    request.frames.append(frame)
            finished = [request for request in self._requests if frame.time > request.end]
            self._requests = [request for request in self._requests if frame.time <= request.end]
        for request in finished:
            self._write(request)

    def _queued_count(self) -> int:
        return sum(not future.done() for future in list(self._writing))

    def _write(self, request: RecordingRequest) -> None:
        if not request.frames:
            return
        if self._queued_count() >= MAX_QUEUED_CLIPS:
            self.lost += 1
            return
        self._written += sum(future.done() and future.result() is not None for future in self._writing)
        self._writing = [future for future in self._writing if not future.done()]
        self._writing.append(self._pool.submit(write_clip, request))


def write_clip(request: RecordingRequest) -> Path | None:
    """Write a clip; return its path, or None if it could not be written."""
    first_frame = _decode(request.frames[0])
    zero = Fraction(request.frames[0].time).limit_denominator(1_000_000)
    try:
        with Writer(request.path, size=(first_frame.shape[1], first_frame.shape[0]), rate=FRAME_RATE) as writer:
            for number, frame in enumerate(request.frames):
                time = Fraction(frame.time).limit_denominator(1_000_000) - zero
                writer.write(Frame(_decode(frame), time, number))
    except KinoscopeError as error:
        log.warning("%s", error)
        return None
    return request.path


def _decode(frame: BufferedFrame) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.ascontiguousarray(pixels[:, :, ::-1])
