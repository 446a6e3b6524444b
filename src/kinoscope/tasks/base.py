"""The interface between the engine and a task.

A task is created for each source and runs in a thread of its own: ``needs`` is called once, ``process_frames`` and
``process_audio`` are called in time order with what was requested, and ``finish`` once at the end. A task never sees
another task; in ``finish`` it may read from the Timeline the results of earlier rows of the registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from kinoscope.core.errors import OptionError
from kinoscope.core.media import Audio, FrameBatch, Size, SourceInfo
from kinoscope.core.options import Options
from kinoscope.core.results import TaskResult

if TYPE_CHECKING:
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

    Raises:
        OptionError: a value cannot be requested.
    """

    sizes: tuple[Size, ...] = ()
    rate: float | None = None
    batch: int = 8
    audio_rate: int | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(size, Sequence) and len(size) == 2 and all(map(_is_count, size)) for size in self.sizes):
            raise OptionError(f"sizes={self.sizes} is not possible; give (width, height) of each, as in ((320, 180),)")
        if not (self.rate is None or _is_positive(self.rate)):
            raise OptionError(f"rate={self.rate} is not possible; give frames per second above 0, or None for all")
        for name in ("batch", "audio_rate"):
            value = getattr(self, name)
            if not (_is_count(value) or (value is None and name == "audio_rate")):
                raise OptionError(f"{name}={value} is not possible; give a whole number above 0")


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) > 0


def _is_positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < inf


class Skip(Exception):
    """Raised by ``needs``, ``process_frames`` or ``finish`` if the task cannot run on a source; says why."""


class Task:
    """A consumer of decoded frames and audio; the base class of all tasks. Only what ``needs`` requests is delivered.

    Args:
        model: name of the card or folder of the model; ``auto`` for the best that can be had.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: number of threads of a network on the CPU.
        options: those of ``options_type``.

    Attributes:
        name: of the task, in the Timeline and on the command line.
        options_type: the class of its options.
        by_default: whether ``analyze`` runs it when no tasks are named.
        required_input: the input of the user without which it cannot run, and the option that gives it.
        depends_on: tasks whose track ids its results refer to.
        images_of: other tasks for whose events it returns images.
        biometric: whether its results identify people.
        card_task: the task whose cards it runs; None if its model cannot be chosen.
    """

    name: str
    options_type: ClassVar[type[Options]] = Options
    by_default: ClassVar[bool] = True
    required_input: ClassVar[str | None] = None
    depends_on: ClassVar[frozenset[str]] = frozenset()
    images_of: ClassVar[frozenset[str]] = frozenset()
    biometric: ClassVar[bool] = False
    card_task: ClassVar[str | None] = None

    options: Options

    def __init__(self, *, model: str = "auto", device: str = "auto", threads: int = 1, **options: Any) -> None:
        self.model, self.device, self.threads = model, device, threads
        self.options = self.options_type(**options)

    @classmethod
    def check_model(cls, model: str) -> None:
        """Check that the task can run a model.

        Raises:
            OptionError: there is no card of that name, or it is for another task.
            ModelError: a folder holds no model, or a damaged one.
        """
        from kinoscope.models import all_cards, cards_for_task

        if cls.card_task is None:
            raise OptionError(
                f"model {cls.name}={model}: the model of the task {cls.name} cannot be chosen; leave it out"
            )
        valid = [card.name for card in cards_for_task(cls.card_task)]
        if model not in valid:
            other = next((f"is for {card.task}" for card in all_cards() if card.name == model), "is not known")
            raise OptionError(f"model {model} {other}; for the task {cls.name} choose from {', '.join(valid)}")

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and return the requested input; by default nothing.

        Raises:
            Skip: the task cannot run on the source.
        """
        return Needs()

    def process_frames(self, *batches: FrameBatch) -> None:
        """Process the next frames: one batch for each requested size, in that order, of the same frames."""

    def process_audio(self, audio: Audio) -> None:
        """Process the next chunk of audio."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the result.

        Args:
            timeline: all frame times, the metadata of the source, and the results of earlier tasks.
        """
        return TaskResult()


class PostTask(Task):
    """The base class of tasks that only read the Timeline, in ``finish``: for them alone nothing is decoded."""
