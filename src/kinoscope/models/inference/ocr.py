"""Optical character recognition: the two networks of PP-OCRv4, run from their ONNX files.

Papers: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020 (the network outputs
the probability that a pixel lies in the shrunken core of a line, and the core is expanded again); Du et al., "SVTR:
Scene Text Recognition with a Single Visual Model", IJCAI 2022; Graves et al., "Connectionist Temporal Classification",
ICML 2006, for the decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.boxes import clip
from kinoscope.core.errors import ModelError
from kinoscope.core.media import Pixels, Size
from kinoscope.models.registry import find
from kinoscope.models.runtime.runner import compile_network, core_count
from kinoscope.models.store import fetch

STRIDE = 32
"""Sides of the detector's input are multiples of it."""

MIN_PIXEL_PROBABILITY, MIN_LINE_SCORE = 0.3, 0.5
"""Minimum probability of a pixel in the core of a line, and minimum mean probability of a core."""

UNCLIP_RATIO = 1.6
"""The core is expanded by its area over its perimeter times this ratio, which inverts the shrinking of the training."""

MIN_CORE_SIDE = 3
"""Minimum shorter side of a core, in pixels of the probability map."""

LINE_HEIGHT, MAX_LINE_WIDTH = 48, 960
"""Height of a line in the recognizer's input, and its maximum width, in pixels."""

MIN_VERTICAL_RATIO = 1.5
"""Height over width from which a line is taken for a vertical one and rotated."""

MIN_LINE_WIDTH, WIDTH_STEP = 8, 64
"""Minimum width of a rectified line, and the step in which the widths of the recognizer's input are rounded up."""

WeightFiles = dict[str, Path]
"""Paths of a network's files by their names; each of the two networks has one."""


@dataclass(frozen=True, slots=True)
class TextLines:
    """The lines of text in one frame.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the displayed frame.
        scores: (N,) in [0, 1].
        corners: (N, 4, 2) of the lines, which may be rotated, in the same pixels: clockwise from the one with the
            smallest x + y. The first two are the ends of the upper edge, or, if the line is steep, of a short edge.
    """

    boxes: Float64Array
    scores: Float64Array
    corners: Float64Array

    def __len__(self) -> int:
        return len(self.boxes)


class TextDetector:
    """A detector of text lines.

    Args:
        device: not used: the network runs in OpenVINO.
        threads: number of threads of the network.
        min_score: minimum score of a line.
    """

    def __init__(self, device: str = "auto", threads: int | None = 1, min_score: float = MIN_LINE_SCORE) -> None:
        self.card = find("ppocr-v4-det")
        self.min_score = min_score
        self._network = _Network(fetch(self.card), threads)

    @staticmethod
    def input_size(displayed_size: Size, max_side: int) -> Size:
        """Return the detector's input size for a frame of ``displayed_size``; its longer side is about ``max_side``.

        A small frame is enlarged, at most twofold: the network was trained on larger characters.
        """
        scale = min(2.0, max_side / max(displayed_size))
        width, height = (max(STRIDE, STRIDE * round(side * scale / STRIDE)) for side in displayed_size)
        return width, height

    def __call__(self, frame: Pixels, displayed_size: Size) -> TextLines:
        """Detect the text lines of a frame (H, W, C) of the size ``input_size``."""
        scale = np.array([displayed_size[0] / frame.shape[1], displayed_size[1] / frame.shape[0]])
        lines = [line for line in find_lines(self._network(frame)[0, 0]) if line[1] >= self.min_score]
        corners = np.array([corners for corners, _ in lines]).reshape(-1, 4, 2) * scale
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return TextLines(clip(boxes, *displayed_size), np.array([score for _, score in lines], np.float64), corners)


def find_lines(probabilities: Float32Array) -> list[tuple[Float64Array, float]]:
    """Return the text lines in a map of probabilities (H, W): four corners (4, 2), and the core's mean probability."""
    import cv2

    mask = cv2.dilate((probabilities > MIN_PIXEL_PROBABILITY).astype(np.uint8), np.ones((2, 2), np.uint8))
    lines = []
    for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) >= MIN_CORE_SIDE:
            margin = UNCLIP_RATIO * width * height / (2 * (width + height))
            expanded = (centre, (width + 2 * margin, height + 2 * margin), angle)
            lines.append((_ordered(cv2.boxPoints(expanded).astype(np.float64)), _mean_in(probabilities, contour)))
    return lines


