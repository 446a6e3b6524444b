"""Detectors of objects, faces and lines of text, as ``kinoscope.load_model`` returns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

import numpy as np

from kinoscope.core.detections import Detections
from kinoscope.core.media import Pixels, Size, SourceInfo
from kinoscope.core.validation import require_number
from kinoscope.models.registry import find
from kinoscope.pipeline.loaded_model import LoadedModel, is_single, read_frames

MIN_SCORE = 0.25
"""Score from which an object is returned unless the caller chooses another."""

MIN_SELECTED_SCORE = 0.05
"""Lowest score that a caller can choose."""

MAX_SIDE = 960
"""Longer side in pixels of the frame in which faces and text are searched."""

MAX_FRAMES = 32
"""Frames that are in memory at a time."""

Detect = Callable[[list[Pixels]], list[Detections]]
"""Detects in frames (H, W, 3) of one size, in whose pixels the boxes are."""


def _objects(name: str, device: str, threads: int | None) -> tuple[Detect, str]:
    """Return a detector of objects, and its runtime."""
    from kinoscope.models.inference.detector import ObjectDetector
    from kinoscope.source.decode.scaler import resize

    detector = ObjectDetector(name, device, threads, MIN_SELECTED_SCORE)

    def detect(frames: list[Pixels]) -> list[Detections]:
        size = _size_of(frames[0])
        small = np.stack([resize(frame, detector.input_size(size)) for frame in frames])
        return detector(small, size)

    return detect, detector.runner.runtime


def _faces(name: str, device: str, threads: int | None) -> tuple[Detect, str]:
    """Return the cascade of face detectors, of which ``name`` is a part, and its runtime."""
    from kinoscope.models.inference.faces import FaceDetector
    from kinoscope.source.decode.scaler import resize

    detector = FaceDetector(device, threads)

    def detect(frame: Pixels) -> Detections:
        size = _size_of(frame)
        faces = detector(resize(frame, SourceInfo("", *size).fit(MAX_SIDE)), size)
        return _of_one_class("face", faces.boxes, faces.scores, faces.points)

    return lambda frames: [detect(frame) for frame in frames], detector.output_net.runtime


def _text(name: str, device: str, threads: int | None) -> tuple[Detect, str]:
    """Return a detector of lines of text, and its runtime."""
    from kinoscope.models.inference.ocr import TextDetector
    from kinoscope.source.decode.scaler import resize

    detector = TextDetector(device, threads)

    def detect(frame: Pixels) -> Detections:
        size = _size_of(frame)
        lines = detector(resize(frame, detector.input_size(size, MAX_SIDE)), size)
        return _of_one_class("text", lines.boxes, lines.scores, lines.corners)

    return lambda frames: [detect(frame) for frame in frames], "openvino-fp32"


DETECTORS: Mapping[str, Callable[[str, str, int | None], tuple[Detect, str]]] = {
    "objects": _objects, "faces": _faces, "text": _text,
}  # fmt: skip
"""Task of a card -> function that returns its detector, given name, device and threads."""


class Detector(LoadedModel):
    """A detector of objects, of faces, or of lines of text.

    ``detector(frame)`` of a frame (H, W, 3) uint8 RGB returns its ``Detections``; ``detector(frames)`` of an array
    (N, H, W, 3), a list or another iterable of frames returns a list. Boxes are in pixels of the frame. Faces come with
    ``points`` (N, 5, 2): eyes, nose and corners of the mouth; lines of text with their corners (N, 4, 2).

    Attributes:
        card: of the model; a card of the cascade of face detectors stands for the whole cascade.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        self.card = find(reference)
        self._detect, runtime = DETECTORS[self.card.task](self.card.name, device, threads)
        super().__init__(self.card.name, reference, device, self.card.labels or self._own_labels(), runtime)

    def _own_labels(self) -> tuple[str, ...]:
        return {"faces": ("face",), "text": ("text",)}.get(self.card.task, ())

    def __call__(self, frames: Any, min_score: float = MIN_SCORE) -> Any:
        """Return the ``Detections`` of a frame (H, W, 3), or a list of those of several frames, best first.

        Args:
            frames: uint8 RGB: a frame (H, W, 3), an array (N, H, W, 3), or an iterable of frames of any sizes.
            min_score: score from which an object is returned, from 0.05 to 1.

        Raises:
            SourceError: a frame has another type or shape.
            OptionError: the score cannot be used.
        """
        require_number("min_score", min_score, MIN_SELECTED_SCORE, 1)
        found = [
            _as_float32(detections[detections.scores >= min_score])
            for _, same_size in groupby(read_frames(frames), _size_of)
            for detections in self._detect_in_parts(same_size)
        ]
        return found[0] if is_single(frames) else found

    def _detect_in_parts(self, frames: Iterator[Pixels]) -> Iterator[Detections]:
        """Yield the detections of frames of one size; a few at a time are in memory."""
        while part := list(islice(frames, MAX_FRAMES)):
            with self._lock:
                found = self._detect(part)
            yield from found


def _size_of(frame: Pixels) -> Size:
    return frame.shape[1], frame.shape[0]


def _of_one_class(label: str, boxes: Any, scores: Any, points: Any) -> Detections:
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], scores[order], np.zeros(len(boxes), np.int64), (label,), points[order])


def _as_float32(detections: Detections) -> Detections:
    points = None if detections.points is None else detections.points.astype(np.float32)
    boxes, scores = detections.boxes.astype(np.float32), detections.scores.astype(np.float32)
    return Detections(boxes, scores, detections.labels, detections.names, points)
