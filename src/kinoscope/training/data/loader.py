"""Loader of batches of clips, prepared by threads ahead of the training loop.

Decoding, warping and copying release the GIL, so threads are enough; a batch is prepared by one of them as a whole. The
randomness of a clip depends on the seed, the epoch and the example alone, hence neither the number of threads nor that
of processes changes anything: each global batch is the same, and a process prepares its share of it.
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
from kinoscope.training.distributed import require_equal_shares

MARGIN = 1.25
"""Size of the frames from which augmented ones are cropped, relative to the network's input."""

MAX_WORKERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A batch of clips.

    Attributes:
        pixels: (N, T, H, W, 3) uint8, RGB.
        targets: (N, K) float32: 1 for the classes of a clip, else 0; in between where clips are mixed.
        indices: (N,) int64, the example of each clip.
        starts: (N,) float64, start of each clip in its video, in seconds.
    """

    pixels: Pixels
    targets: Float32Array
    indices: Int64Array
    starts: Float64Array

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """A clip to load: of an example, its occurrence (from 0) in an epoch."""

    index: int
    occurrence: int


@dataclass(frozen=True, slots=True, eq=False)
class LoadedClip:
    """One clip: pixels (T, H, W, 3), target (K,), index of its example, and its start in seconds."""

    pixels: Pixels
    target: Float32Array
    index: int
    start: float


class Loader:
    """Batches of the clips of examples.

    With ``augment``, for training: each epoch shows every example once, in a random order, from a random moment on and
    augmented; the last batch is filled up with further clips of the first ones, so that all are of one size. An
    unreadable example is replaced by the next readable one. Without, for evaluation: ``views`` clips of each example in
    order, as at inference; unreadable examples are left out, so a batch may be smaller, and an empty one is skipped.

    Args:
        examples: of which clips are sampled.
        classes: names, in the order of the targets.
        sampling: frames, rate and size of a clip.
        augment: augmentation of the clips.
        batch: clips in a global batch; each of ``world`` processes prepares its share.
        views: clips of each example, spread evenly over it; for evaluation.
        seed: of all randomness.
        balance: whether every class is equally frequent in an epoch; for training.
        rank, world: rank of this process, and number of processes.
        workers: threads; by default one for each core, at most 8.
        cache: whether to cache decoded frames on disk.

    Attributes:
        unreadable: path -> reason, of the examples that could not be read so far.
        waited: seconds that the consumer has waited for data so far.

    Raises:
        DatasetError: there are no examples.
        OptionError: the batch cannot be divided into equal shares.
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
        self._workers = workers or min(MAX_WORKERS, core_count())
        self._frames = FrameCache(sampling, MARGIN if augment else 1.0, cache)
        self._targets = targets(self.examples, self.classes)
        self._unreadable_indices: set[int] = set()
        self.unreadable: dict[str, str] = {}
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
                    ahead.append(pool.submit(self._load_batch, part, number))
                    if len(ahead) > self._workers + 1:
                        yield from self._take(ahead)
                while ahead:
                    yield from self._take(ahead)
            finally:
                pool.shutdown(cancel_futures=True)

    def clip(self, index: int, epoch: int = 0) -> Pixels:
        """Return one clip (T, H, W, 3) of an example, as training sees it in an epoch.

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
        """Yield the requests of each global batch."""
        if self.augment is None:
            requests = [ClipRequest(index, view) for index in range(len(self.examples)) for view in range(self._views)]
        else:
            requests = _number_occurrences(self._order(number))
        for start in range(0, len(requests), self._batch):
            yield requests[start : start + self._batch]

    def _order(self, number: int) -> list[int]:
        """Return the order of the examples in a training epoch, as many as fill its batches."""
        generator, count = self._generator(number), len(self) * self._batch
        if self._balance:
            return balanced(self._targets, count, generator)
        return [int(index) for index in np.resize(generator.permutation(len(self.examples)), count)]

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed % 2**32, *key])

    def _load_batch(self, requests: list[ClipRequest], epoch: int) -> Batch | None:
        """Load this process's share of a global batch."""
        mine = range(self._rank, len(requests), self._world)
        mixes = self.augment is not None and self.augment.mixes
        # Each clip is mixed with the next one of the global batch, whichever process that belongs to.
        needed = sorted({*mine, *((row + 1) % len(requests) for row in mine)}) if mixes else mine
        loaded = {row: self._load_readable(requests[row], epoch) for row in needed}
        clips = [loaded[row] for row in mine]
        if mixes:
            others = [loaded[(row + 1) % len(requests)] for row in mine]
            clips = [
                self._mix(*three, epoch) for three in zip(clips, others, map(requests.__getitem__, mine), strict=True)
            ]
        return _stack([clip for clip in clips if clip is not None])

    def _mix(
        self, clip: LoadedClip | None, other: LoadedClip | None, request: ClipRequest, epoch: int
    ) -> LoadedClip | None:
        if clip is None or other is None or self.augment is None:
            return clip
        mix = sample_mix(self.augment, self.sampling.size, self._generator(epoch, request.index, request.occurrence, 1))
        target = mix.targets(clip.target, other.target)
        return LoadedClip(mix(clip.pixels, other.pixels), target, clip.index, clip.start)

    def _load_readable(self, request: ClipRequest, epoch: int) -> LoadedClip | None:
        """Load a clip; of an unreadable example, the next readable one's for training, None for evaluation."""
        count = len(self.examples)
        candidates = (request.index,) if self.augment is None else range(request.index, request.index + count)
        for index in (candidate % count for candidate in candidates):
            if index in self._unreadable_indices:
                continue
            try:
                return self._read(index, epoch, request)
            except SourceError as error:
                self._unreadable_indices.add(index)
                self.unreadable[self.examples[index].path] = str(error)
        if len(self._unreadable_indices) == count:
            raise DatasetError(f"none of the {count} clips can be read; {next(iter(self.unreadable.values()))}")
        return None

    def _read(self, index: int, epoch: int, request: ClipRequest) -> LoadedClip:
        example = self.examples[index]
        if self.augment is None:
            pixels, times = self._frames.clip(example, lambda first, end: self._view(first, end, request.occurrence))
        else:
            generator = self._generator(epoch, request.index, request.occurrence)
            augment = self.augment
            pixels, times = self._frames.clip(
                example, lambda first, end: self._sample_times(first, end, augment, generator)
            )
            height, width = pixels.shape[1:3]
            pixels = sample_transform(augment, (width, height), self.sampling.size, generator)(pixels)
        return LoadedClip(pixels, self._targets[index], index, float(times.min()))

    def _view(self, first: float, end: float, number: int) -> Float64Array:
        start = self.sampling.starts(first, end, self._views)[number]
        return self.sampling.times(first + self._snap(start - first))

    def _sample_times(self, first: float, end: float, augment: Augment, generator: np.random.Generator) -> Float64Array:
        """Sample the start of a clip, its speed, and whether it is played backwards."""
        start, speed, backwards = generator.random(3)
        stride = augment.stride ** (2 * speed - 1)
        slack = max(0.0, end - first - self.sampling.seconds * stride)
        times: Float64Array = self.sampling.times(0.0) * stride + first + self._snap(start * slack)
        return times[::-1] if backwards < augment.reverse else times

    def _snap(self, seconds: float) -> float:
        """Return the time of the last cached frame: a clip from there shows exactly the frames on screen."""
        return float(int(seconds * self._frames.rate + 1e-6) / self._frames.rate)


