"""The best few looks at a face: what is kept of a tracked face so that its person can be told at the end."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.boxes import Array
from kinoscope.core.media import Pixels
from kinoscope.models.faces import FaceEmbedder, align, frontality, sharpness

MOST, APART = 4, 1.0
"""Looks kept of a face, and the least seconds between two of them: they should differ."""


@dataclass(slots=True)
class Look:
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
    embedding: NDArray[np.float32] | None = None


@dataclass(slots=True)
class Looks:
    """What is kept of a tracked face.

    Attributes:
        best: at most ``MOST`` looks, the best first.
        points: eleven numbers for each detection: time, then x and y of the five points.
    """

    best: list[Look] = field(default_factory=list)
    points: array[float] = field(default_factory=lambda: array("d"))

    def offer(self, time: float, points: Array, score: float, picture: Pixels, draw: Callable[[], bytes]) -> None:
        """Take in a detection, and keep a look at it if it is one of the best.

        Args:
            time: in seconds.
            points: (5, 2) in pixels of ``picture``.
            score: of the detection.
            picture: (H, W, C).
            draw: gives the JPEG file.
        """
        chip = align(picture, points)
        value = score * frontality(points) * sharpness(chip) * size(points)
        near = [look for look in self.best if abs(look.time - time) < APART]
        others = [look for look in self.best if abs(look.time - time) >= APART]
        if any(value <= 1.1 * look.value for look in near) or value <= max(_last(others), 1e-6):
            return
        self.best = sorted([*others, Look(value, time, chip, draw())], key=lambda look: -look.value)[:MOST]

    def embed(self, embedder: FaceEmbedder) -> None:
        """Embed the looks."""
        if self.best:
            embeddings = embedder(np.stack([look.chip for look in self.best]))
            for look, embedding in zip(self.best, embeddings, strict=True):
                look.embedding, look.chip = embedding, look.chip[:0]

    def within(self, start: float, end: float) -> list[Look]:
        """Give the looks of a stretch of time, the best first."""
        return [look for look in self.best if start <= look.time <= end]


def _last(looks: Sequence[Look]) -> float:
    """Give the value that a look must exceed to be among the best."""
    return looks[-1].value if len(looks) >= MOST else 0.0


def size(points: Array) -> float:
    """Tell from five points (5, 2) how large a face is, 0 to 1: at 1 the eyes are as far apart as in the template."""
    return float(min(1.0, np.hypot(*(points[1] - points[0])) / 53))


def pool(looks: Sequence[Look]) -> NDArray[np.float32]:
    """Give the mean (128,) of embedded looks, weighted by their values."""
    embeddings = np.stack([look.embedding for look in looks if look.embedding is not None])
    return np.average(embeddings, axis=0, weights=[look.value for look in looks]).astype(np.float32)
