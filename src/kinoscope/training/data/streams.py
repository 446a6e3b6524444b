"""Endless streams of training clips: those of a folder, or synthetic ones with known content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from kinoscope.core.arrays import Int64Array
from kinoscope.core.errors import DatasetError, KinoscopeError
from kinoscope.core.media import Pixels
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.source.synthetic.moving_shapes import SHAPES, draw_moving
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.frame_cache import opened
from kinoscope.training.data.grouping import group_by
from kinoscope.training.data.loader import Loader
from kinoscope.training.data.readers import read_unlabelled
from kinoscope.training.distributed import Processes

MIN_CLIPS = 8
"""Minimum number of clips, unless they are strongly augmented."""

Labelled = tuple[Pixels, Int64Array]
"""Clips (N, T, H, W, 3) and the indices of their classes (N,), zeros without classes."""


class ClipStream(Protocol):
    """A source of training clips.

    Attributes:
        unreadable: path -> reason, of the clips that cannot be used.
    """

    unreadable: dict[str, str]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, by index; empty if there are none."""
        ...

    def __len__(self) -> int:
        """Return the number of clips; 0 for endless."""
        ...

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield this process's share of each batch of an epoch; the clips depend on the epoch alone."""
        ...


@dataclass
class FolderClipStream:
    """Clips of a folder; each pass shows all of them once, from random moments on.

    Attributes:
        dataset: the clips.
        sampling: frames, rate and size of each.
        seed: of the random moments and order.
    """

    dataset: Dataset
    sampling: Sampling
    seed: int = 0
    workers: int | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.dataset.examples)

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield batches; the frequency of a class is that of its clips."""
        loader = Loader(
            self.dataset.examples, self.classes, self.sampling, augment=Augment.off(), batch=batch, seed=self.seed,
            rank=processes.rank, world=processes.world, workers=self.workers,
        )  # fmt: skip
        remaining, repetition = steps, 0
        while remaining:
            for clips in loader.epoch(epoch * steps + repetition):
                labels = clips.targets.argmax(1) if self.classes else np.zeros(len(clips), np.int64)
                yield clips.pixels, labels
                remaining -= 1
                if not remaining:
                    break
            repetition += 1
        self.unreadable |= loader.unreadable


SYNTHETIC = "synthetic:moving"
"""Name of the synthetic data: moving shapes, whose classes are the shapes."""


@dataclass
class SyntheticClipStream:
    """Endless moving shapes; see ``source.synthetic.moving_shapes``.

    Attributes:
        sampling: frames, rate and size of a clip.
        seed: of all randomness.
        labelled: whether the shapes are classes.
    """

    sampling: Sampling
    seed: int = 0
    labelled: bool = True
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the shapes."""
        return SHAPES if self.labelled else ()

    def __len__(self) -> int:
        return 0

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield batches; every shape is equally frequent."""
        for step in range(steps):
            first = ((self.seed * 1009 + epoch) * steps + step) * batch
            numbers = range(first + processes.rank, first + batch, processes.world)
            clips = [self._render(number) for number in numbers]
            labels = np.array([number % len(SHAPES) if self.labelled else 0 for number in numbers])
            yield np.stack(clips), labels

    def _render(self, number: int) -> Pixels:
        sampling = self.sampling
        shape = SHAPES[number % len(SHAPES)]
        return draw_moving(number, sampling.frames, sampling.rate, sampling.size[0], shape=shape)[0]


def make_stream(
    data: str | Path, sampling: Sampling, *, classes: bool = True, allow_few: bool = False, seed: int = 0,
    workers: int | None = None,
) -> ClipStream:  # fmt: skip
    """Return a stream of ``synthetic:moving``, or of a folder or table of clips; see ``folder_stream``."""
    if str(data) == SYNTHETIC:
        return SyntheticClipStream(sampling, seed, classes)
    return folder_stream(data, sampling, classes=classes, allow_few=allow_few, seed=seed, workers=workers)


def folder_stream(
    path: str | Path, sampling: Sampling, *, classes: bool = True, allow_few: bool = False, seed: int = 0,
    workers: int | None = None,
) -> FolderClipStream:  # fmt: skip
    """Return a stream of a folder or table of clips.

    Args:
        classes: whether its folders are classes.
        allow_few: whether fewer clips than the minimum are accepted.

    Raises:
        DatasetError: there are none, or too few that are long enough.
    """
    dataset, unreadable = read_clips(path, sampling, labelled=classes)
    if len(dataset.examples) < (1 if allow_few else MIN_CLIPS):
        raise DatasetError(
            f"{path} has {len(dataset.examples)} clips to learn from{describe_unreadable(unreadable)}; give "
            f"{MIN_CLIPS} or more, split longer ones, or set augment=strong, which suits a few"
        )
    return FolderClipStream(dataset, sampling, seed, workers, unreadable)


def read_clips(
    path: str | Path, sampling: Sampling, *, labelled: bool = True, group: str = ""
) -> tuple[Dataset, dict[str, str]]:
    """Read the clips of a folder or table that are long enough for the sampling, and why the others cannot be used.

    Args:
        labelled: whether to keep the classes, if there are some; classes without clips are dropped.
        group: a rule that groups clips by their names; see ``training.data.grouping``.

    Raises:
        DatasetError: there is nothing to read.
    """
    dataset, has_labels = read_unlabelled(path)
    examples, unreadable = long_enough(dataset, sampling)
    if group:
        root = Path(path) if Path(path).is_dir() else Path(path).parent
        examples = list(group_by(examples, group, root))
    if not (labelled and has_labels):
        examples = [replace(example, labels=()) for example in examples]
    present = {label for example in examples for label in example.labels}
    names = tuple(name for name in dataset.classes if name in present)
    return Dataset(str(path), tuple(examples), names), unreadable


def describe_unreadable(unreadable: dict[str, str]) -> str:
    """Return how many clips could not be used, and why the first could not, as a clause; nothing where all could."""
    return f"; {len(unreadable)} cannot be used: {next(iter(unreadable.values()))}" if unreadable else ""


def long_enough(dataset: Dataset, sampling: Sampling) -> tuple[list[Example], dict[str, str]]:
    """Return the clips that are long enough for the sampling; and of the others path -> reason."""
    long, unreadable = [], {}
    needed = sampling.frames / sampling.rate
    for example in dataset.examples:
        try:
            with opened(example.path, example.start, example.end) as source:
                duration = float(source.info.duration or needed)
            if duration >= needed - 1e-3:
                long.append(example)
                continue
            unreadable[example.path] = (
                f"{example.path} lasts {duration:.2f} s, less than {sampling.frames} frames at {sampling.rate:g} a "
                f"second ({needed:.2f} s); lower frames or raise rate"
            )
        except KinoscopeError as error:
            unreadable[example.path] = str(error)
    return long, unreadable
