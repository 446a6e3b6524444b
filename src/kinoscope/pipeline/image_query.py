"""Vectors of a query image, by which similar images are found in a library."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.time import parse_time
from kinoscope.library import VectorQuery

MAX_SCENE_DISTANCE = 0.4
"""Maximum cosine distance of scene features that counts as similar. In eight videos (130 frames, one a second)
90 % of the pairs from within 2 s of one video were under it, cuts counted, and 0.1 % of those of different videos."""


def image_queries(image_path: str, device: str = "auto") -> list[VectorQuery]:
    """Return the queries of an image: its scene, the object that it shows, and the largest face in it if any.

    Args:
        image_path: an image, or a video and a time in it, as in ``video.mp4@12.5``.
        device: see ``models.load``.

    Raises:
        SourceError: it cannot be read.
        OptionError: the time cannot be parsed.
        WeightsMissing: a model is unavailable.
    """
    pixels = _read_frame(image_path)
    return [_scene(pixels, device), _object(pixels, device), *_face(pixels, device)]


def _read_frame(image_path: str) -> Pixels:
    from kinoscope.source import open_source

    path, start = image_path, Fraction(0)
    if not Path(image_path).exists() and "@" in image_path.rpartition("/")[2]:
        path, _, timestamp = image_path.rpartition("@")
        start = parse_time(timestamp)
    with open_source(path) as source:
        start += source.info.start if start else 0
    with open_source(path, start=start or None) as source:
        for frame in source.frames():
            return frame.pixels
    raise SourceError(
        f"{image_path} has no frame there; give an image, or a video and a time in it as in video.mp4@12.5"
    )


def _scene(pixels: Pixels, device: str) -> VectorQuery:
    import cv2
    import numpy as np

    from kinoscope.models import load

    runner = load("scenes", device=device)
    small = np.asarray(cv2.resize(pixels, runner.card.size, interpolation=cv2.INTER_AREA), np.uint8)
    return VectorQuery("scenes", runner(small[None])[0][0], runner.card.name, "similar scene", MAX_SCENE_DISTANCE)


def _object(pixels: Pixels, device: str) -> VectorQuery:
    """Return the query for similar tracked objects; the whole image is taken for the object."""
    from kinoscope.galleries import MATCH_THRESHOLDS
    from kinoscope.models.inference.reid import AppearanceEmbedder

    embedder = AppearanceEmbedder(device=device)
    # Embeddings have length 1, so the cosine distance is half the square of the Euclidean one.
    return VectorQuery(
        "appearance", embedder([pixels])[0], embedder.digest, "similar object", MATCH_THRESHOLDS["object"] ** 2 / 2
    )


def _face(pixels: Pixels, device: str) -> list[VectorQuery]:
    import numpy as np

    from kinoscope.galleries import MATCH_THRESHOLDS
    from kinoscope.models.inference.faces import FaceDetector, FaceEmbedder, align_face
    from kinoscope.tasks.faces import MIN_TRACK_SCORE

    faces = FaceDetector(device)(pixels, (pixels.shape[1], pixels.shape[0]))
    faces = faces[faces.scores >= MIN_TRACK_SCORE]
    if not len(faces.scores):
        return []
    largest = int(np.argmax((faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)))
    embedder = FaceEmbedder(device=device)
    vector = embedder(align_face(pixels, faces.points[largest])[None])[0]
    return [VectorQuery("faces", vector, embedder.card.digest, "same face", MATCH_THRESHOLDS["face"])]
