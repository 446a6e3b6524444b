"""Metrics of generated clips under a documented protocol, beside baselines from real clips.

A score means something only beside others of the same protocol, and beside what real clips score: two halves of them,
or real clips whose frames are shuffled, blurred, or repeated. Action-recognition networks are far more sensitive to the
content of frames than to their order (Ge et al., "On the content bias in Fréchet video distance", CVPR 2024). Therefore
the same network also embeds the differences of neighbouring frames: their distance is reported separately, and measures
motion.
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
from kinoscope.core.callbacks import ProgressCallback
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
from kinoscope.core.sampling import nearest_frames
from kinoscope.imaging.augment import resize_clip
from kinoscope.imaging.reflect_time import reflect_times
from kinoscope.models.card import Card
from kinoscope.models.inference.classifier import get_sampling
from kinoscope.models.runtime.runner import Runner

SCHEMA = 3

RENAMED_FIELDS = {"generated": "made"}
"""Field of a protocol -> its name in hashes and in the scores of earlier releases."""

MIN_CLIPS = 16
"""Minimum number of real, and of generated, clips."""

BLUR_SIGMA = 2.0
"""Standard deviation in pixels, for frames of 64 pixels, of the blurred baseline."""

CONTENT_CLIPS = 32
"""Clips of either kind whose content consistency is measured frame by frame."""

COMPARED_SIDE = 16
"""Side in pixels of the frames in which clips are compared pixel by pixel."""

COPY_DISTANCE_SHARE = 0.5
"""Maximum distance of a copy: a generated clip counts as one if it is nearer to a real clip than this share of the
distance between real clips of different recordings.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """All that a score depends on besides the generator.

    Attributes:
        features: name of the network whose embeddings are compared.
        digest: of its weights.
        data: name of the real clips.
        real, generated: their numbers.
        frames, rate, size: of the clips, in frames, frames per second and pixels.
        resize: how frames are scaled to the network's input.
        decoder: what decoded the real clips.
        seed: of all sampling.
        schema: version of these rules.
    """

    features: str
    digest: str
    data: str
    real: int
    generated: int
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
        """Twelve hex digits that identify the protocol."""
        stored = {RENAMED_FIELDS.get(name, name): value for name, value in asdict(self).items()}
        return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()[:12]

    def demand_same(self, other: dict[str, Any]) -> None:
        """Refuse to compare with a score of another protocol.

        Raises:
            OptionError: they differ; the message names the differences.
        """
        ours = asdict(self)
        theirs = {name: other.get(name, other.get(RENAMED_FIELDS.get(name, name))) for name in ours}
        differences = [f"{name} {theirs[name]} there, {ours[name]} here" for name in ours if theirs[name] != ours[name]]
        if differences:
            raise OptionError(f"the protocols differ: {'; '.join(differences)}; evaluate both under the same protocol")


@dataclass(frozen=True, kw_only=True)
class ClipSet:
    """Clips to compare.

    Attributes:
        pixels: (N, T, S, S, 3).
        labels: (N,) indices of classes, or None.
        groups: of each real clip, such as its recording; empty if unknown.
    """

    pixels: Pixels
    labels: Int64Array | None = None
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, kw_only=True)
class ClipEmbeddings:
    """Outputs of a network for clips: embeddings (N, D) of the clips and of their frame differences, logits (N, K)."""

    embeddings: Float64Array
    changes: Float64Array
    logits: Float64Array


