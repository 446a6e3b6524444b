"""Batches of clips, made in threads ahead of the training loop.

Decoding, warping and copying let go of Python's lock, so threads are enough; a batch is made by one of them as a whole.
What is drawn for a clip depends on the seed, the epoch and the example alone, hence the number of threads changes
nothing, nor does that of processes: each global batch is the same, and a process makes its part of it.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.errors import DatasetError, OptionError, SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment, sample_mix, sample_transform
from kinoscope.models.runtime.runner import core_count
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.frame_cache import FrameCache

MARGIN = 1.25
"""How much larger than the network's the pictures are from which augmented ones are cut."""

MOST_WORKERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Clips that go through the network together.

    Attributes:
        pixels: (N, T, H, W, 3) uint8, RGB.
        targets: (N, K) float32: 1 for the classes of a clip, else 0; in between where clips are mixed.
        indices: (N,) int64, which of the examples each clip is from.
        starts: (N,) float64, when each clip begins in its video, in seconds.
    """

    pixels: Pixels
    targets: Float32Array
    indices: Int64Array
    starts: Float64Array

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One clip to be made: the how-manieth (``turn``) of an example in an epoch."""

    index: int
    turn: int


@dataclass(frozen=True, slots=True, eq=False)
class LoadedClip:
    """One clip: pixels (T, H, W, 3), target (K,), the example that it is from, and its start in seconds."""

    pixels: Pixels
    target: Float32Array
    index: int
    start: float


class Loader:
    """Batches of the clips of examples.

    With ``augment``, for training: each epoch shows every example once, in an order of its own, from a random moment on
    and varied; the last batch is filled up with further clips of the first ones, so that all are of one size. A broken
    example is replaced by the next one that is whole. Without, for evaluation: ``views`` clips of each example in their
    order, as the network will see them in use; broken examples are left out, so a batch may be smaller, and one that is
    left empty is not given.

    Args:
        examples: what clips are taken from.
        classes: names, in the order of the targets.
        sampling: frames, rate and size of a clip.
        augment: how clips are varied.
        batch: clips in a global batch; each of ``world`` processes makes its share.
        views: clips of each example, spread evenly over it; for evaluation.
        seed: of everything that is drawn.
        balance: whether every class comes equally often in an epoch; for training.
        rank, world: which process of how many this is.
        workers: threads; by default one for each core, at most 8.
        cache: whether decoded frames are kept on disk.

    Attributes:
        broken: path -> reason, of the examples that could not be read so far.
        waited: seconds that the consumer has waited for data so far.

    Raises:
        DatasetError: there are no examples.
        OptionError: the batch cannot be cut into equal parts.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        classes: Sequence[str],
        sampling: Sampling,
        *,
        augment: Augment | None = None,
        batch: int = 16,
        views: int = 1,
        seed: int = 0,
        balance: bool = False,
        rank: int = 0,
        world: int = 1,
        workers: int | None = None,
        cache: bool = True,
    ) -> None:
        _check(examples, batch, views, world)
        self.examples, self.classes, self.sampling, self.augment = tuple(examples), tuple(classes), sampling, augment
        self._batch, self._views, self._seed, self._balance = batch, views, seed, balance
        self._rank, self._world = rank, world
        self._workers = workers or min(MOST_WORKERS, core_count())
        self._frames = FrameCache(sampling, MARGIN if augment else 1.0, cache)
        self._targets = targets(self.examples, self.classes)
        self._bad: set[int] = set()
        self.broken: dict[str, str] = {}
        self.waited = 0.0

    def __len__(self) -> int:
        clips = len(self.examples) * (1 if self.augment else self._views)
        return math.ceil(clips / self._batch)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from the ``first`` on.

        Raises:
            DatasetError: no example can be read.
        """
        plan = islice(self._plan(number), first, None)
        with ThreadPoolExecutor(self._workers, "clips") as pool:
            ahead: deque[Future[Batch | None]] = deque()
            try:
                for part in plan:
                    ahead.append(pool.submit(self._make, part, number))
                    if len(ahead) > self._workers + 1:
                        yield from self._take(ahead)
                while ahead:
                    yield from self._take(ahead)
            finally:
                pool.shutdown(cancel_futures=True)

    def clip(self, index: int, epoch: int = 0) -> Pixels:
        """Give one clip (T, H, W, 3) of an example, as training sees it in an epoch.

        Raises:
            SourceError: it cannot be read.
        """
        return self._read(index, epoch, ClipRequest(index, 0)).pixels

    def _take(self, ahead: deque[Future[Batch | None]]) -> Iterator[Batch]:
        began = time.perf_counter()
        batch = ahead.popleft().result()
        self.waited += time.perf_counter() - began
        if batch is not None:
            yield batch

    def _plan(self, number: int) -> Iterator[list[ClipRequest]]:
        """Yield the clips of each global batch."""
        if self.augment is None:
            draws = [ClipRequest(index, view) for index in range(len(self.examples)) for view in range(self._views)]
        else:
            draws = _turns(self._order(number))
        for start in range(0, len(draws), self._batch):
            yield draws[start : start + self._batch]

    def _order(self, number: int) -> list[int]:
        """Give the order of the examples in a training epoch, as many as fill its batches."""
        generator, count = self._generator(number), len(self) * self._batch
        if self._balance:
            return balanced(self._targets, count, generator)
        return [int(index) for index in np.resize(generator.permutation(len(self.examples)), count)]

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed % 2**32, *key])

    def _make(self, draws: list[ClipRequest], epoch: int) -> Batch | None:
        """Make this process's part of a global batch."""
        mine = range(self._rank, len(draws), self._world)
        mixes = self.augment is not None and self.augment.mixes
        # Each clip is mixed with the next one of the global batch, whichever process that belongs to.
        needed = sorted({*mine, *((place + 1) % len(draws) for place in mine)}) if mixes else mine
        made = {place: self._whole(draws[place], epoch) for place in needed}
        clips = [made[place] for place in mine]
        if mixes:
            others = [made[(place + 1) % len(draws)] for place in mine]
            clips = [
                self._mixed(*three, epoch) for three in zip(clips, others, map(draws.__getitem__, mine), strict=True)
            ]
        return _stack([clip for clip in clips if clip is not None])

    def _mixed(
        self, clip: LoadedClip | None, other: LoadedClip | None, of: ClipRequest, epoch: int
    ) -> LoadedClip | None:
        if clip is None or other is None or self.augment is None:
            return clip
        mix = sample_mix(self.augment, self.sampling.size, self._generator(epoch, of.index, of.turn, 1))
        target = mix.targets(clip.target, other.target)
        return LoadedClip(mix(clip.pixels, other.pixels), target, clip.index, clip.start)

    def _whole(self, of: ClipRequest, epoch: int) -> LoadedClip | None:
        """Make a clip; for training of the next example that is whole, for evaluation None if it is broken."""
        count = len(self.examples)
        candidates = (of.index,) if self.augment is None else range(of.index, of.index + count)
        for index in (candidate % count for candidate in candidates):
            if index in self._bad:
                continue
            try:
                return self._read(index, epoch, of)
            except SourceError as error:
                self._bad.add(index)
                self.broken[self.examples[index].path] = str(error)
        if len(self._bad) == count:
            raise DatasetError(f"none of the {count} clips can be read; {next(iter(self.broken.values()))}")
        return None

    def _read(self, index: int, epoch: int, of: ClipRequest) -> LoadedClip:
        example = self.examples[index]
        if self.augment is None:
            pixels, times = self._frames.clip(example, lambda first, end: self._view(first, end, of.turn))
        else:
            generator = self._generator(epoch, of.index, of.turn)
            augment = self.augment
            pixels, times = self._frames.clip(example, lambda first, end: self._moment(first, end, augment, generator))
            height, width = pixels.shape[1:3]
            pixels = sample_transform(augment, (width, height), self.sampling.size, generator)(pixels)
        return LoadedClip(pixels, self._targets[index], index, float(times.min()))

    def _view(self, first: float, end: float, number: int) -> Float64Array:
        start = self.sampling.starts(first, end, self._views)[number]
        return self.sampling.times(first + self._snap(start - first))

    def _moment(self, first: float, end: float, augment: Augment, generator: np.random.Generator) -> Float64Array:
        """Draw when a clip begins, how fast it is played, and whether backwards."""
        start, fast, backwards = generator.random(3)
        stride = augment.stride ** (2 * fast - 1)
        slack = max(0.0, end - first - self.sampling.seconds * stride)
        times: Float64Array = self.sampling.times(0.0) * stride + first + self._snap(start * slack)
        return times[::-1] if backwards < augment.reverse else times

    def _snap(self, seconds: float) -> float:
        """Give the last moment for which a picture was kept: a clip from there shows just what is on screen."""
        return float(int(seconds * self._frames.rate + 1e-6) / self._frames.rate)


