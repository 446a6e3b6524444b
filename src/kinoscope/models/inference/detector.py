"""Finding objects in pictures: a detection network, and what it takes to make boxes of what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.boxes import clip, nms
from kinoscope.core.media import Pixels, Size
from kinoscope.models import load

SAME_CLASS_IOU = 0.55
"""Boxes of one class that overlap more are one object: the better one stays."""

ANY_CLASS_IOU = 0.8
"""Boxes of two classes that overlap more are one object seen as two things."""

MAX_DETECTIONS = 100
"""Most objects in a picture."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one picture.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the picture as shown.
        scores: (N,) in [0, 1].
        labels: (N,) index of the class.
    """

    boxes: Float64Array
    scores: Float64Array
    labels: Int64Array

    def __len__(self) -> int:
        return len(self.boxes)


class ObjectDetector:
    """Find objects in pictures.

    Args:
        model: a card's name, or ``auto`` for the best card of the task whose weights can be had.
        device: where to run.
        threads: threads of the network.
        least: score under which a detection is dropped.
    """

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1, least: float = 0.1) -> None:
        self.runner = load("objects", model, device, threads=threads)
        self.card = self.runner.card
        self.least = least

    def input_size(self, shown: Size) -> Size:
        """Give the size in which the detector wants a picture that is shown at ``shown``."""
        width, height = self.card.size or shown
        if self.card.resize == "stretch":
            return width, height
        scale = min(width / shown[0], height / shown[1])
        return max(2, round(shown[0] * scale)), max(2, round(shown[1] * scale))

    def __call__(self, pictures: Pixels, shown: Size) -> list[Detections]:
        """Find objects.

        Args:
            pictures: (N, H, W, C) of the size that ``input_size`` gives.
            shown: width and height of the displayed picture, in whose pixels boxes are given.
        """
        boxes, scores = self.runner(self._pad(pictures))
        scale = np.array([shown[0] / pictures.shape[2], shown[1] / pictures.shape[1]] * 2)
        found = [select_detections(b, s, self.least) for b, s in zip(boxes, scores, strict=True)]
        return [Detections(clip(o.boxes * scale, *shown), o.scores, o.labels) for o in found]

    def _pad(self, pictures: Pixels) -> Pixels:
        """Fill up with grey at the right and below: to the network's stride, or to its input where it takes no other.

        A wide picture so costs less than a square one.
        """
        width, height = self.card.size or pictures.shape[2:0:-1]
        if stride := self.card.stride:
            width, height = (-(-length // stride) * stride for length in pictures.shape[2:0:-1])
        right, below = width - pictures.shape[2], height - pictures.shape[1]
        if not right and not below:
            return pictures
        return np.pad(pictures, ((0, 0), (0, below), (0, right), (0, 0)), constant_values=114)


def select_detections(boxes: Float32Array, scores: Float32Array, least: float) -> Detections:
    """Choose the objects among all that a network proposes for a picture.

    Args:
        boxes: (A, 4) in pixels.
        scores: (A, classes).
        least: score under which a proposal is dropped.
    """
    labels = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), labels].astype(np.float64)
    likely = np.flatnonzero(best >= least)
    likely = likely[np.argsort(-best[likely], kind="stable")][: 10 * MAX_DETECTIONS]
    all_boxes = boxes.astype(np.float64)
    # Classes are moved apart, so that only boxes of one class meet in the first suppression.
    apart = all_boxes[likely] + (labels[likely] * (2 * np.abs(boxes).max(initial=0) + 1))[:, None]
    kept = likely[nms(apart, best[likely], SAME_CLASS_IOU)]
    kept = kept[nms(all_boxes[kept], best[kept], ANY_CLASS_IOU)][:MAX_DETECTIONS]
    return Detections(all_boxes[kept], best[kept], labels[kept])
