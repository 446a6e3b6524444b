"""What there is to enroll in a picture or a video: the looks of its one person or thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import GalleryError, OptionError, SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.results import PARTIAL_STATUSES
from kinoscope.galleries import SAMPLE_KINDS, EmbeddingModel, GallerySample
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.core.results import Timeline
    from kinoscope.tasks.base import Task

MAX_FRAME_SIDE = 960
"""Longer side of the pictures that are looked at, in pixels."""

MAX_SAMPLES = 5
"""Looks taken from one video: more of one occasion say little more."""

MIN_PRESENCE_SHARE = 0.2
"""Share of the time of whoever is longest in a video under which others are passers-by, and do not count."""

MIN_FACE_QUALITY = 0.02
"""Quality of a face under which it is not enrolled: blurred, seen from the side or tiny."""

PORTRAIT_SIDE = 128
"""Longer side of a portrait in pixels."""


class SampleExtractor(Protocol):
    """Finds the looks of a kind. Its model is loaded when it is made."""

    model: EmbeddingModel

    def picture(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Give the looks in a picture."""
        ...

    def video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Give the looks in a video."""
        ...


def open_extractor(kind: str, device: str = "auto") -> SampleExtractor:
    """Make what finds the looks of a kind.

    Raises:
        OptionError: there is no such kind.
        WeightsMissing: its model cannot be had.
    """
    eyes: dict[str, Callable[[str], SampleExtractor]] = {
        "face": FaceExtractor,
        "person": PersonExtractor,
        "object": ObjectExtractor,
    }
    if kind not in eyes:
        raise OptionError(f"kind {kind} is not known; choose one of {', '.join(SAMPLE_KINDS)}")
    return eyes[kind](device)


def extract_samples(
    eye: SampleExtractor, name: str, source: str | Path, largest: bool, quiet: bool
) -> list[GallerySample]:
    """Give the looks of the one person or thing in a picture, a folder of pictures, or a video.

    Raises:
        GalleryError: there is none or there are several; the message says how many and what to do.
        SourceError: it cannot be read.
    """
    from kinoscope.source.folders import find_sources
    from kinoscope.source.images import find_images, is_image_path

    looks: list[GallerySample] = []
    for one in find_sources(Address(source)):
        if is_image_path(one):
            looks += [look for path in find_images(one) for look in eye.picture(name, path, largest)]
        else:
            looks += eye.video(name, one, largest, quiet)
    return looks


def select_one(
    sizes: Sequence[float], path: str | Path, what: str, largest: bool, other: str = "crop it to one"
) -> int:
    """Give the index of the only one, or of the largest where that is asked for.

    Raises:
        GalleryError: there is none, or there are several.
    """
    if not sizes:
        raise GalleryError(f"{path} shows no {what}; give a picture in which it is larger, sharper and from the front")
    if len(sizes) > 1 and not largest:
        plural = {"person": "persons"}.get(what, f"{what}s")
        raise GalleryError(f"{path} shows {len(sizes)} {plural}; {other}, or take the largest with --largest")
    return int(np.argmax(sizes))


def _pixels(path: Path) -> Pixels:
    from kinoscope.source import open_source

    with open_source(path) as source:
        for frame in source.frames(source.info.fit(MAX_FRAME_SIDE)):
            return frame.pixels
    raise SourceError(f"{path} cannot be decoded; give another picture")


def _analysed(path: str, tasks: Sequence[Task], quiet: bool) -> Timeline:
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    with open_source(path) as source, bar(short_name(path), quiet) as progress:
        timeline = engine.run(source, tasks, progress=progress)
    for task in tasks:
        report = timeline.tasks[task.name]
        if report.status not in ("ok", *PARTIAL_STATUSES):
            raise SourceError(f"{path}: {report.reason}; give a picture or a video")
    if not timeline.decode.complete:
        raise SourceError(f"{path} was not read to its end ({timeline.decode.errors[-1]}); nothing was enrolled")
    return timeline


def _longest(seconds: dict[Any, float], path: str, what: str, largest: bool) -> Any:
    """Give whoever is in a video, passers-by left out; of several, whoever is longest where that is asked for."""
    least = MIN_PRESENCE_SHARE * max(seconds.values(), default=0.0)
    staying = {who: time for who, time in seconds.items() if time >= least}
    return list(staying)[select_one(list(staying.values()), path, what, largest, "cut it with only one in it")]


class FaceExtractor:
    """Finds faces; what is compared is dlib's embedding."""

    def __init__(self, device: str) -> None:
        from kinoscope.models.inference.faces import FaceDetector, FaceEmbedder

        self._finder, self._embedder, self._device = FaceDetector(device), FaceEmbedder(device=device), device
        self.model = EmbeddingModel(self._embedder.card.name, self._embedder.card.digest)

    def picture(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Give the one face in a picture."""
        from kinoscope.imaging.thumbnail import thumbnail
        from kinoscope.tasks.faces import MIN_TRACK_SCORE
        from kinoscope.tasks.people.face_samples import FaceSamples

        pixels = _pixels(path)
        found = self._finder(pixels, (pixels.shape[1], pixels.shape[0]))
        found = found[found.scores >= MIN_TRACK_SCORE]
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1)
        one = select_one(sides.tolist(), path, "face", largest)
        looks = FaceSamples()
        draw = partial(thumbnail, pixels, found.boxes[one].tolist(), 0.25, PORTRAIT_SIDE)
        looks.offer(0.0, found.points[one], float(found.scores[one]), pixels, draw)
        looks.embed(self._embedder)
        return _faces(name, path, looks.best.moments)

    def video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Give the best looks at the face of the one person in a video."""
        from kinoscope.tasks.faces import Faces

        task = Faces(device=self._device)
        _analysed(path, [task], quiet)
        seconds: dict[str | None, float] = {}
        for track, _ in task.identified:
            seconds[track.identity] = seconds.get(track.identity, 0.0) + track.end - track.start
        who = _longest(seconds, path, "face", largest)
        looks = [look for track, kept in task.identified if track.identity == who for look in kept]
        return _faces(name, path, sorted(looks, key=lambda look: -look.quality)[:MAX_SAMPLES])


def _faces(name: str, path: str | Path, looks: Sequence[Any]) -> list[GallerySample]:
    """Make looks for the gallery of those that show a face well enough.

    Raises:
        GalleryError: none does.
    """
    good = [look for look in looks if look.quality >= MIN_FACE_QUALITY]
    if not good:
        raise GalleryError(f"the face in {path} is too blurred, small or turned away; give another picture")
    source = short_name(path)
    return [GallerySample(name, "face", look.embedding, float(look.quality), look.image, source) for look in good]


class _AppearanceExtractor:
    """Shared by persons and things: the embedding is of a cut-out picture."""

    kind = "object"

    def __init__(self, device: str) -> None:
        from kinoscope.models.inference.reid import AppearanceEmbedder

        self._embedder, self._device = AppearanceEmbedder(device=device), device
        self.model = EmbeddingModel(self._embedder.name, self._embedder.digest)

    def video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Give the best look at the one person or thing that is followed in a video."""
        from kinoscope.tasks.objects import Objects

        timeline = _analysed(path, [Objects(device=self._device)], quiet)
        tracks = {
            track.id: track
            for track in timeline.tracks_of("objects")
            if f"objects-{track.id}" in timeline.images and (track.label == "person") == (self.kind == "person")
        }
        one = _longest({number: t.end - t.start for number, t in tracks.items()}, path, self.kind, largest)
        return [self._look(name, path, timeline.images[f"objects-{one}"], tracks[one].score)]

    def _look(self, name: str, path: str | Path, picture: bytes, quality: float) -> GallerySample:
        from kinoscope.models.inference.reid import decode_jpeg

        embedding = self._embedder([decode_jpeg(picture)])[0]
        return GallerySample(name, self.kind, embedding, float(quality), picture, short_name(path))


class PersonExtractor(_AppearanceExtractor):
    """Finds persons from head to foot; what is compared is their appearance."""

    kind = "person"

    def picture(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Give the one person in a picture."""
        from kinoscope.imaging.thumbnail import thumbnail
        from kinoscope.models.inference.detector import ObjectDetector
        from kinoscope.models.inference.faces import resize
        from kinoscope.tasks.objects import MIN_TRACK_SCORE

        pixels, detector = _pixels(path), ObjectDetector(device=self._device, min_score=MIN_TRACK_SCORE)
        shown = (pixels.shape[1], pixels.shape[0])
        (found,) = detector(resize(pixels, detector.input_size(shown))[None], shown)
        persons = found.labels == detector.card.labels.index("person")
        boxes, scores = found.boxes[persons], found.scores[persons]
        one = select_one((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).tolist(), path, "person", largest)
        return [self._look(name, path, thumbnail(pixels, boxes[one].tolist()), scores[one])]


class ObjectExtractor(_AppearanceExtractor):
    """Takes a picture as a whole for the thing; of a video, what is followed in it and is no person."""

    def picture(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Give the picture as a look."""
        from kinoscope.imaging.thumbnail import thumbnail

        pixels = _pixels(path)
        return [self._look(name, path, thumbnail(pixels, (0, 0, pixels.shape[1], pixels.shape[0]), margin=0), 1.0)]
