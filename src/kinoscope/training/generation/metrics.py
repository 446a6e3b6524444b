"""Scores of made clips that can be trusted: under a protocol that is written down, beside floors from real clips.

A score means something only beside others of the same protocol, and beside what real clips get: two halves of them, or
real clips whose frames are shuffled, blurred, or held still. Networks that tell actions see what is on the pictures far
better than in which order they come (Ge et al., "On the content bias in Fréchet video distance", CVPR 2024), so that
the same network also looks at how each picture differs from the next: that distance is told apart, and sees motion.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from kinoscope.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.intervals import binomial_interval
from kinoscope.core.media import Pixels
from kinoscope.core.metrics.generation import (
    content_distance,
    diversity,
    extrapolated_frechet_distance,
    frechet_distance,
    frechet_interval,
    kernel_distance,
    precision_recall,
)
from kinoscope.core.progress import ProgressCallback
from kinoscope.core.sampling import nearest_frames
from kinoscope.imaging.augment import resize_clip
from kinoscope.imaging.reflect_time import reflect_times
from kinoscope.models.card import Card
from kinoscope.models.inference.classifier import get_sampling
from kinoscope.models.runtime.runner import Runner

SCHEMA = 3

FEWEST = 16
"""Clips that are needed of both sides."""

BLUR = 2.0
"""Standard deviation of the blur of a floor, in pixels for a side of 64."""

LOOKED_AT = 32
"""Clips of both sides whose content is compared picture by picture."""

SMALL = 16
"""Side of the pictures in which clips are compared, pixel by pixel."""

COPY = 0.5
"""A made clip is called a copy if it is nearer to a real one than this share of how near real clips of different
recordings come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """All that a score depends on besides the clips.

    Attributes:
        features: name of the network whose embeddings are compared. digest: of its weights.
        data: name of the real clips. real, made: how many there are of both.
        frames, rate, size: of the clips, in pictures, pictures a second and pixels.
        resize: how pictures are brought to the network's size. decoder: what read the real clips.
        seed: of what is drawn. schema: of these rules.
    """

    features: str
    digest: str
    data: str
    real: int
    made: int
    frames: int
    rate: float
    size: int
    resize: str = "area"
    decoder: str = ""
    seed: int = 0
    schema: int = SCHEMA

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())

    @property
    def hash(self) -> str:
        """Twelve hex digits that stand for all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def demand_same(self, other: dict[str, Any]) -> None:
        """Refuse to compare with a score of another protocol.

        Raises:
            OptionError: they differ; the message says in what.
        """
        ours = asdict(self)
        unlike = [
            f"{name} {other.get(name)} there, {ours[name]} here" for name in ours if other.get(name) != ours[name]
        ]
        if unlike:
            raise OptionError(f"the scores are of unlike protocols: {'; '.join(unlike)}; measure both in the same way")


@dataclass(frozen=True, kw_only=True)
class ClipSet:
    """Clips that are compared.

    Attributes:
        pixels: (N, T, S, S, 3). labels: (N,) indices of classes, or None.
        groups: what each real clip belongs to, such as its recording; empty where that is not known.
    """

    pixels: Pixels
    labels: Int64Array | None = None
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, kw_only=True)
class ClipEmbeddings:
    """What a network says of clips: embeddings (N, D) of them and of their changes, logits (N, K)."""

    embeddings: Float64Array
    changes: Float64Array
    logits: Float64Array


@dataclass(kw_only=True)
class GenerationScores:
    """How near made clips are to real ones.

    Attributes:
        protocol: what was compared, and how.
        fvd: Fréchet distance; with ``interval`` of 95 % (None of too few groups), and as ``endless`` many made clips
            would have it.
        motion: Fréchet distance of how pictures change; with ``motion_interval``.
        kvd: kernel distance, times 1000. precision, recall: shares.
        diversity, diversity_real: mean distance of clips of a class. content, content_real: average content distance.
        floors, motion_floors: what was done -> both distances of a half of the real clips from the other half, with
            that done to it.
        nearest: for each made clip, the index of the nearest real one; ``nearest_pixels`` how far, in grey levels.
        usual: how near real clips of other recordings come, in grey levels: median and 5th percentile.
        copies: indices of made clips that are copies.
        judged: share of the made clips whose intended class is told, ``judged_interval`` of 95 %, ``judged_real`` of
            the real ones, and ``chance``; None where there are no classes, or the network does not know them.
        by_class: the share of each class.
    """

    protocol: Protocol
    fvd: float
    interval: tuple[float, float] | None
    endless: float
    motion: float
    motion_interval: tuple[float, float] | None
    kvd: float
    precision: float
    recall: float
    diversity: float
    diversity_real: float
    content: float
    content_real: float
    floors: dict[str, float]
    motion_floors: dict[str, float]
    nearest: list[int] = field(default_factory=list)
    nearest_pixels: list[float] = field(default_factory=list)
    usual: tuple[float, float] = (0.0, 0.0)
    copies: list[int] = field(default_factory=list)
    judged: float | None = None
    judged_interval: tuple[float, float] | None = None
    judged_real: float | None = None
    chance: float | None = None
    by_class: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return asdict(self) | {"protocol_hash": self.protocol.hash, "protocol_text": str(self.protocol)}


class Features:
    """A network that gives embeddings of clips, whatever their length, rate and size.

    Args:
        runner: of a card that classifies clips. rate: of the clips, in pictures a second.
    """

    def __init__(self, runner: Runner, rate: float) -> None:
        self.runner, self.rate = runner, rate
        self.sampling = get_sampling(runner.card)

    @property
    def card(self) -> Card:
        """What the network is."""
        return self.runner.card

    def __call__(self, clips: Pixels, progress: ProgressCallback | None = None) -> ClipEmbeddings:
        """Look at clips (N, T, S, S, 3)."""
        picks, rows = self._picks(clips.shape[1]), []
        for number, clip in enumerate(clips):
            shown = resize_clip(clip[picks], self.sampling.size)
            outputs, moved = self.runner(shown[None]), self.runner(changes(shown)[None])
            rows.append((outputs[0][0], moved[0][0], outputs[-1][0]))
            if progress:
                progress(number + 1, len(clips))
        embeddings, moves, logits = (np.array(part, np.float64) for part in zip(*rows, strict=True))
        return ClipEmbeddings(embeddings=embeddings, changes=moves, logits=logits)

    def _picks(self, frames: int) -> Int64Array:
        """Give which pictures the network is shown; a short clip is played to and fro."""
        times = np.arange(frames) / self.rate
        wanted = np.arange(self.sampling.frames) / self.sampling.rate
        return np.asarray(nearest_frames(times, reflect_times(wanted, 0.0, frames / self.rate)))


def changes(clip: Pixels) -> Pixels:
    """Give how each picture of a clip (T, H, W, 3) differs from the next, twice as strong, around grey."""
    moves = np.diff(clip.astype(np.int16), axis=0)
    moves = np.concatenate([moves, moves[-1:]]) if len(moves) else np.zeros_like(clip, np.int16)
    return np.asarray(np.clip(128 + 2 * moves, 0, 255), np.uint8)


def score(
    real: ClipSet,
    made: ClipSet,
    features: Features,
    pictures: Callable[[Pixels], Float64Array],
    protocol: Protocol,
    classes: Sequence[str] = (),
    judge: Features | None = None,
    progress: ProgressCallback | None = None,
) -> GenerationScores:
    """Compare made clips with real ones.

    Args:
        features: whose embeddings are compared. pictures: gives features (T, D) of the pictures of a clip.
        classes: names, by label. judge: which tells classes; ``features`` if not given.
        progress: told of parts of the work.

    Raises:
        DatasetError: there are too few clips.
    """
    demand_enough(len(real), len(made))
    floors = Baselines(real, features, protocol.seed)
    told_real, told_made = features(real.pixels), features(made.pixels, progress)
    a, b = told_real.embeddings, told_made.embeddings
    precision, recall = precision_recall(a, b)
    found_floors = floors.measure(told_real)
    found = GenerationScores(
        protocol=protocol,
        fvd=frechet_distance(a, b),
        interval=frechet_interval(a, b, real.groups or None, protocol.seed),
        endless=extrapolated_frechet_distance(a, b, protocol.seed),
        motion=frechet_distance(told_real.changes, told_made.changes),
        motion_interval=frechet_interval(told_real.changes, told_made.changes, real.groups or None, protocol.seed),
        kvd=1000 * kernel_distance(a, b),
        precision=precision,
        recall=recall,
        diversity=diversity(b, made.labels),
        diversity_real=diversity(a, real.labels),
        content=content_distance([pictures(clip) for clip in made.pixels[:LOOKED_AT]]),
        content_real=content_distance([pictures(clip) for clip in _some(real.pixels)]),
        floors={name: both[0] for name, both in found_floors.items()},
        motion_floors={name: both[1] for name, both in found_floors.items()},
    )
    _compare_pixels(found, real, made)
    if classes:
        _judge(found, real, made, judge or features, classes, (told_real, told_made) if judge is None else None)
    return found


def _some(clips: Pixels) -> Pixels:
    """Give as many clips as content is compared of, spread over all."""
    some: Pixels = clips[np.unique(np.linspace(0, len(clips) - 1, LOOKED_AT).round().astype(int))]
    return some


def demand_enough(real: int, made: int) -> None:
    """Make sure that there are enough clips of both sides.

    Raises:
        DatasetError: there are not.
    """
    if min(real, made) < FEWEST:
        raise DatasetError(
            f"there are {real} real clips and {made} made ones, and a distance of fewer than {FEWEST} says nothing; "
            "give more clips, or longer ones, or a larger -n"
        )


@dataclass
class Baselines:
    """What real clips get: a half of them, against the other half as it is, and as it is spoiled in some way.

    No recording is in both halves, so that a half is as unlike the other as clips are that were not learned from.
    """

    real: ClipSet
    features: Features
    seed: int

    def measure(self, told: ClipEmbeddings) -> dict[str, tuple[float, float]]:
        """Give both distances of a half of the clips, of which this was told, from the other and its spoiled forms."""
        random = np.random.default_rng(self.seed)
        first = halves(self.real.groups or tuple(map(str, range(len(self.real)))), random)
        if not 1 < first.sum() < len(first) - 1:
            return {}
        spoiled: dict[str, Callable[[Pixels], Pixels]] = {
            "frames shuffled": lambda clip: clip[random.permutation(len(clip))],
            "blurred": blurred,
            "first frame held": lambda clip: np.repeat(clip[:1], len(clip), 0),
        }
        a, b = told.embeddings[first], told.changes[first]
        found = {
            "as they are": (frechet_distance(a, told.embeddings[~first]), frechet_distance(b, told.changes[~first]))
        }
        for name, spoil in spoiled.items():
            other = self.features(np.stack([spoil(clip) for clip in self.real.pixels[~first]]))
            found[name] = (frechet_distance(a, other.embeddings), frechet_distance(b, other.changes))
        return found


def halves(groups: Sequence[str], random: np.random.Generator) -> BoolArray:
    """Part clips into two halves, (N,) true for the first, each group on one side."""
    _, group = np.unique(groups, return_inverse=True)
    order = random.permutation(int(group.max()) + 1)
    return np.isin(group, order[: (len(order) + 1) // 2])


def blurred(clip: Pixels) -> Pixels:
    """Blur a clip (T, S, S, 3)."""
    spread = BLUR * clip.shape[1] / 64
    return np.stack([cv2.GaussianBlur(picture, (0, 0), spread) for picture in clip]).astype(np.uint8)


def _compare_pixels(found: GenerationScores, real: ClipSet, made: ClipSet) -> None:
    """Find the nearest real clip of each made one, pixel by pixel, and which are copies."""
    a, b = _small(real.pixels), _small(made.pixels)
    apart = np.stack([np.abs(a - clip).mean(1) for clip in b])
    found.nearest = [int(index) for index in apart.argmin(1)]
    found.nearest_pixels = [round(float(value), 3) for value in apart.min(1)]
    groups = np.array(real.groups) if real.groups else np.arange(len(a)).astype(str)
    apart_real = np.stack([np.abs(a - clip).mean(1) for clip in a])
    apart_real[groups[:, None] == groups] = np.inf
    usual = apart_real.min(1)[np.isfinite(apart_real.min(1))]
    if len(usual):
        found.usual = (round(float(np.median(usual)), 3), round(float(np.percentile(usual, 5)), 3))
        found.copies = [i for i, value in enumerate(found.nearest_pixels) if value < COPY * found.usual[1]]


def _small(clips: Pixels) -> Float32Array:
    """Give clips (N, T, S, S, 3) as rows of small pictures, (N, F)."""
    return np.stack([resize_clip(clip, (SMALL, SMALL)).astype(np.float32).ravel() for clip in clips])


def _judge(
    found: GenerationScores, real: ClipSet, made: ClipSet, judge: Features, classes: Sequence[str],
    told: tuple[ClipEmbeddings, ClipEmbeddings] | None,
) -> None:  # fmt: skip
    """Let a network that knows the classes tell them."""
    columns = _columns(judge.card, classes)
    if columns is None or real.labels is None or made.labels is None:
        return
    of_real, of_made = told or (judge(real.pixels), judge(made.pixels))
    right = of_made.logits[:, columns].argmax(1) == made.labels
    found.judged = float(right.mean())
    found.judged_interval = binomial_interval(int(right.sum()), len(right))
    found.judged_real = float((of_real.logits[:, columns].argmax(1) == real.labels).mean())
    found.chance = 1 / len(classes)
    found.by_class = {name: float(right[made.labels == i].mean()) for i, name in enumerate(classes)}


def _columns(card: Card, classes: Sequence[str]) -> list[int] | None:
    """Give the columns of the logits that are the classes, or None if the network does not know them all."""
    names = list(card.labels)
    return [names.index(name) for name in classes] if set(classes) <= set(names) else None


def mean_colours(clip: Pixels) -> Float64Array:
    """Give mean colours of a coarse grid of each picture, (T, 48): content is compared by them without a network."""
    return resize_clip(clip, (4, 4)).reshape(len(clip), -1).astype(np.float64)