def _check(examples: Sequence[Example], batch: int, views: int, world: int) -> None:
    if not examples:
        raise DatasetError("there are no clips to load; check the folder and its splits")
    require_equal_shares(batch, world)
    if views < 1:
        raise OptionError(f"cannot take {views} views of a clip; give 1 or more")


def targets(examples: Sequence[Example], classes: Sequence[str]) -> Float32Array:
    """Return the (N, K) targets of examples: 1 for each of an example's classes.

    Raises:
        DatasetError: an example has a label that is none of the classes.
    """
    column = {name: index for index, name in enumerate(classes)}
    rows = np.zeros((len(examples), len(classes)), np.float32)
    for row, example in zip(rows, examples, strict=True):
        for label in example.labels:
            if label not in column:
                raise DatasetError(f"{example.path} is labelled {label}, which is none of {', '.join(classes)}")
            row[column[label]] = 1
    return rows


def balanced(targets: Float32Array, count: int, generator: np.random.Generator) -> list[int]:
    """Return ``count`` indices of (N, K) targets, every class equally often, in a random order.

    An example of several classes counts for the rarest of them; one of none is not sampled.
    """
    rarest = np.where(targets > 0, targets.sum(0), np.inf).argmin(1)
    members = [np.flatnonzero((rarest == column) & (targets.sum(1) > 0)) for column in range(targets.shape[1])]
    members = [generator.permutation(indices) for indices in members if len(indices)]
    each = math.ceil(count / len(members))
    # Round-robin through the classes, so that what is cut off at the end is at most one of each.
    turns = np.stack([np.resize(indices, each) for indices in members], axis=1).ravel()[:count]
    return [int(index) for index in generator.permutation(turns)]


def _number_occurrences(order: list[int]) -> list[ClipRequest]:
    """Return requests that number the occurrences of each example in an order."""
    seen: Counter[int] = Counter()
    requests = []
    for index in order:
        requests.append(ClipRequest(index, seen[index]))
        seen[index] += 1
    return requests


def _stack(clips: list[LoadedClip]) -> Batch | None:
    if not clips:
        return None
    return Batch(
        np.stack([clip.pixels for clip in clips]),
        np.stack([clip.target for clip in clips]),
        np.array([clip.index for clip in clips], np.int64),
        np.array([clip.start for clip in clips], np.float64),
    )
