"""The interface between the engine and a task.

A task is created for each source and runs in a thread of its own: ``needs`` is called once, ``process_frames`` and
``process_audio`` are called in time order with what was requested, and ``finish`` once at the end. A task never sees
another task; in ``finish`` it may read from the Timeline the results of earlier rows of the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kinoscope.core.media import Audio, FrameBatch, Size, SourceInfo
from kinoscope.core.results import TaskResult
from kinoscope.views.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Needs:
    """The input that a task requests from the decoder.

    Attributes:
        sizes: (width, height) in pixels of the requested frames; empty for none. A frame is stretched to a size of
            another aspect ratio; ``info.fit(n)`` preserves the aspect ratio.
        rate: frames per second; None for every frame.
        batch: maximum number of frames per ``process_frames``; the last batch may hold fewer.
        audio_rate: sample rate in Hz of the requested mono audio, or None for no audio.
    """

    sizes: tuple[Size, ...] = ()
    rate: float | None = None
    batch: int = 8
    audio_rate: int | None = None


class Skip(Exception):
    """Raised by ``needs``, ``process_frames`` or ``finish`` if the task cannot run on a source; says why."""


class Task(Protocol):
    """A consumer of decoded frames and audio. Only what ``needs`` requests is delivered."""

    name: str

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and return the requested input.

        Raises:
            Skip: the task cannot run on the source.
        """
        ...

    def process_frames(self, *batches: FrameBatch) -> None:
        """Process the next frames: one batch for each requested size, in that order, of the same frames."""
        ...

    def process_audio(self, audio: Audio) -> None:
        """Process the next chunk of audio."""
        ...

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the result.

        Args:
            timeline: all frame times, the metadata of the source, and the results of earlier tasks.
        """
        ...
