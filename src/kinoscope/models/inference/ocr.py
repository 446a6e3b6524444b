"""Finding lines of text in pictures, and reading them: the two networks of PP-OCRv4, straight from their ONNX files.

Papers: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020 (the network gives a
map of how likely each pixel lies in the shrunken core of a line, and the core is grown back); Du et al., "SVTR: Scene
Text Recognition with a Single Visual Model", IJCAI 2022; Graves et al., "Connectionist Temporal Classification", ICML
2006, for the decoding.
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
"""Pictures are taken in sides that are multiples of it."""

MIN_PIXEL_PROBABILITY, MIN_LINE_SCORE = 0.3, 0.5
"""Likelihood from which a pixel lies in the core of a line, and mean of a core from which it is one."""

UNCLIP_RATIO = 1.6
"""The core is grown by its area over its perimeter, times this, as the paper undoes the shrinking of its training."""

MIN_CORE_SIDE = 3
"""Shorter side of the smallest core, in pixels of the map."""

LINE_HEIGHT, MAX_LINE_WIDTH = 48, 960
"""Height of a line as the reader takes it, and the largest width, in pixels."""

Weights = dict[str, Path]


@dataclass(frozen=True, slots=True)
class TextLines:
    """The lines of text in one picture.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the picture as shown.
        scores: (N,) in [0, 1].
        corners: (N, 4, 2) of the lines themselves, which may be tilted, in the same pixels: from their upper left one
            clockwise, so that the first two are one end of the upper edge and the other.
    """

    boxes: Float64Array
    scores: Float64Array
    corners: Float64Array

    def __len__(self) -> int:
        return len(self.boxes)


class TextDetector:
    """Find lines of text.

    Args:
        device: not used: the network runs in OpenVINO.
        threads: of the network.
        least: score under which a line is dropped.
    """

    def __init__(self, device: str = "auto", threads: int | None = 1, least: float = MIN_LINE_SCORE) -> None:
        self.card = find("ppocr-v4-det")
        self.least = least
        self._network = _Network(fetch(self.card), threads)

    @staticmethod
    def input_size(shown: Size, longest: int) -> Size:
        """Give the size in which the finder wants a picture shown at ``shown``: its longer side about ``longest``.

        A small picture is enlarged, at most twofold: the network was trained on larger letters.
        """
        scale = min(2.0, longest / max(shown))
        width, height = (max(STRIDE, STRIDE * round(side * scale / STRIDE)) for side in shown)
        return width, height

    def __call__(self, picture: Pixels, shown: Size) -> TextLines:
        """Find the lines of a picture (H, W, C) of the size that ``input_size`` gives."""
        scale = np.array([shown[0] / picture.shape[1], shown[1] / picture.shape[0]])
        rows = [row for row in find_lines(self._network(picture)[0, 0]) if row[1] >= self.least]
        corners = np.array([corners for corners, _ in rows]).reshape(-1, 4, 2) * scale
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return TextLines(clip(boxes, *shown), np.array([score for _, score in rows], np.float64), corners)


def find_lines(likely: Float32Array) -> list[tuple[Float64Array, float]]:
    """Give the lines of text in a map (H, W) of likelihoods: four corners (4, 2), and the core's mean likelihood."""
    import cv2

    mask = cv2.dilate((likely > MIN_PIXEL_PROBABILITY).astype(np.uint8), np.ones((2, 2), np.uint8))
    found = []
    for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) >= MIN_CORE_SIDE:
            reach = UNCLIP_RATIO * width * height / (2 * (width + height))
            grown = (centre, (width + 2 * reach, height + 2 * reach), angle)
            found.append((_ordered(cv2.boxPoints(grown).astype(np.float64)), _mean_in(likely, contour)))
    return found


def _mean_in(likely: Float32Array, contour: NDArray[Any]) -> float:
    """Give the mean of a map (H, W) inside a contour (N, 1, 2)."""
    import cv2

    x, y, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.asarray(contour - (x, y), np.int32)], 1)
    return float(cv2.mean(likely[y : y + height, x : x + width], mask)[0])


def _ordered(corners: Float64Array) -> Float64Array:
    """Order the corners (4, 2) of a rectangle clockwise, from the left end of its upper long side."""
    around = corners[np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T[::-1]))]
    first = int(np.argmin(around.sum(axis=1)))
    return np.roll(around, -first, axis=0)


def crop_line(picture: Pixels, corners: Float64Array) -> Pixels:
    """Return a line rectified out of a frame (H, W, C), ``LINE_HEIGHT`` pixels high; vertical lines are rotated."""
    import cv2

    across, down = (float(np.hypot(*(corners[i] - corners[0]))) for i in (1, 3))
    if down > 1.5 * across:
        corners, across, down = np.roll(corners, -1, axis=0), down, across
    width = int(np.clip(round(LINE_HEIGHT * across / max(down, 1e-6)), 8, MAX_LINE_WIDTH))
    there = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT], [0, LINE_HEIGHT]], np.float32)
    move = cv2.getPerspectiveTransform(corners.astype(np.float32), there)
    return np.asarray(
        cv2.warpPerspective(picture, move, (width, LINE_HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


class TextRecognizer:
    """Read lines of text: Chinese and Latin letters, digits and signs.

    Args:
        device: not used: the network runs in OpenVINO.
        threads: of the network.
    """

    def __init__(self, device: str = "auto", threads: int | None = 1) -> None:
        self.card = find("ppocr-v4-rec")
        files = fetch(self.card)
        self._network = _Network(files, threads)
        self._letters = _read_characters(next(iter(files.values())))

    def __call__(self, line: Pixels) -> tuple[str, float]:
        """Give what a line (48, W, C) says, and the mean probability of its letters; "" and 0 where it says nothing."""
        wide = -(-line.shape[1] // 64) * 64  # of few widths, so that few networks are compiled
        padded = np.pad(line, ((0, 0), (0, wide - line.shape[1]), (0, 0)), constant_values=127)
        return ctc_decode(self._network(padded)[0], self._letters)


def ctc_decode(likely: Float32Array, letters: Sequence[str]) -> tuple[str, float]:
    """Decode greedily: the best letter at each place, repeats and blanks (letter 0) left out.

    Args:
        likely: (places, letters) probabilities.
        letters: names of the letters.
    """
    best = likely.argmax(axis=1)
    new = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    text = "".join(letters[i] for i in best[new].tolist()).strip()
    return text, float(likely[new, best[new]].mean()) if text else 0.0


@lru_cache
def _read_characters(path: Path) -> list[str]:
    from kinoscope.models.formats.onnx import read_metadata

    letters = read_metadata(path).get("character", "").split("\n")
    if len(letters) < 2:
        raise ModelError(f"{path.name} does not name its letters; remove it and fetch it again")
    return ["", *letters, " "]


class _Network:
    """One of the two networks, compiled for each shape that it is given."""

    def __init__(self, files: Weights, threads: int | None) -> None:
        (self._path,) = map(str, files.values())
        self._threads = threads or core_count()
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, picture: Pixels) -> Float32Array:
        """Infer on a picture (H, W, C); the networks take BGR in [-1, 1]."""
        array = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
        if array.shape not in self._requests:
            network = compile_network(self._path, "f32", self._threads, array.shape)
            self._requests[array.shape] = network.create_infer_request()
        return np.array(self._requests[array.shape].infer([array])[0])
