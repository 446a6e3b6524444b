"""Clips for frame prediction: those of a folder, or endless synthetic ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Protocol

import numpy as np

from kinoscope.core.errors import DatasetError
from kinoscope.core.media import Pixels
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.source.synthetic.bouncing_shapes import FRAME_SIDE, draw_bouncing, shape_items
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.loader import Loader
from kinoscope.training.data.streams import describe_unreadable, read_clips
from kinoscope.training.distributed import Processes
from kinoscope.training.prediction.options import PredictionOptions

MAX_VAL_CLIPS, VAL_BATCH = 64, 16
"""Synthetic clips for validation, and the maximum of those of a folder; and their batch size."""

SYNTHETIC = "synthetic:bouncing"
"""Name of the synthetic clips, in place of a folder."""


class PredictionClips(Protocol):
    """Training and validation clips.

    Attributes:
        channels: C of their frames.
        size: side of the frames in pixels.
        still: initial share of the last frame in a prediction: high if most of a frame is static.
        examples: numbers of training and validation clips; 0 for endless.
        unreadable: path -> reason, of the clips that could not be used.
    """

    channels: int
    size: int
    still: float
    examples: tuple[int, int]
    unreadable: dict[str, str]

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield a batch (N, T, H, W, C) for each step from ``step`` on, without end."""
        ...

    def val_batches(self) -> Iterator[Pixels]:
        """Yield the validation batches (N, T, H, W, C), always the same."""
        ...


class SyntheticPredictionClips:
    """Clips of bouncing items, see ``source.synthetic.bouncing_shapes``; seed and step determine those of a step.

    Args:
        train_items, val_items: (M, 28, 28) of the training and of the validation clips; the built-in shapes if not
            given.
        val_clips: number of validation clips.
    """

    channels, size, still = 1, FRAME_SIDE, 0.12

    def __init__(
        self,
        options: PredictionOptions,
        processes: Processes | None = None,
        train_items: Pixels | None = None,
        val_items: Pixels | None = None,
        val_clips: int = MAX_VAL_CLIPS,
    ) -> None:
        self._options, self._processes = options, processes or Processes()
        self._train_items, self._val_items = (
            shape_items() if items is None else items for items in (train_items, val_items)
        )
        self.examples = 0, val_clips
        self.unreadable: dict[str, str] = {}

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield new clips without end."""
        share = slice(self._processes.rank, None, self._processes.world)
        for number in count(step):
            random = np.random.default_rng([self._options.seed, number])
            yield self._sample(random, self._train_items, self._options.batch)[share]

    def val_batches(self) -> Iterator[Pixels]:
        """Yield clips that no training step samples."""
        random = np.random.default_rng([self._options.seed, 1, 2])
        for start in range(0, self.examples[1], VAL_BATCH):
            yield self._sample(random, self._val_items, min(VAL_BATCH, self.examples[1] - start))

    def _sample(self, random: np.random.Generator, items: Pixels, clips: int) -> Pixels:
        frames = self._options.context + self._options.horizon
        return np.stack([draw_bouncing(frames, random, items) for _ in range(clips)])


class FolderPredictionClips:
    """Clips of a folder or a table, regardless of their labels.

    Raises:
        DatasetError: fewer than two are long enough, or all are of one group.
    """

    channels, still = 3, 0.95

    def __init__(self, data: str, options: PredictionOptions, processes: Processes | None = None) -> None:
        processes = processes or Processes()
        sampling = Sampling(options.context + options.horizon, options.rate, (options.size, options.size))
        dataset, self.unreadable = read_clips(data, sampling, labelled=False, group=options.group)
        if len(dataset.examples) < 2:
            raise DatasetError(
                f"{data} has {len(dataset.examples)} clips to learn from{describe_unreadable(self.unreadable)}; give "
                "two or more, as some are held out for validation"
            )
        train, val = hold_out(dataset.examples, options.val, options.seed)
        self.size, self.examples = options.size, (len(train), min(MAX_VAL_CLIPS, len(val)))
        self._train = Loader(
            train, (), sampling, augment=Augment.off(flip=options.flip), batch=options.batch, seed=options.seed,
            rank=processes.rank, world=processes.world,
        )  # fmt: skip
        self._val = Loader(val[:MAX_VAL_CLIPS], (), sampling, batch=VAL_BATCH) if val else None

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield clips that begin at random moments, each of the folder's once in each pass."""
        first_pass, first = divmod(step, len(self._train))
        for number in count(first_pass):
            for batch in self._train.epoch(number, first if number == first_pass else 0):
                self.unreadable |= self._train.unreadable
                yield batch.pixels

    def val_batches(self) -> Iterator[Pixels]:
        """Yield the middle of each validation clip."""
        if self._val:
            yield from (batch.pixels for batch in self._val.epoch(0))


def hold_out(clips: Sequence[Example], val: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Divide clips into training clips and a share of about ``val`` for validation; groups stay together.

    Raises:
        DatasetError: all are of one group.
    """
    groups = sorted({clip.group or clip.path for clip in clips})
    if val > 0 and len(groups) < 2:
        raise DatasetError(
            f"all {len(clips)} clips are of one group, so none can be held out; give val=0 or more clips"
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    wanted = min(len(groups) - 1, max(1, round(val * len(groups)))) if val > 0 else 0
    val_groups = {groups[index] for index in islice(order, wanted)}
    parts: tuple[list[Example], list[Example]] = ([], [])
    for clip in clips:
        parts[(clip.group or clip.path) in val_groups].append(clip)
    return parts


def read_prediction_clips(data: str, options: PredictionOptions, processes: Processes | None = None) -> PredictionClips:
    """Return the clips of a folder, or of ``synthetic:bouncing``.

    Raises:
        DatasetError: they cannot be used.
    """
    if data == SYNTHETIC:
        return SyntheticPredictionClips(options, processes)
    return FolderPredictionClips(data, options, processes)
