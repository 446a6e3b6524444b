"""The best few samples of a tracked face, by which its person is identified at the end of the track."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.models.inference.faces import FaceEmbedder, align_face, frontality, sharpness
from kinoscope.tasks.tracking.best_moments import TopMoments

MAX_SAMPLES = 4
"""Samples stored per face."""


MAX_SAME_PERSON_DISTANCE = 0.6
"""Distance of two consecutive samples of one track from which the later one shows another person: the authors'
threshold for two photos. In 21 tracks of one person each, two samples were at most 0.53 apart."""


@dataclass(slots=True)
class FaceSample:
    """One sample of a face.

    Attributes:
        quality: of the view, above 0.
        time: in seconds.
        chip: the aligned face, (150, 150, C).
        image: a JPEG file of it.
        embedding: (128,) once the track has ended.
    """

    quality: float
    time: float
    chip: Pixels
    image: bytes
    embedding: Float32Array | None = None


@dataclass(slots=True)
class FaceSamples:
    """The stored samples and landmarks of a tracked face.

    Attributes:
        best: its best samples.
        points: eleven numbers for each detection: time, then x and y of the five landmarks.
    """

    best: TopMoments[FaceSample] = field(default_factory=lambda: TopMoments(MAX_SAMPLES))
    points: array[float] = field(default_factory=lambda: array("d"))

    def offer(
        self, time: float, points: Float64Array, score: float, frame: Pixels, encode: Callable[[], bytes]
    ) -> None:
        """Store a sample of a detection if it is one of the best.

        Args:
            time: in seconds.
            points: (5, 2) landmarks, in pixels of ``frame``.
            score: of the detection.
            frame: (H, W, C).
            encode: returns the JPEG file.
        """
        chip = align_face(frame, points)
        quality = score * frontality(points) * sharpness(chip) * face_size(points)
        if self.best.accepts(time, quality):
            self.best.add(FaceSample(quality, time, chip, encode()))

    def embed(self, embedder: FaceEmbedder) -> None:
        """Compute the embeddings of the samples, and drop their pixels."""
        if self.best.moments:
            embeddings = embedder(np.stack([sample.chip for sample in self.best.moments]))
            for sample, embedding in zip(self.best.moments, embeddings, strict=True):
                # A copy: a view would keep all its pixels.
                sample.embedding, sample.chip = embedding, sample.chip[:0].copy()


def identity_changes(samples: FaceSamples, cuts: Sequence[float]) -> list[float]:
    """Return the times, in seconds, at which a track changes to another person's face, by its embedded samples.

    That is somewhere between two samples: at a cut if there is one, which is not returned again, else where the
    landmarks move most.
    """
    ordered = sorted(
        (sample for sample in samples.best.moments if sample.embedding is not None), key=lambda sample: sample.time
    )
    pairs = [
        (first, second)
        for first, second in pairwise(ordered)
        if max_distance((first, second)) > MAX_SAME_PERSON_DISTANCE
    ]
    spans = [
        (first.time, second.time) for first, second in pairs if not any(first.time < cut <= second.time for cut in cuts)
    ]
    rows = np.array(samples.points).reshape(-1, 11)
    return [_jump(rows[(rows[:, 0] >= start) & (rows[:, 0] <= end)]) for start, end in spans]


def _jump(rows: Float64Array) -> float:
    """Return the time of the row (time, five landmarks) that is farthest from the one before it."""
    return float(rows[1 + int(np.abs(np.diff(rows[:, 1:], axis=0)).mean(axis=1).argmax()), 0])


def face_size(points: Float64Array) -> float:
    """Return the size of a face from five landmarks (5, 2), 0 to 1: at 1 the eye distance is the template's."""
    return float(min(1.0, np.hypot(*(points[1] - points[0])) / 53))


def mean_embedding(samples: Sequence[FaceSample]) -> Float32Array:
    """Return the mean (128,) of embedded samples, weighted by their quality."""
    embeddings = np.stack([sample.embedding for sample in samples if sample.embedding is not None])
    return np.average(embeddings, axis=0, weights=[sample.quality for sample in samples]).astype(np.float32)


def max_distance(samples: Sequence[FaceSample]) -> float:
    """Return the maximum distance between two of the embedded samples; 0 if there are fewer than two.

    A large distance may mean two people, one of whom was mistaken for the other when they passed.
    """
    pairs = combinations([sample.embedding for sample in samples if sample.embedding is not None], 2)
    return max((float(np.linalg.norm(first - second)) for first, second in pairs), default=0.0)