def _check(examples: Sequence[Example], batch: int, views: int, world: int) -> None:
    if not examples:
        raise DatasetError("there are no clips to load; check the folder and its splits")
    if batch < 1 or batch % world:
        raise OptionError(
            f"a batch of {batch} clips cannot be cut into {world} equal parts; give a multiple of {world}"
        )
    if views < 1:
        raise OptionError(f"cannot take {views} views of a clip; give 1 or more")


def targets(examples: Sequence[Example], classes: Sequence[str]) -> Float32Array:
    """Give the (N, K) targets of examples: 1 for each of an example's classes.

    Raises:
        DatasetError: an example has a label that is none of the classes.
    """
    column = {name: place for place, name in enumerate(classes)}
    rows = np.zeros((len(examples), len(classes)), np.float32)
    for row, example in zip(rows, examples, strict=True):
        for label in example.labels:
            if label not in column:
                raise DatasetError(f"{example.path} is labelled {label}, which is none of {', '.join(classes)}")
            row[column[label]] = 1
    return rows


def balanced(targets: Float32Array, count: int, generator: np.random.Generator) -> list[int]:
    """Give ``count`` places of (N, K) targets, every class equally often, in a random order.

    An example of several classes stands for the rarest of them; one of none is not drawn.
    """
    rarest = np.where(targets > 0, targets.sum(0), np.inf).argmin(1)
    members = [np.flatnonzero((rarest == one) & (targets.sum(1) > 0)) for one in range(targets.shape[1])]
    members = [generator.permutation(places) for places in members if len(places)]
    each = math.ceil(count / len(members))
    # Turn by turn through the classes, so that what is cut off at the end is at most one of each.
    turns = np.stack([np.resize(places, each) for places in members], axis=1).ravel()[:count]
    return [int(place) for place in generator.permutation(turns)]


def _turns(order: list[int]) -> list[ClipRequest]:
    """Count how often each example of an order has come already."""
    seen: Counter[int] = Counter()
    draws = []
    for index in order:
        draws.append(ClipRequest(index, seen[index]))
        seen[index] += 1
    return draws


def _stack(clips: list[LoadedClip]) -> Batch | None:
    if not clips:
        return None
    return Batch(
        np.stack([clip.pixels for clip in clips]),
        np.stack([clip.target for clip in clips]),
        np.array([clip.index for clip in clips], np.int64),
        np.array([clip.start for clip in clips], np.float64),
    )
