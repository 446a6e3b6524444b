"""The best few looks at a face: what is kept of a tracked face so that its person can be told at the end."""

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
"""Looks kept of a face."""


MAX_SAME_PERSON_DISTANCE = 0.6
"""Distance of two samples that follow each other in one track from which the later one shows another person: the
authors' threshold for two photos. In 21 tracks of one person each, two samples were at most 0.53 apart."""


@dataclass(slots=True)
class FaceSample:
    """One look at a face.

    Attributes:
        value: how well it shows the face, above 0.
        time: in seconds.
        chip: the aligned face, (150, 150, C).
        picture: a JPEG file of it.
        embedding: (128,) once the track has ended.
    """

    value: float
    time: float
    chip: Pixels
    picture: bytes
    embedding: Float32Array | None = None


@dataclass(slots=True)
class FaceSamples:
    """What is kept of a tracked face.

    Attributes:
        best: its best looks.
        points: eleven numbers for each detection: time, then x and y of the five points.
    """

    best: TopMoments[FaceSample] = field(default_factory=lambda: TopMoments(MAX_SAMPLES))
    points: array[float] = field(default_factory=lambda: array("d"))

    def offer(
        self, time: float, points: Float64Array, score: float, picture: Pixels, draw: Callable[[], bytes]
    ) -> None:
        """Take in a detection, and keep a look at it if it is one of the best.

        Args:
            time: in seconds.
            points: (5, 2) in pixels of ``picture``.
            score: of the detection.
            picture: (H, W, C).
            draw: gives the JPEG file.
        """
        chip = align_face(picture, points)
        value = score * frontality(points) * sharpness(chip) * face_size(points)
        if self.best.wants(time, value):
            self.best.add(FaceSample(value, time, chip, draw()))

    def embed(self, embedder: FaceEmbedder) -> None:
        """Embed the looks, and let go of their pixels."""
        if self.best.kept:
            embeddings = embedder(np.stack([look.chip for look in self.best.kept]))
            for look, embedding in zip(self.best.kept, embeddings, strict=True):
                # A copy: a view would keep all its pixels.
                look.embedding, look.chip = embedding, look.chip[:0].copy()


def identity_changes(looks: FaceSamples, cuts: Sequence[float]) -> list[float]:
    """Return the times, in seconds, at which another person's face takes a track over, by its embedded samples.

    That is somewhere between two samples: at a cut if there is one, which is not returned again, else where the points
    of the face jump farthest.
    """
    seen = sorted((look for look in looks.best.kept if look.embedding is not None), key=lambda look: look.time)
    pairs = [(one, other) for one, other in pairwise(seen) if max_distance((one, other)) > MAX_SAME_PERSON_DISTANCE]
    spans = [(one.time, other.time) for one, other in pairs if not any(one.time < cut <= other.time for cut in cuts)]
    rows = np.array(looks.points).reshape(-1, 11)
    return [_jump(rows[(rows[:, 0] >= start) & (rows[:, 0] <= end)]) for start, end in spans]


def _jump(rows: Float64Array) -> float:
    """Return the time of the row (time, five points) that is farthest from the one before it."""
    return float(rows[1 + int(np.abs(np.diff(rows[:, 1:], axis=0)).mean(axis=1).argmax()), 0])


def face_size(points: Float64Array) -> float:
    """Tell from five points (5, 2) how large a face is, 0 to 1: at 1 the eyes are as far apart as in the template."""
    return float(min(1.0, np.hypot(*(points[1] - points[0])) / 53))


def mean_embedding(looks: Sequence[FaceSample]) -> Float32Array:
    """Give the mean (128,) of embedded looks, weighted by their values."""
    embeddings = np.stack([look.embedding for look in looks if look.embedding is not None])
    return np.average(embeddings, axis=0, weights=[look.value for look in looks]).astype(np.float32)


def max_distance(looks: Sequence[FaceSample]) -> float:
    """Give the largest distance between two of some embedded looks; 0 where there are not two.

    What is far apart may be two people, one of whom was taken for the other when they passed.
    """
    pairs = combinations([look.embedding for look in looks if look.embedding is not None], 2)
    return max((float(np.linalg.norm(one - other)) for one, other in pairs), default=0.0)
