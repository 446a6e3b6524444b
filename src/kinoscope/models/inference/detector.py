"""Object detection: a detection network, and the post-processing of its outputs to boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.boxes import clip, nms
from kinoscope.core.detections import Detections
from kinoscope.core.media import Pixels, Size
from kinoscope.models import load

SAME_CLASS_IOU = 0.55
"""IoU above which boxes of one class are duplicates; the one with the highest score is kept."""

ANY_CLASS_IOU = 0.8
"""IoU above which boxes of two classes are the same object with two labels."""

MAX_DETECTIONS = 100
"""Maximum number of objects in a frame."""


class ObjectDetector:
    """An object detector for frames.

    Args:
        model: a card's name, or ``auto`` for the best card of the task whose weights are available.
        device: device of the network.
        threads: number of threads of the network.
        min_score: minimum score of a detection.
    """

    def __init__(
        self, model: str = "auto", device: str = "auto", threads: int | None = 1, min_score: float = 0.1
    ) -> None:
        self.runner = load("objects", model, device, threads=threads)
        self.card = self.runner.card
        self.min_score = min_score

    def input_size(self, shown: Size) -> Size:
        """Return the size in which the detector takes a frame that is displayed in the size ``shown``."""
        width, height = self.card.size or shown
        if self.card.resize == "stretch":
            return width, height
        scale = min(width / shown[0], height / shown[1])
        return max(2, round(shown[0] * scale)), max(2, round(shown[1] * scale))

    def __call__(self, frames: Pixels, shown: Size) -> list[Detections]:
        """Detect the objects of frames.

        Args:
            frames: (N, H, W, C) uint8 of the size ``input_size``.
            shown: width and height of the displayed frame, in whose pixels the boxes are.
        """
        boxes, scores = self.runner(self._pad(frames))
        scale = np.array([shown[0] / frames.shape[2], shown[1] / frames.shape[1]] * 2)
        detections = [select_detections(b, s, self.min_score) for b, s in zip(boxes, scores, strict=True)]
        return [
            replace(detection, boxes=clip(detection.boxes * scale, *shown), names=self.card.labels)
            for detection in detections
        ]

    def _pad(self, frames: Pixels) -> Pixels:
        """Pad with grey at the right and bottom, to a multiple of the network's stride or to its fixed input size.

        A wide frame thus costs less than a square one.
        """
        width, height = self.card.size or frames.shape[2:0:-1]
        if stride := self.card.stride:
            width, height = (-(-length // stride) * stride for length in frames.shape[2:0:-1])
        right, bottom = width - frames.shape[2], height - frames.shape[1]
        if not right and not bottom:
            return frames
        return np.pad(frames, ((0, 0), (0, bottom), (0, right), (0, 0)), constant_values=114)


def select_detections(boxes: Float32Array, scores: Float32Array, min_score: float) -> Detections:
    """Select the objects among all proposals of a network for one frame.

    Args:
        boxes: (A, 4) in pixels.
        scores: (A, classes).
        min_score: minimum score of a proposal.
    """
    labels = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), labels].astype(np.float64)
    indices = np.flatnonzero(best >= min_score)
    indices = indices[np.argsort(-best[indices], kind="stable")][: 10 * MAX_DETECTIONS]
    all_boxes = boxes.astype(np.float64)
    # Shift the boxes of each class, so that only boxes of one class overlap in the first suppression.
    shifted = all_boxes[indices] + (labels[indices] * (2 * np.abs(boxes).max(initial=0) + 1))[:, None]
    selected = indices[nms(shifted, best[indices], SAME_CLASS_IOU)]
    selected = selected[nms(all_boxes[selected], best[selected], ANY_CLASS_IOU)][:MAX_DETECTIONS]
    return Detections(all_boxes[selected], best[selected], labels[selected])
