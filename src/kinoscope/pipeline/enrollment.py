"""Extraction of gallery samples of the one person or object in an image or a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import GalleryError, OptionError, SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.results import PARTIAL_STATUSES
from kinoscope.galleries import (
    MATCH_THRESHOLDS,
    SAMPLE_KINDS,
    EmbeddingModel,
    Gallery,
    GallerySample,
    SampleKind,
    edit_gallery,
    read_gallery,
)
from kinoscope.results.enroll import EnrollResult
from kinoscope.source.frames import VideoAddress, in_memory
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.tasks.base import Task
    from kinoscope.views.timeline import Timeline

MAX_FRAME_SIDE = 960
"""Longer side of the processed frames, in pixels."""

MAX_SAMPLES = 5
"""Samples taken from one video: more of one occasion add little."""

MIN_PRESENCE_SHARE = 0.2
"""Share of the time of the person seen longest in a video, below which others are passers-by and ignored."""

MIN_FACE_QUALITY = 0.02
"""Quality of a face below which it is not enrolled: blurred, in profile or tiny."""

OUTLIER_RATIO = 4 / 3
"""Multiple of the threshold; a sample farther than that from all others of its name is reported as an outlier."""

PORTRAIT_SIDE = 128
"""Longer side of a portrait in pixels."""


class SampleExtractor(Protocol):
    """Extractor of samples of one kind. Its model is loaded when it is created."""

    model: EmbeddingModel

    def from_image(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Return the samples in an image."""
        ...

    def from_video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Return the samples in a video."""
        ...


def open_extractor(kind: str, device: str = "auto") -> SampleExtractor:
    """Return the extractor of a kind: ``face``, ``person`` or ``object``.

    Raises:
        OptionError: there is no such kind.
        WeightsMissing: its model is unavailable.
    """
    extractors: dict[str, Callable[[str], SampleExtractor]] = {
        "face": FaceExtractor,
        "person": PersonExtractor,
        "object": ObjectExtractor,
    }
    if kind not in extractors:
        raise OptionError(f"kind {kind} is not known; choose one of {', '.join(SAMPLE_KINDS)}")
    return extractors[kind](device)


def enroll_samples(
    gallery: Path, name: str, sources: Sequence[str | Path], kind: SampleKind, largest: bool, device: str, quiet: bool
) -> EnrollResult:
    """Add the samples of one person or object in all sources to a gallery, or none of them.

    Args:
        gallery: the gallery's file, which is created if it does not exist.
        name: of the person or object.
        sources: images, videos, or folders of them.
        kind: of the samples.
        largest: if there are several, take the largest or, in a video, the one seen longest.
        device: auto, cpu or cuda.
        quiet: show no progress bar.

    Raises:
        GalleryError: a source shows none, or several; or the gallery cannot be used.
        SourceError: a source cannot be read.
    """
    extractor = open_extractor(kind, device)
    if gallery.exists():
        read_gallery(gallery).check_model(kind, extractor.model)
    samples = [sample for source in sources for sample in extract_samples(extractor, name, source, largest, quiet)]
    with edit_gallery(gallery, create=True) as opened:
        added = opened.add(samples, extractor.model)
    notes = [note for sample in added for note in _doubts(opened, sample)]
    return EnrollResult(str(gallery), name, kind, added, len(samples) - len(added), notes, written=[gallery])


def _doubts(gallery: Gallery, sample: GallerySample) -> Iterator[str]:
    """Yield a line if a new sample resembles another name, and one if it resembles no other sample of its own."""
    threshold = MATCH_THRESHOLDS[sample.kind]
    distances = gallery.distances(sample.kind, sample.embedding[None])[0].tolist()
    for other, distance in zip(gallery.names(sample.kind), distances, strict=True):
        if other != sample.name and distance <= threshold:
            yield f"{sample.source} resembles {other} too (distance {distance:.2f}); is it the right one?"
    own = [other for other in gallery.samples_of(sample.name) if other.kind == sample.kind and other is not sample]
    nearest = min((float(np.linalg.norm(sample.embedding - other.embedding)) for other in own), default=0.0)
    if nearest > OUTLIER_RATIO * threshold:
        yield (
            f"{sample.source} resembles no other sample of {sample.name} (distance {nearest:.2f}); is it the right one?"
        )


def extract_samples(
    extractor: SampleExtractor, name: str, source: str | Path, largest: bool, quiet: bool
) -> list[GallerySample]:
    """Return the samples of the one person or object in an image, a folder of images, or a video.

    Args:
        extractor: of the kind.
        name: of the person or object.
        source: path of the image, folder or video; or the address of frames in memory.
        largest: if there are several, take the largest or, in a video, the one seen longest.
        quiet: show no progress bar.

    Raises:
        GalleryError: there is none or there are several; the message says how many and what to do.
        SourceError: it cannot be read.
    """
    from kinoscope.source.folders import find_sources
    from kinoscope.source.images import find_images, is_image_path

    samples: list[GallerySample] = []
    for path in [source] if isinstance(source, VideoAddress) else find_sources(Address(source)):
        if not in_memory(path) and is_image_path(path):
            samples += [sample for image in find_images(path) for sample in extractor.from_image(name, image, largest)]
        else:
            samples += extractor.from_video(name, path, largest, quiet)
    return samples


def select_one(
    sizes: Sequence[float], path: str | Path, noun: str, largest: bool, other: str = "crop it to one"
) -> int:
    """Return the index of the only one, or of the largest if ``largest`` is set.

    Raises:
        GalleryError: there is none, or there are several.
    """
    if not sizes:
        raise GalleryError(f"{path} shows no {noun}; give an image in which it is larger, sharper and from the front")
    if len(sizes) > 1 and not largest:
        plural = {"person": "persons"}.get(noun, f"{noun}s")
        raise GalleryError(f"{path} shows {len(sizes)} {plural}; {other}, or take the largest with --largest")
    return int(np.argmax(sizes))


def _pixels(path: Path) -> Pixels:
    from kinoscope.source import open_source

    with open_source(path) as source:
        for frame in source.frames(source.info.fit(MAX_FRAME_SIDE)):
            return frame.pixels
    raise SourceError(f"{path} cannot be decoded; give another image")


def _analyze(path: str, tasks: Sequence[Task], quiet: bool) -> Timeline:
    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    with open_source(path) as source, bar(short_name(path), quiet) as progress:
        timeline = engine.run(source, tasks, progress=progress)
    for task in tasks:
        report = timeline.tasks[task.name]
        if report.status not in ("ok", *PARTIAL_STATUSES):
            raise SourceError(f"{path}: {report.reason}; give an image or a video")
    if not timeline.decode.complete:
        raise SourceError(f"{path} was not read to its end ({timeline.decode.errors[-1]}); nothing was enrolled")
    return timeline


def _dominant(seconds: dict[Any, float], path: str, noun: str, largest: bool) -> Any:
    """Return the only identity in a video besides passers-by, or with ``largest`` the one in it most of the time."""
    min_seconds = MIN_PRESENCE_SHARE * max(seconds.values(), default=0.0)
    present = {identity: time for identity, time in seconds.items() if time >= min_seconds}
    return list(present)[select_one(list(present.values()), path, noun, largest, "cut it with only one in it")]


class FaceExtractor:
    """Extractor of faces, compared by dlib's embedding."""

    def __init__(self, device: str) -> None:
        from kinoscope.models.inference.faces import FaceDetector, FaceEmbedder

        self._detector, self._embedder, self._device = FaceDetector(device), FaceEmbedder(device=device), device
        self.model = EmbeddingModel(self._embedder.card.name, self._embedder.card.digest)

    def from_image(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Return the sample of the one face in an image."""
        from kinoscope.imaging.thumbnail import thumbnail
        from kinoscope.tasks.faces import MIN_TRACK_SCORE
        from kinoscope.tasks.people.face_samples import FaceSamples

        pixels = _pixels(path)
        detections = self._detector(pixels, (pixels.shape[1], pixels.shape[0]))
        detections = detections[detections.scores >= MIN_TRACK_SCORE]
        areas = (detections.boxes[:, 2:] - detections.boxes[:, :2]).prod(axis=1)
        index = select_one(areas.tolist(), path, "face", largest)
        samples = FaceSamples()
        encode = partial(thumbnail, pixels, detections.boxes[index].tolist(), 0.25, PORTRAIT_SIDE)
        samples.offer(0.0, detections.points[index], float(detections.scores[index]), pixels, encode)
        samples.embed(self._embedder)
        return _faces(name, path, samples.best.moments)

    def from_video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Return the best samples of the face of the one person in a video."""
        from kinoscope.tasks.faces import Faces

        task = Faces(device=self._device)
        _analyze(path, [task], quiet)
        seconds: dict[str | None, float] = {}
        for track, _ in task.identified:
            seconds[track.identity] = seconds.get(track.identity, 0.0) + track.end - track.start
        identity = _dominant(seconds, path, "face", largest)
        samples = [
            sample for track, track_samples in task.identified if track.identity == identity for sample in track_samples
        ]
        return _faces(name, path, sorted(samples, key=lambda sample: -sample.quality)[:MAX_SAMPLES])


def _faces(name: str, path: str | Path, samples: Sequence[Any]) -> list[GallerySample]:
    """Return gallery samples of the face samples of sufficient quality.

    Raises:
        GalleryError: there is none.
    """
    usable = [sample for sample in samples if sample.quality >= MIN_FACE_QUALITY]
    if not usable:
        raise GalleryError(f"the face in {path} is too blurred, small or turned away; give another image")
    source = short_name(path)
    return [
        GallerySample(name, "face", sample.embedding, float(sample.quality), sample.image, source) for sample in usable
    ]


class _AppearanceExtractor:
    """Base of the extractors of persons and objects: the embedding is of a crop."""

    kind = "object"

    def __init__(self, device: str) -> None:
        from kinoscope.models.inference.reid import AppearanceEmbedder

        self._embedder, self._device = AppearanceEmbedder(device=device), device
        self.model = EmbeddingModel(self._embedder.name, self._embedder.digest)

    def from_video(self, name: str, path: str, largest: bool, quiet: bool) -> list[GallerySample]:
        """Return the best sample of the one person or object that is tracked in a video."""
        from kinoscope.tasks.objects import Objects

        timeline = _analyze(path, [Objects(device=self._device)], quiet)
        tracks = {
            track.id: track
            for track in timeline.tracks("objects")
            if f"objects-{track.id}" in timeline.images and (track.label == "person") == (self.kind == "person")
        }
        index = _dominant({number: t.end - t.start for number, t in tracks.items()}, path, self.kind, largest)
        return [self._sample(name, path, timeline.images[f"objects-{index}"], tracks[index].score)]

    def _sample(self, name: str, path: str | Path, image: bytes, quality: float) -> GallerySample:
        from kinoscope.models.inference.reid import decode_jpeg

        embedding = self._embedder([decode_jpeg(image)])[0]
        return GallerySample(name, self.kind, embedding, float(quality), image, short_name(path))


class PersonExtractor(_AppearanceExtractor):
    """Extractor of whole persons, compared by their appearance."""

    kind = "person"

    def from_image(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Return the sample of the one person in an image."""
        from kinoscope.imaging.thumbnail import thumbnail
        from kinoscope.models.inference.detector import ObjectDetector
        from kinoscope.models.inference.faces import resize
        from kinoscope.tasks.objects import MIN_TRACK_SCORE

        pixels, detector = _pixels(path), ObjectDetector(device=self._device, min_score=MIN_TRACK_SCORE)
        shown = (pixels.shape[1], pixels.shape[0])
        (detections,) = detector(resize(pixels, detector.input_size(shown))[None], shown)
        persons = detections.labels == detector.card.labels.index("person")
        boxes, scores = detections.boxes[persons], detections.scores[persons]
        index = select_one((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).tolist(), path, "person", largest)
        return [self._sample(name, path, thumbnail(pixels, boxes[index].tolist()), scores[index])]


class ObjectExtractor(_AppearanceExtractor):
    """Extractor of objects: the whole image, or in a video the tracked object that is no person."""

    def from_image(self, name: str, path: Path, largest: bool) -> list[GallerySample]:
        """Return the sample of the whole image."""
        from kinoscope.imaging.thumbnail import thumbnail

        pixels = _pixels(path)
        return [self._sample(name, path, thumbnail(pixels, (0, 0, pixels.shape[1], pixels.shape[0]), margin=0), 1.0)]
