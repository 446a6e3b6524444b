"""Clips to learn from how frames go on: those of a folder, or drawn ones without end whose future is known."""

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
from kinoscope.training.data.streams import read_clips, why
from kinoscope.training.distributed import Processes
from kinoscope.training.prediction.options import PredictionOptions

HELD, HELD_BATCH = 64, 16
"""Drawn clips that are measured on, at most so many of a folder; and how many at once."""

ADDRESS = "synthetic:bouncing"
"""What names drawn clips in place of a folder."""


class PredictionClips(Protocol):
    """Where clips come from.

    Attributes:
        channels: C of their pictures. size: their side.
        still: how much of the last frame to begin with: much where most of a picture stands still.
        examples: how many there are to learn from, and to measure on; 0 for no end.
        broken: clips that could not be used, and why.
    """

    channels: int
    size: int
    still: float
    examples: tuple[int, int]
    broken: dict[str, str]

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield a batch (N, T, H, W, C) for each step from ``step`` on, without end."""
        ...

    def held(self) -> Iterator[Pixels]:
        """Yield batches (N, T, H, W, C) to measure on, always the same."""
        ...


class SyntheticPredictionClips:
    """Items that bounce, see ``source.synthetic.bouncing_shapes``; each step draws new ones, which depend on seed and
    step alone.

    Args:
        learned, measured: items (M, 28, 28) of the clips to learn from, and of those to measure on; the built-in
            shapes if not given.
    """

    channels, size, still = 1, FRAME_SIDE, 0.12

    def __init__(
        self,
        options: PredictionOptions,
        processes: Processes | None = None,
        learned: Pixels | None = None,
        measured: Pixels | None = None,
        held: int = HELD,
    ) -> None:
        self._options, self._processes = options, processes or Processes()
        self._learned, self._measured = (shape_items() if one is None else one for one in (learned, measured))
        self.examples = 0, held
        self.broken: dict[str, str] = {}

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield new clips without end."""
        share = slice(self._processes.rank, None, self._processes.world)
        for number in count(step):
            random = np.random.default_rng([self._options.seed, number])
            yield self._draw(random, self._learned, self._options.batch)[share]

    def held(self) -> Iterator[Pixels]:
        """Yield clips that no step draws."""
        random = np.random.default_rng([self._options.seed, 1, 2])
        for start in range(0, self.examples[1], HELD_BATCH):
            yield self._draw(random, self._measured, min(HELD_BATCH, self.examples[1] - start))

    def _draw(self, random: np.random.Generator, items: Pixels, clips: int) -> Pixels:
        frames = self._options.before + self._options.after
        return np.stack([draw_bouncing(frames, random, items) for _ in range(clips)])


class FolderPredictionClips:
    """Clips of a folder or a table, whatever folders they lie in.

    Raises:
        DatasetError: fewer than two are long enough, or all belong together.
    """

    channels, still = 3, 0.95

    def __init__(self, data: str, options: PredictionOptions, processes: Processes | None = None) -> None:
        processes = processes or Processes()
        sampling = Sampling(options.before + options.after, options.rate, (options.size, options.size))
        dataset, self.broken = read_clips(data, sampling, named=False, group=options.group)
        if len(dataset.examples) < 2:
            raise DatasetError(
                f"{data} has {len(dataset.examples)} clips to learn from{why(self.broken)}; give two or more, as some "
                "are held out to measure on"
            )
        learned, measured = hold_out(dataset.examples, options.val, options.seed)
        self.size, self.examples = options.size, (len(learned), min(HELD, len(measured)))
        self._learned = Loader(
            learned, (), sampling, augment=Augment.off(flip=options.flip), batch=options.batch, seed=options.seed,
            rank=processes.rank, world=processes.world,
        )  # fmt: skip
        self._measured = Loader(measured[:HELD], (), sampling, batch=HELD_BATCH) if measured else None

    def batches(self, step: int) -> Iterator[Pixels]:
        """Yield clips from random moments on, each of the folder's once in each turn."""
        turn, first = divmod(step, len(self._learned))
        for number in count(turn):
            for batch in self._learned.epoch(number, first if number == turn else 0):
                self.broken |= self._learned.broken
                yield batch.pixels

    def held(self) -> Iterator[Pixels]:
        """Yield the middle of each clip that is held out."""
        if self._measured:
            yield from (batch.pixels for batch in self._measured.epoch(0))


def hold_out(clips: Sequence[Example], val: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Divide clips into those to learn from and, of about a share ``val``, others; groups stay together.

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
    out = {groups[place] for place in islice(order, wanted)}
    sides: tuple[list[Example], list[Example]] = ([], [])
    for clip in clips:
        sides[(clip.group or clip.path) in out].append(clip)
    return sides


def clips_of(data: str, options: PredictionOptions, processes: Processes | None = None) -> PredictionClips:
    """Give the clips that a folder, or ``synthetic:bouncing``, names.

    Raises:
        DatasetError: they do not do.
    """
    if data == ADDRESS:
        return SyntheticPredictionClips(options, processes)
    return FolderPredictionClips(data, options, processes)
