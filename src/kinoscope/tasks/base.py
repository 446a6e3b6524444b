"""What a task is, as the engine sees it.

A task is made fresh for each source and lives in a thread of its own: ``needs`` is asked once, ``step`` and
``listen`` are called in time order with what was asked for, and ``finish`` once at the end. A task never
sees another task; in ``finish`` it may look at what earlier rows of the table left in the Timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kinoscope.core.media import Audio, FrameBatch, Size, SourceInfo
from kinoscope.core.results import TaskResult, Timeline


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task wants of the decode.

    Attributes:
        sizes: (width, height) pixels of the pictures wanted; empty for none. The picture is stretched to a size
            that has another shape; ``info.fit(n)`` keeps the shape.
        rate: pictures per second; None for every frame.
        batch: most pictures per ``step``; the last batch may hold fewer.
        sound: sample rate in Hz of the mono sound wanted, or None.
    """

    sizes: tuple[Size, ...] = ()
    rate: float | None = None
    batch: int = 8
    sound: int | None = None


class Skip(Exception):
    """Raised by ``needs``, ``step`` or ``finish`` when the task cannot apply here; the message is the reason."""


class Task(Protocol):
    """A consumer of the decode. Only what is asked for in ``needs`` is delivered."""

    name: str

    def needs(self, info: SourceInfo) -> Needs:
        """Say what is wanted of this source; load models here. Raise Skip where the task cannot apply."""
        ...

    def process_frames(self, *batches: FrameBatch) -> None:
        """Take the next pictures: one batch per asked size, in that order, of the same frames."""
        ...

    def process_audio(self, sound: Audio) -> None:
        """Take the next stretch of sound."""
        ...

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the result. ``timeline`` holds all frame times, the source's facts, and earlier tasks' results."""
        ...
