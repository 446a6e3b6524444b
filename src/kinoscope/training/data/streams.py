"""Clips without end to learn from: those of a folder, or known-answer ones that are drawn as they are needed."""

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

FEWEST = 8
"""Clips that are needed at least, unless they are varied strongly."""

Labelled = tuple[Pixels, Int64Array]
"""Clips (N, T, H, W, 3) and the indices of their classes (N,), zeros where there are none."""


class ClipStream(Protocol):
    """Where clips come from.

    Attributes:
        broken: path -> reason, of the clips that cannot be used.
    """

    broken: dict[str, str]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, by index; empty if there are none."""
        ...

    def __len__(self) -> int:
        """How many there are; 0 if there is no end to them."""
        ...

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield this process's part of each batch of an epoch; what is drawn depends on the epoch alone."""
        ...


@dataclass
class FolderClipStream:
    """Clips of a folder; each pass shows all of them once, from a random moment on.

    Attributes:
        dataset: the clips. sampling: frames, rate and size of what is taken of them. seed: of all drawings.
    """

    dataset: Dataset
    sampling: Sampling
    seed: int = 0
    workers: int | None = None
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.dataset.classes

    def __len__(self) -> int:
        return len(self.dataset.examples)

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield batches; every class comes as often as its clips."""
        loader = Loader(
            self.dataset.examples, self.classes, self.sampling, augment=Augment.off(), batch=batch, seed=self.seed,
            rank=processes.rank, world=processes.world, workers=self.workers,
        )  # fmt: skip
        left, turn = steps, 0
        while left:
            for one in loader.epoch(epoch * steps + turn):
                labels = one.targets.argmax(1) if self.classes else np.zeros(len(one), np.int64)
                yield one.pixels, labels
                left -= 1
                if not left:
                    break
            turn += 1
        self.broken |= loader.broken


SYNTHETIC = "synthetic:moving"
"""Data that is drawn: moving shapes, whose classes are the shapes."""


@dataclass
class SyntheticClipStream:
    """Moving shapes without end; see ``source.synthetic.moving_shapes``.

    Attributes:
        sampling: frames, rate and size of a clip. seed: of all drawings. named: whether the shapes are classes.
    """

    sampling: Sampling
    seed: int = 0
    named: bool = True
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the shapes."""
        return SHAPES if self.named else ()

    def __len__(self) -> int:
        return 0

    def batches(self, epoch: int, steps: int, batch: int, processes: Processes) -> Iterator[Labelled]:
        """Yield batches; every shape comes equally often."""
        for step in range(steps):
            first = ((self.seed * 1009 + epoch) * steps + step) * batch
            numbers = range(first + processes.rank, first + batch, processes.world)
            clips = [self._draw(number) for number in numbers]
            labels = np.array([number % len(SHAPES) if self.named else 0 for number in numbers])
            yield np.stack(clips), labels

    def _draw(self, number: int) -> Pixels:
        sampling = self.sampling
        shape = SHAPES[number % len(SHAPES)]
        return draw_moving(number, sampling.frames, sampling.rate, sampling.size[0], shape=shape)[0]


def make_stream(
    data: str | Path, sampling: Sampling, *, classes: bool = True, few: bool = False, seed: int = 0,
    workers: int | None = None,
) -> ClipStream:  # fmt: skip
    """Make a feed of ``synthetic:moving``, or of a folder or table of clips; see ``folder_stream``."""
    if str(data) == SYNTHETIC:
        return SyntheticClipStream(sampling, seed, classes)
    return folder_stream(data, sampling, classes=classes, few=few, seed=seed, workers=workers)


def folder_stream(
    path: str | Path, sampling: Sampling, *, classes: bool = True, few: bool = False, seed: int = 0,
    workers: int | None = None,
) -> FolderClipStream:  # fmt: skip
    """Make a feed of a folder or table of clips.

    Args:
        classes: whether its folders are classes. few: whether fewer clips than usual are welcome.

    Raises:
        DatasetError: there are none, or too few that are long enough.
    """
    dataset, broken = read_clips(path, sampling, named=classes)
    if len(dataset.examples) < (1 if few else FEWEST):
        raise DatasetError(
            f"{path} has {len(dataset.examples)} clips to learn from{why(broken)}; give {FEWEST} or more, cut longer "
            "ones into pieces, or set augment=strong, which varies so few that something can be learned from them"
        )
    return FolderClipStream(dataset, sampling, seed, workers, broken)


def read_clips(
    path: str | Path, sampling: Sampling, *, named: bool = True, group: str = ""
) -> tuple[Dataset, dict[str, str]]:
    """Read the clips of a folder or table that are as long as what is taken of them, and why others are not of use.

    Args:
        named: whether classes are kept, where there are some; those that no clip is left of are not.
        group: a rule that groups clips by their names; see ``training.data.grouping``.

    Raises:
        DatasetError: there is nothing to read.
    """
    dataset, labelled = read_unlabelled(path)
    examples, broken = long_enough(dataset, sampling)
    if group:
        root = Path(path) if Path(path).is_dir() else Path(path).parent
        examples = list(group_by(examples, group, root))
    if not (named and labelled):
        examples = [replace(one, labels=()) for one in examples]
    left = {label for one in examples for label in one.labels}
    names = tuple(name for name in dataset.classes if name in left)
    return Dataset(str(path), tuple(examples), names), broken


def why(broken: dict[str, str]) -> str:
    """Say how many clips could not be used, and why the first could not; nothing where all could."""
    return f"; {len(broken)} cannot be used: {next(iter(broken.values()))}" if broken else ""


def long_enough(dataset: Dataset, sampling: Sampling) -> tuple[list[Example], dict[str, str]]:
    """Part clips from those that are shorter than what is taken of them, or cannot be opened: path -> reason."""
    long, broken = [], {}
    wanted = sampling.frames / sampling.rate
    for example in dataset.examples:
        try:
            with opened(example.path, example.start, example.end) as source:
                lasts = float(source.info.duration or wanted)
            if lasts >= wanted - 1e-3:
                long.append(example)
                continue
            broken[example.path] = (
                f"{example.path} lasts {lasts:.2f} s, less than {sampling.frames} frames at {sampling.rate:g} a second "
                f"({wanted:.2f} s); lower frames or raise rate"
            )
        except KinoscopeError as error:
            broken[example.path] = str(error)
    return long, broken
