"""A small h264 copy of the video for the report, written during the analysis, if a browser cannot play the source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.media import Frame, FrameBatch, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult
from kinoscope.tasks.base import Needs, Task
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.source.encode.writer import Writer

MAX_FRAME_SIDE = 640
"""Longer side of the preview in pixels."""


class Preview(Task):
    """Task that writes every frame, at its time from the source's start, into a small mp4 at ``path``.

    Args:
        path: of the file.
        audio_from: file whose audio is copied; None for none.
        audio_track: of that file; None for the default one.
    """

    name = "preview"

    def __init__(self, path: Path, audio_from: str | None = None, audio_track: int | None = None) -> None:
        super().__init__()
        self.path = path
        self.audio_from, self.audio_track = audio_from, audio_track
        self._writer: Writer | None = None

    def needs(self, info: SourceInfo) -> Needs:
        """Request every frame at a small size; width and height are even, as h264 requires."""
        width, height = info.fit(MAX_FRAME_SIDE)
        self._size = max(2, width // 2 * 2), max(2, height // 2 * 2)
        self._start, self._rate = info.start, info.rate
        return Needs(sizes=(self._size,), batch=16)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Encode the next frames."""
        for frame in batches[0]:
            if self._writer is None:
                self._open(frame)
            assert self._writer is not None
            self._writer.write(frame)

    def _open(self, first: Frame) -> None:
        from kinoscope.source.encode.writer import Writer

        self._writer = Writer(
            self.path, size=self._size, rate=self._rate, audio_from=self.audio_from,
            audio_track=self.audio_track, zero=self._start,
        )  # fmt: skip
        self._writer.__enter__()
        if first.time > self._start:
            # Players count from the first frame: a copy of it at zero keeps their clock that of the source.
            self._writer.write(Frame(first.pixels, self._start))

    def finish(self, timeline: Timeline) -> TaskResult:
        """Close the file; it exists at ``path`` if there was any frame."""
        if self._writer is not None:
            self._writer.__exit__(None, None, None)
        return TaskResult(report=TaskReport(runtime="h264"))
