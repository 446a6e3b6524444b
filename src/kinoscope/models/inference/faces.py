"""Finding faces and telling them apart: the MTCNN cascade, alignment by five points, an embedding.

Papers: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016
(arXiv 1604.02878); the alignment is the least-squares similarity of Umeyama, TPAMI 1991.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from kinoscope.core.boxes import clip, nms
from kinoscope.core.media import Pixels, Size
from kinoscope.models import load

PNET_CELL, PNET_STRIDE = 12, 2
"""PNet looks at squares of 12 pixels, 2 pixels apart."""

PYRAMID_RATIO = 0.709
"""Ratio of one size of the pyramid to the next: half the area."""

MIN_SCORES = (0.85, 0.75, 0.8)
"""Scores that the three networks must give; lower ones cost twice as much and find hardly more."""

CHIP_SIDE = 150
"""Side of an aligned face in pixels."""

TEMPLATE = np.array([[47.5, 46.6], [100.5, 46.6], [74.0, 76.6], [50.4, 103.0], [97.6, 103.0]])
"""Where the eyes, the nose and the corners of the mouth lie in an aligned face."""


@dataclass(frozen=True, slots=True)
class FaceDetections:
    """The faces of one picture.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the picture as shown.
        scores: (N,) in [0, 1].
        points: (N, 5, 2) eyes, nose, corners of the mouth, left before right in the picture, in the same pixels.
    """

    boxes: Float64Array
    scores: Float64Array
    points: Float64Array

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, chosen: Int64Array | BoolArray) -> FaceDetections:
        return FaceDetections(self.boxes[chosen], self.scores[chosen], self.points[chosen])


class FaceDetector:
    """Find faces with three networks, each of which looks closer at what the one before let through.

    Args:
        device: where to run.
        threads: threads of each network.
        smallest: side of the smallest face to find, in pixels of the pictures given.
        least: score that each of the three networks must give.
    """

    def __init__(
        self,
        device: str = "auto",
        threads: int | None = 1,
        smallest: float = 28,
        least: tuple[float, float, float] = MIN_SCORES,
    ) -> None:
        names = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
        self.propose_net, self.refine_net, self.output_net = (load(n, device=device, threads=threads) for n in names)
        self.smallest, self.least = smallest, least

    def __call__(
        self, picture: Pixels, shown: Size, expected: Float64Array | None = None, search: bool = True
    ) -> FaceDetections:
        """Find the faces of a picture.

        Args:
            picture: (H, W, C).
            shown: its displayed width and height, in whose pixels boxes are given and taken.
            expected: boxes (N, 4) where faces may be, for the last network alone to judge.
            search: whether to look everywhere else too, which is what costs.
        """
        scale = np.array([shown[0] / picture.shape[1], shown[1] / picture.shape[0]])
        squares = to_squares((np.zeros((0, 4)) if expected is None else expected) / np.tile(scale, 2))
        if search:
            squares = np.concatenate([squares, self.refine(picture, self.propose(picture))])
        found = self.settle(picture, squares)
        return FaceDetections(clip(found.boxes * np.tile(scale, 2), *shown), found.scores, found.points * scale)

    def propose(self, picture: Pixels) -> Float64Array:
        """Give squares (N, 4) that may hold a face."""
        found = [self._propose_at(small, scale) for small, scale in image_pyramid(picture, self.smallest)]
        boxes, scores = (np.concatenate(part) for part in zip(*found, strict=True)) if found else _none()
        return to_squares(boxes[nms(boxes, scores, 0.7)])

    def _propose_at(self, small: Pixels, scale: float) -> tuple[Float64Array, Float64Array]:
        shift, score = (output[0].astype(np.float64) for output in self.propose_net(small[None]))
        row, column = np.nonzero(score >= self.least[0])
        corner = np.stack([column, row], axis=1) * PNET_STRIDE
        boxes = np.concatenate([corner, corner + PNET_CELL], axis=1) / scale
        kept = nms(boxes, score[row, column], 0.5)
        return apply_regression(boxes[kept], shift[row, column][kept]), score[row, column][kept]

    def refine(self, picture: Pixels, squares: Float64Array) -> Float64Array:
        """Give those of the squares (N, 4) that hold a face on a closer look, moved to where it is."""
        shift, score = (output.astype(np.float64) for output in self.refine_net(crop_squares(picture, squares, 24)))
        sure = np.flatnonzero(score >= self.least[1])
        kept = sure[nms(squares[sure], score[sure], 0.7)]
        return to_squares(apply_regression(squares[kept], shift[kept]))

    def settle(self, picture: Pixels, squares: Float64Array) -> FaceDetections:
        """Give the faces in those of the squares (N, 4) that hold one."""
        outputs = self.output_net(crop_squares(picture, squares, 48))
        shift, score, points = (output.astype(np.float64) for output in outputs)
        boxes, side = apply_regression(squares, shift), squares[:, 2:] - squares[:, :2]
        faces = FaceDetections(boxes, score, squares[:, None, :2] + points * side[:, None, :])
        faces = faces[score >= self.least[2]]
        return faces[nms(faces.boxes, faces.scores, 0.7, over_smaller=True)]


def _none() -> tuple[Float64Array, Float64Array]:
    return np.zeros((0, 4)), np.zeros(0)


def image_pyramid(picture: Pixels, smallest: float) -> Iterator[tuple[Pixels, float]]:
    """Give ever smaller pictures, each with its scale; in the first a face of side ``smallest`` fills a cell."""
    height, width = picture.shape[:2]
    scale = PNET_CELL / smallest
    while min(height, width) * scale >= PNET_CELL:
        picture = resize(picture, (round(width * scale), round(height * scale)))
        yield picture, scale
        scale *= PYRAMID_RATIO


def apply_regression(boxes: Float64Array, shift: Float64Array) -> Float64Array:
    """Move the corners of boxes (N, 4) by corrections (N, 4) in parts of their sides."""
    side = boxes[:, 2:] - boxes[:, :2]
    return boxes + shift * np.tile(side, 2)


def to_squares(boxes: Float64Array) -> Float64Array:
    """Give squares around the centres of boxes (N, 4), as large as their longer sides, in whole pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.round(np.concatenate([centre - half, centre + half], axis=1))