@dataclass(kw_only=True)
class GenerationScores:
    """Similarity of generated clips to real ones.

    Attributes:
        protocol: what was compared, and how.
        fvd: Fréchet video distance; with its ``interval`` of 95 % (None for too few groups), and extrapolated to
            infinitely many generated clips (``extrapolated_frechet_distance``).
        motion: Fréchet distance of frame differences; with ``motion_interval``.
        kvd: kernel distance, times 1000.
        precision, recall: shares.
        diversity, diversity_real: mean distance of clips of a class.
        content, content_real: average content distance.
        baselines, motion_baselines: transform -> both distances of a half of the real clips from the other half,
            transformed.
        nearest: for each generated clip, the index of the nearest real one; ``nearest_pixels`` its distance in grey
            levels.
        real_distance: distance between real clips of different recordings, in grey levels: median and 5th percentile.
        copies: indices of generated clips that are copies.
        class_accuracy: share of the generated clips whose intended class is recognized, ``class_accuracy_interval`` of
            95 %, ``class_accuracy_real`` of the real ones, and ``chance``; None without classes, or if the network does
            not know them.
        by_class: the accuracy of each class.
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
    baselines: dict[str, float]
    motion_baselines: dict[str, float]
    nearest: list[int] = field(default_factory=list)
    nearest_pixels: list[float] = field(default_factory=list)
    real_distance: tuple[float, float] = (0.0, 0.0)
    copies: list[int] = field(default_factory=list)
    class_accuracy: float | None = None
    class_accuracy_interval: tuple[float, float] | None = None
    class_accuracy_real: float | None = None
    chance: float | None = None
    by_class: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self) | {"protocol_hash": self.protocol.hash, "protocol_text": str(self.protocol)}


class Features:
    """A network that embeds clips of any length, rate and size.

    Args:
        runner: of a card that classifies clips.
        rate: of the clips, in frames per second.
    """

    def __init__(self, runner: Runner, rate: float) -> None:
        self.runner, self.rate = runner, rate
        self.sampling = get_sampling(runner.card)

    @property
    def card(self) -> Card:
        """The card of the network."""
        return self.runner.card

    def __call__(self, clips: Pixels, progress: ProgressCallback | None = None) -> ClipEmbeddings:
        """Embed clips (N, T, S, S, 3)."""
        picks, rows = self._picks(clips.shape[1]), []
        for number, clip in enumerate(clips):
            frames = resize_clip(clip[picks], self.sampling.size)
            outputs, motion = self.runner(frames[None]), self.runner(changes(frames)[None])
            rows.append((outputs[0][0], motion[0][0], outputs[-1][0]))
            if progress:
                progress(number + 1, len(clips))
        embeddings, moves, logits = (np.array(part, np.float64) for part in zip(*rows, strict=True))
        return ClipEmbeddings(embeddings=embeddings, changes=moves, logits=logits)

    def _picks(self, frames: int) -> Int64Array:
        """Return the indices of the network's input frames; a short clip is played forwards and backwards."""
        times = np.arange(frames) / self.rate
        times_wanted = np.arange(self.sampling.frames) / self.sampling.rate
        return np.asarray(nearest_frames(times, reflect_times(times_wanted, 0.0, frames / self.rate)))


def changes(clip: Pixels) -> Pixels:
    """Return the difference of each frame of a clip (T, H, W, 3) from the next, doubled, around grey."""
    moves = np.diff(clip.astype(np.int16), axis=0)
    moves = np.concatenate([moves, moves[-1:]]) if len(moves) else np.zeros_like(clip, np.int16)
    return np.asarray(np.clip(128 + 2 * moves, 0, 255), np.uint8)


def score(
    real: ClipSet,
    generated: ClipSet,
    features: Features,
    frame_features: Callable[[Pixels], Float64Array],
    protocol: Protocol,
    classes: Sequence[str] = (),
    classifier: Features | None = None,
    progress: ProgressCallback | None = None,
) -> GenerationScores:
    """Compare generated clips with real ones.

    Args:
        features: whose embeddings are compared.
        frame_features: returns features (T, D) of the frames of a clip.
        classes: names, by label.
        classifier: which recognizes the classes; ``features`` if not given.
        progress: called as the work proceeds.

    Raises:
        DatasetError: there are too few clips.
    """
    demand_enough(len(real), len(generated))
    real_outputs, fake_outputs = features(real.pixels), features(generated.pixels, progress)
    a, b = real_outputs.embeddings, fake_outputs.embeddings
    precision, recall = precision_recall(a, b)
    baselines = Baselines(real, features, protocol.seed).measure(real_outputs)
    scores = GenerationScores(
        protocol=protocol,
        fvd=frechet_distance(a, b),
        interval=frechet_interval(a, b, real.groups or None, protocol.seed),
        endless=extrapolated_frechet_distance(a, b, protocol.seed),
        motion=frechet_distance(real_outputs.changes, fake_outputs.changes),
        motion_interval=frechet_interval(
            real_outputs.changes, fake_outputs.changes, real.groups or None, protocol.seed
        ),
        kvd=1000 * kernel_distance(a, b),
        precision=precision,
        recall=recall,
        diversity=diversity(b, generated.labels),
        diversity_real=diversity(a, real.labels),
        content=content_distance([frame_features(clip) for clip in generated.pixels[:CONTENT_CLIPS]]),
        content_real=content_distance([frame_features(clip) for clip in _spread_evenly(real.pixels)]),
        baselines={name: distances[0] for name, distances in baselines.items()},
        motion_baselines={name: distances[1] for name, distances in baselines.items()},
    )
    _compare_pixels(scores, real, generated)
    if classes:
        outputs = (real_outputs, fake_outputs) if classifier is None else None
        _score_classes(scores, real, generated, classifier or features, classes, outputs)
    return scores


def _spread_evenly(clips: Pixels) -> Pixels:
    """Return the clips whose content is measured, spread evenly over all."""
    chosen: Pixels = clips[np.unique(np.linspace(0, len(clips) - 1, CONTENT_CLIPS).round().astype(int))]
    return chosen


def demand_enough(real: int, generated: int) -> None:
    """Demand enough real and generated clips.

    Raises:
        DatasetError: there are too few.
    """
    if min(real, generated) < MIN_CLIPS:
        raise DatasetError(
            f"there are {real} real clips and {generated} generated ones, and a distance of fewer than "
            f"{MIN_CLIPS} is not meaningful; give more clips, or longer ones, or a larger -n"
        )


