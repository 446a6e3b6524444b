"""What a picture looks like: the vectors by which the like of it is found in a library."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.time import parse_time
from kinoscope.library import VectorQuery

MAX_SCENE_DISTANCE = 0.4
"""Largest cosine distance of what pictures show that counts as alike. In eight videos (130 pictures, one a second)
90 % of the pairs from within 2 s of one video were under it, cuts counted, and 0.1 % of those of unlike videos."""


def image_queries(like: str, device: str = "auto") -> list[VectorQuery]:
    """Give what to look for: what a picture shows, things that look like it, and the largest face in it if any.

    Args:
        like: a picture, or a video and a moment of it, as in ``video.mp4@12.5``.
        device: see ``models.load``.

    Raises:
        SourceError: it cannot be read.
        OptionError: the moment cannot be understood.
        WeightsMissing: a model cannot be had.
    """
    pixels = _read_frame(like)
    return [_scene(pixels, device), _thing(pixels, device), *_face(pixels, device)]


def _read_frame(like: str) -> Pixels:
    from kinoscope.source import open_source

    path, at = like, Fraction(0)
    if not Path(like).exists() and "@" in like.rpartition("/")[2]:
        path, _, moment = like.rpartition("@")
        at = parse_time(moment)
    with open_source(path) as source:
        at += source.info.start if at else 0
    with open_source(path, start=at or None) as source:
        for frame in source.frames():
            return frame.pixels
    raise SourceError(f"{like} shows nothing; give a picture, or a video and a moment of it as in video.mp4@12.5")


def _scene(pixels: Pixels, device: str) -> VectorQuery:
    import cv2
    import numpy as np

    from kinoscope.models import load

    runner = load("scenes", device=device)
    small = np.asarray(cv2.resize(pixels, runner.card.size, interpolation=cv2.INTER_AREA), np.uint8)
    return VectorQuery("scenes", runner(small[None])[0][0], runner.card.name, "looks like it", MAX_SCENE_DISTANCE)


def _thing(pixels: Pixels, device: str) -> VectorQuery:
    """Give what is to be told apart from followed objects, of which a picture is taken as a whole."""
    from kinoscope.galleries import MATCH_THRESHOLDS
    from kinoscope.models.inference.reid import AppearanceEmbedder

    embedder = AppearanceEmbedder(device=device)
    # Embeddings have length 1, so the cosine distance is half the square of the Euclidean one.
    return VectorQuery(
        "appearance", embedder([pixels])[0], embedder.digest, "a thing like it", MATCH_THRESHOLDS["object"] ** 2 / 2
    )


def _face(pixels: Pixels, device: str) -> list[VectorQuery]:
    import numpy as np

    from kinoscope.galleries import MATCH_THRESHOLDS
    from kinoscope.models.inference.faces import FaceDetector, FaceEmbedder, align_face
    from kinoscope.tasks.faces import MIN_TRACK_SCORE

    found = FaceDetector(device)(pixels, (pixels.shape[1], pixels.shape[0]))
    found = found[found.scores >= MIN_TRACK_SCORE]
    if not len(found.scores):
        return []
    one = int(np.argmax((found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1)))
    embedder = FaceEmbedder(device=device)
    vector = embedder(align_face(pixels, found.points[one])[None])[0]
    return [VectorQuery("faces", vector, embedder.card.digest, "this face", MATCH_THRESHOLDS["face"])]