def _mean_in(probabilities: Float32Array, contour: NDArray[Any]) -> float:
    """Return the mean of a map (H, W) inside a contour (N, 1, 2)."""
    import cv2

    x, y, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.asarray(contour - (x, y), np.int32)], 1)
    return float(cv2.mean(probabilities[y : y + height, x : x + width], mask)[0])


def _ordered(corners: Float64Array) -> Float64Array:
    """Order the corners (4, 2) of a rectangle clockwise, from the one with the smallest x + y."""
    sorted_corners = corners[np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T[::-1]))]
    start = int(np.argmin(sorted_corners.sum(axis=1)))
    return np.roll(sorted_corners, -start, axis=0)


def crop_line(frame: Pixels, corners: Float64Array) -> Pixels:
    """Return a line rectified from a frame (H, W, C), ``LINE_HEIGHT`` pixels high; vertical lines are rotated."""
    import cv2

    across, down = (float(np.hypot(*(corners[i] - corners[0]))) for i in (1, 3))
    if down > MIN_VERTICAL_RATIO * across:
        corners, across, down = np.roll(corners, -1, axis=0), down, across
    width = int(np.clip(round(LINE_HEIGHT * across / max(down, 1e-6)), MIN_LINE_WIDTH, MAX_LINE_WIDTH))
    target = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT], [0, LINE_HEIGHT]], np.float32)
    homography = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    return np.asarray(
        cv2.warpPerspective(frame, homography, (width, LINE_HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


class TextRecognizer:
    """A recognizer of text lines: Chinese and Latin characters, digits and signs.

    Args:
        device: not used: the network runs in OpenVINO.
        threads: number of threads of the network.
    """

    def __init__(self, device: str = "auto", threads: int | None = 1) -> None:
        self.card = find("ppocr-v4-rec")
        files = fetch(self.card)
        self._network = _Network(files, threads)
        self._characters = _read_characters(_only_file(files))

    def __call__(self, line: Pixels) -> tuple[str, float]:
        """Return the text of a line (``LINE_HEIGHT``, W, C) and the mean probability of its characters.

        They are "" and 0 if there is no text.
        """
        # Few distinct widths, so that few networks are compiled.
        padded_width = -(-line.shape[1] // WIDTH_STEP) * WIDTH_STEP
        padded = np.pad(line, ((0, 0), (0, padded_width - line.shape[1]), (0, 0)), constant_values=127)
        return ctc_decode(self._network(padded)[0], self._characters)


def ctc_decode(probabilities: Float32Array, characters: Sequence[str]) -> tuple[str, float]:
    """Decode greedily: the most probable character at each step, without repeats and blanks (character 0).

    Args:
        probabilities: (steps, characters).
        characters: the characters by index.
    """
    indices = probabilities.argmax(axis=1)
    is_new = (indices != 0) & (indices != np.concatenate([[-1], indices[:-1]]))
    text = "".join(characters[i] for i in indices[is_new].tolist()).strip()
    return text, float(probabilities[is_new, indices[is_new]].mean()) if text else 0.0


def _only_file(files: WeightFiles) -> Path:
    """Return the path of a network's only file."""
    (path,) = files.values()
    return path


@lru_cache
def _read_characters(path: Path) -> list[str]:
    """Return the characters by output index, from the metadata of the network's file."""
    from kinoscope.models.formats.onnx import read_metadata

    characters = read_metadata(path).get("character", "").split("\n")
    if len(characters) < 2:
        raise ModelError(f"{path.name} does not name its characters; remove it and download it again")
    return ["", *characters, " "]  # 0 is the CTC blank, the last is the space


class _Network:
    """One of the two networks, compiled for each input shape."""

    def __init__(self, files: WeightFiles, threads: int | None) -> None:
        self._path = str(_only_file(files))
        self._threads = threads or core_count()
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, image: Pixels) -> Float32Array:
        """Infer on an image (H, W, C) uint8, a frame or a line; the networks take BGR in [-1, 1]."""
        array = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
        if array.shape not in self._requests:
            network = compile_network(self._path, "f32", self._threads, array.shape)
            self._requests[array.shape] = network.create_infer_request()
        return np.array(self._requests[array.shape].infer([array])[0])