@dataclass
class Baselines:
    """Scores of real clips: one half against the other half, as it is and transformed.

    No recording is in both halves, so that they differ as much as clips that were not learned from.
    """

    real: ClipSet
    features: Features
    seed: int

    def measure(self, outputs: ClipEmbeddings) -> dict[str, tuple[float, float]]:
        """Return both distances of a half of the clips, whose embeddings these are, from the other half and its
        transforms.
        """
        random = np.random.default_rng(self.seed)
        first = halves(self.real.groups or tuple(map(str, range(len(self.real)))), random)
        if not 1 < first.sum() < len(first) - 1:
            return {}
        transforms: dict[str, Callable[[Pixels], Pixels]] = {
            "frames shuffled": lambda clip: clip[random.permutation(len(clip))],
            "blurred": blur,
            "first frame repeated": lambda clip: np.repeat(clip[:1], len(clip), 0),
        }
        a, b = outputs.embeddings[first], outputs.changes[first]
        distances = {
            "as they are": (
                frechet_distance(a, outputs.embeddings[~first]),
                frechet_distance(b, outputs.changes[~first]),
            )
        }
        for name, transform in transforms.items():
            other = self.features(np.stack([transform(clip) for clip in self.real.pixels[~first]]))
            distances[name] = (frechet_distance(a, other.embeddings), frechet_distance(b, other.changes))
        return distances


def halves(groups: Sequence[str], random: np.random.Generator) -> BoolArray:
    """Split clips into two halves, (N,) true for the first, each group on one side."""
    _, group = np.unique(groups, return_inverse=True)
    order = random.permutation(int(group.max()) + 1)
    return np.isin(group, order[: (len(order) + 1) // 2])


def blur(clip: Pixels) -> Pixels:
    """Blur a clip (T, S, S, 3)."""
    sigma = BLUR_SIGMA * clip.shape[1] / 64
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip]).astype(np.uint8)


def _compare_pixels(scores: GenerationScores, real: ClipSet, generated: ClipSet) -> None:
    """Find the nearest real clip of each generated one, pixel by pixel, and which are copies."""
    a, b = _shrink(real.pixels), _shrink(generated.pixels)
    distances = np.stack([np.abs(a - clip).mean(1) for clip in b])
    scores.nearest = [int(index) for index in distances.argmin(1)]
    scores.nearest_pixels = [round(float(value), 3) for value in distances.min(1)]
    groups = np.array(real.groups) if real.groups else np.arange(len(a)).astype(str)
    real_distances = np.stack([np.abs(a - clip).mean(1) for clip in a])
    real_distances[groups[:, None] == groups] = np.inf
    finite = real_distances.min(1)[np.isfinite(real_distances.min(1))]
    if len(finite):
        scores.real_distance = (round(float(np.median(finite)), 3), round(float(np.percentile(finite, 5)), 3))
        scores.copies = [
            i for i, value in enumerate(scores.nearest_pixels) if value < COPY_DISTANCE_SHARE * scores.real_distance[1]
        ]


def _shrink(clips: Pixels) -> Float32Array:
    """Return clips (N, T, S, S, 3) as rows of small frames, (N, F)."""
    return np.stack([resize_clip(clip, (COMPARED_SIDE, COMPARED_SIDE)).astype(np.float32).ravel() for clip in clips])


def _score_classes(
    scores: GenerationScores, real: ClipSet, generated: ClipSet, classifier: Features, classes: Sequence[str],
    outputs: tuple[ClipEmbeddings, ClipEmbeddings] | None,
) -> None:  # fmt: skip
    """Score the recognition of the intended classes by a network that knows them."""
    columns = _columns(classifier.card, classes)
    if columns is None or real.labels is None or generated.labels is None:
        return
    real_outputs, fake_outputs = outputs or (classifier(real.pixels), classifier(generated.pixels))
    correct = fake_outputs.logits[:, columns].argmax(1) == generated.labels
    scores.class_accuracy = float(correct.mean())
    scores.class_accuracy_interval = binomial_interval(int(correct.sum()), len(correct))
    scores.class_accuracy_real = float((real_outputs.logits[:, columns].argmax(1) == real.labels).mean())
    scores.chance = 1 / len(classes)
    scores.by_class = {name: float(correct[generated.labels == i].mean()) for i, name in enumerate(classes)}


def _columns(card: Card, classes: Sequence[str]) -> list[int] | None:
    """Return the columns of the logits that are the classes, or None if the network does not know them all."""
    names = list(card.labels)
    return [names.index(name) for name in classes] if set(classes) <= set(names) else None


def mean_colours(clip: Pixels) -> Float64Array:
    """Return mean colours of a coarse grid of each frame, (T, 48): content features without a network."""
    return resize_clip(clip, (4, 4)).reshape(len(clip), -1).astype(np.float64)