def crop_squares(picture: Pixels, squares: Float64Array, side: int) -> Pixels:
    """Cut out squares (N, 4), scaled to ``side``; black where they leave the picture."""
    cut = [_crop(picture, x1, y1, x2, y2, side) for x1, y1, x2, y2 in squares.astype(int).tolist()]
    return np.stack(cut) if cut else np.zeros((0, side, side, 3), np.uint8)


def _crop(picture: Pixels, x1: int, y1: int, x2: int, y2: int, side: int) -> Pixels:
    height, width = picture.shape[:2]
    inside = picture[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if inside.shape[:2] != (y2 - y1, x2 - x1) or not inside.size:
        edges = (max(-y1, 0), max(y2 - max(height, y1), 0)), (max(-x1, 0), max(x2 - max(width, x1), 0)), (0, 0)
        inside = np.pad(inside, edges)
    return resize(inside, (side, side))


def resize(picture: Pixels, size: Size) -> Pixels:
    """Scale a picture (H, W, C) to a size; each pixel is the mean of those that it stands for."""
    import cv2

    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def align_face(picture: Pixels, points: Float64Array) -> Pixels:
    """Cut out a face, turned upright and scaled so that its five points meet the template.

    Args:
        picture: (H, W, C).
        points: (5, 2) in pixels of that picture.

    Returns:
        (150, 150, C) uint8.
    """
    import cv2

    # A plane's similarities are the sums and products of complex numbers.
    picture, points = _crop_surroundings(picture, points)
    here, there = points @ [1, 1j], TEMPLATE @ [1, 1j]
    here_centre, there_centre = here.mean(), there.mean()
    away = here - here_centre
    turn = np.vdot(away, there - there_centre) / max(np.vdot(away, away).real, 1e-9)
    while abs(turn) < 0.5 and min(picture.shape[:2]) > 1:  # the sampling below looks at 2 x 2 pixels only
        picture, turn, here_centre = np.asarray(cv2.pyrDown(picture), np.uint8), turn * 2, here_centre / 2
    move = there_centre - turn * here_centre
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    return np.asarray(cv2.warpAffine(picture, matrix, (CHIP_SIDE, CHIP_SIDE), flags=cv2.INTER_LINEAR), np.uint8)


def _crop_surroundings(picture: Pixels, points: Float64Array) -> tuple[Pixels, Float64Array]:
    """Cut a picture down to the surroundings of a face, with its points (5, 2) in pixels of the cutting."""
    reach = 2 * np.ptp(points, axis=0).max() + 2
    limits = np.array(picture.shape[1::-1]) - 1
    low = np.clip(points.min(axis=0) - reach, 0, limits).astype(int)
    high = np.clip(points.max(axis=0) + reach, low + 1, limits + 1).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], points - low


def frontality(points: Float64Array) -> float:
    """Tell from five points (5, 2) how straight a face looks at the camera: 1 straight, 0 from the side."""
    across = points[1] - points[0]
    width = float(np.hypot(*across))
    if width < 1:
        return 0.0
    aside = abs(np.dot(points[2] - (points[0] + points[1]) / 2, across)) / width**2
    return max(0.0, 1.0 - 2.0 * float(aside))


def sharpness(chip: Pixels) -> float:
    """Tell how sharp an aligned face (H, W, C) is, 0 to 1: from the variance of its Laplacian."""
    import cv2

    variance = float(cv2.Laplacian(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
    return variance / (variance + 100.0)


class FaceEmbedder:
    """Give faces embeddings that lie close together, under 0.6, where the person is the same."""

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("identity", model, device, threads=threads)
        self.card = self.runner.card

    def __call__(self, chips: Pixels) -> Float32Array:
        """Embed aligned faces (N, 150, 150, C): (N, 128)."""
        (embeddings,) = self.runner(chips)
        return embeddings
