"""Bright parts of a video, as rain at night makes them."""

from dataclasses import dataclass
from typing import Any

from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.options import Options, option
from kinoscope.core.results import Event, TaskResult
from kinoscope.tasks.base import Needs, Task
from kinoscope.views.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class RainOptions(Options):
    """Options of the task ``rain``."""

    min_brightness: float = option(128.0, "mean brightness, of 255, from which a frame counts", low=0, high=255)


class Rain(Task):
    """Report the first and the last bright frame, at five frames per second."""

    name = "rain"
    options_type = RainOptions
    by_default = False

    options: RainOptions

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._times: list[float] = []

    def needs(self, info: SourceInfo) -> Needs:
        """Request small frames."""
        return Needs(sizes=((16, 9),), rate=5)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Store the times of bright frames."""
        self._times += [float(frame.time) for frame in batches[0] if frame.pixels.mean() >= self.options.min_brightness]

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return one event from the first bright frame to the last."""
        times = self._times
        return TaskResult(events=[Event("rain", times[0], times[-1], "rain")] if times else [])
