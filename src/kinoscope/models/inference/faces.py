"""Face detection and identification: the MTCNN cascade, alignment by five landmarks, an embedding.

Papers: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016 (arXiv
1604.02878); the alignment is the least-squares similarity of Umeyama, TPAMI 1991.
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
"""Receptive field and stride of P-Net in pixels."""

PYRAMID_RATIO = 0.709
"""Scale ratio between levels of the image pyramid: half the area."""

MIN_SCORES = (0.85, 0.75, 0.8)
"""Minimum scores of the three networks; lower ones cost twice as much and find hardly more faces."""

CHIP_SIDE = 150
"""Side of an aligned face in pixels."""

TEMPLATE = np.array([[47.5, 46.6], [100.5, 46.6], [74.0, 76.6], [50.4, 103.0], [97.6, 103.0]])
"""Positions of eyes, nose and corners of the mouth in an aligned face."""


@dataclass(frozen=True, slots=True)
class FaceDetections:
    """The faces of one frame.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the displayed frame.
        scores: (N,) in [0, 1].
        points: (N, 5, 2) eyes, nose, corners of the mouth, left before right in the frame, in the same pixels.
    """

    boxes: Float64Array
    scores: Float64Array
    points: Float64Array

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: Int64Array | BoolArray) -> FaceDetections:
        return FaceDetections(self.boxes[rows], self.scores[rows], self.points[rows])


class FaceDetector:
    """A face detector: a cascade of three networks, each of which refines the candidates of the previous one.

    Args:
        device: device of the networks.
        threads: number of threads of each network.
        min_size: side of the smallest face to detect, in pixels of the input frames.
        min_scores: minimum score of each of the three networks.
    """

    def __init__(
        self,
        device: str = "auto",
        threads: int | None = 1,
        min_size: float = 28,
        min_scores: tuple[float, float, float] = MIN_SCORES,
    ) -> None:
        names = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
        self.propose_net, self.refine_net, self.output_net = (load(n, device=device, threads=threads) for n in names)
        self.min_size, self.min_scores = min_size, min_scores

    def __call__(
        self, frame: Pixels, shown: Size, expected: Float64Array | None = None, search: bool = True
    ) -> FaceDetections:
        """Detect the faces of a frame.

        Args:
            frame: (H, W, C) uint8.
            shown: its displayed width and height, in whose pixels boxes are returned and taken.
            expected: boxes (N, 4) of expected faces, which only the last network checks.
            search: also search the whole frame, which is the expensive part.
        """
        scale = np.array([shown[0] / frame.shape[1], shown[1] / frame.shape[0]])
        squares = to_squares((np.zeros((0, 4)) if expected is None else expected) / np.tile(scale, 2))
        if search:
            squares = np.concatenate([squares, self.refine(frame, self.propose(frame))])
        proposals = self.output(frame, squares)
        return FaceDetections(
            clip(proposals.boxes * np.tile(scale, 2), *shown), proposals.scores, proposals.points * scale
        )

    def propose(self, frame: Pixels) -> Float64Array:
        """Return candidate squares (N, 4) of P-Net."""
        proposals = [self._propose_at(level, scale) for level, scale in image_pyramid(frame, self.min_size)]
        boxes, scores = (np.concatenate(part) for part in zip(*proposals, strict=True)) if proposals else _none()
        return to_squares(boxes[nms(boxes, scores, 0.7)])

    def _propose_at(self, level: Pixels, scale: float) -> tuple[Float64Array, Float64Array]:
        shift, score = (output[0].astype(np.float64) for output in self.propose_net(level[None]))
        row, column = np.nonzero(score >= self.min_scores[0])
        corner = np.stack([column, row], axis=1) * PNET_STRIDE
        boxes = np.concatenate([corner, corner + PNET_CELL], axis=1) / scale
        selected = nms(boxes, score[row, column], 0.5)
        return apply_regression(boxes[selected], shift[row, column][selected]), score[row, column][selected]

    def refine(self, frame: Pixels, squares: Float64Array) -> Float64Array:
        """Return the squares (N, 4) that R-Net accepts, with their boxes regressed."""
        shift, score = (output.astype(np.float64) for output in self.refine_net(crop_squares(frame, squares, 24)))
        accepted = np.flatnonzero(score >= self.min_scores[1])
        selected = accepted[nms(squares[accepted], score[accepted], 0.7)]
        return to_squares(apply_regression(squares[selected], shift[selected]))

    def output(self, frame: Pixels, squares: Float64Array) -> FaceDetections:
        """Return the faces that O-Net accepts in the squares (N, 4), with landmarks."""
        outputs = self.output_net(crop_squares(frame, squares, 48))
        shift, score, points = (output.astype(np.float64) for output in outputs)
        boxes, side = apply_regression(squares, shift), squares[:, 2:] - squares[:, :2]
        faces = FaceDetections(boxes, score, squares[:, None, :2] + points * side[:, None, :])
        faces = faces[score >= self.min_scores[2]]
        return faces[nms(faces.boxes, faces.scores, 0.7, over_smaller=True)]


def _none() -> tuple[Float64Array, Float64Array]:
    return np.zeros((0, 4)), np.zeros(0)


def image_pyramid(frame: Pixels, min_size: float) -> Iterator[tuple[Pixels, float]]:
    """Yield the frame at decreasing scales, each with its scale; in the first a face of side ``min_size`` fills a
    cell.
    """
    height, width = frame.shape[:2]
    scale = PNET_CELL / min_size
    while min(height, width) * scale >= PNET_CELL:
        frame = resize(frame, (round(width * scale), round(height * scale)))
        yield frame, scale
        scale *= PYRAMID_RATIO


def apply_regression(boxes: Float64Array, shift: Float64Array) -> Float64Array:
    """Shift the corners of boxes (N, 4) by offsets (N, 4) relative to their sides."""
    side = boxes[:, 2:] - boxes[:, :2]
    return boxes + shift * np.tile(side, 2)


def to_squares(boxes: Float64Array) -> Float64Array:
    """Return squares (N, 4) around the centres of boxes (N, 4), as large as their longer sides, in whole pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.round(np.concatenate([centre - half, centre + half], axis=1))


def crop_squares(frame: Pixels, squares: Float64Array, side: int) -> Pixels:
    """Crop squares (N, 4) and resize them to ``side``; black outside the frame."""
    chips = [_crop(frame, x1, y1, x2, y2, side) for x1, y1, x2, y2 in squares.astype(int).tolist()]
    return np.stack(chips) if chips else np.zeros((0, side, side, 3), np.uint8)


def _crop(frame: Pixels, x1: int, y1: int, x2: int, y2: int, side: int) -> Pixels:
    height, width = frame.shape[:2]
    inside = frame[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if inside.shape[:2] != (y2 - y1, x2 - x1) or not inside.size:
        edges = (max(-y1, 0), max(y2 - max(height, y1), 0)), (max(-x1, 0), max(x2 - max(width, x1), 0)), (0, 0)
        inside = np.pad(inside, edges)
    return resize(inside, (side, side))


def resize(frame: Pixels, size: Size) -> Pixels:
    """Resize a frame (H, W, C) by area averaging."""
    import cv2

    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def align_face(frame: Pixels, points: Float64Array) -> Pixels:
    """Return an aligned face: rotated upright and scaled so that its five landmarks match the template.

    Args:
        frame: (H, W, C) uint8.
        points: (5, 2) in pixels of that frame.

    Returns:
        (150, 150, C) uint8.
    """
    import cv2

    # Similarity transforms of the plane are sums and products of complex numbers.
    frame, points = _crop_surroundings(frame, points)
    source, target = points @ [1, 1j], TEMPLATE @ [1, 1j]
    source_centre, target_centre = source.mean(), target.mean()
    centred = source - source_centre
    rotation = np.vdot(centred, target - target_centre) / max(np.vdot(centred, centred).real, 1e-9)
    while abs(rotation) < 0.5 and min(frame.shape[:2]) > 1:  # the interpolation below reads 2 x 2 pixels only
        frame, rotation, source_centre = np.asarray(cv2.pyrDown(frame), np.uint8), rotation * 2, source_centre / 2
    translation = target_centre - rotation * source_centre
    matrix = np.array(
        [[rotation.real, -rotation.imag, translation.real], [rotation.imag, rotation.real, translation.imag]]
    )
    return np.asarray(cv2.warpAffine(frame, matrix, (CHIP_SIDE, CHIP_SIDE), flags=cv2.INTER_LINEAR), np.uint8)


def _crop_surroundings(frame: Pixels, points: Float64Array) -> tuple[Pixels, Float64Array]:
    """Return the part of a frame around a face, and its landmarks (5, 2) in pixels of that part."""
    reach = 2 * np.ptp(points, axis=0).max() + 2
    limits = np.array(frame.shape[1::-1]) - 1
    lowest = np.clip(points.min(axis=0) - reach, 0, limits).astype(int)
    highest = np.clip(points.max(axis=0) + reach, lowest + 1, limits + 1).astype(int)
    return frame[lowest[1] : highest[1], lowest[0] : highest[0]], points - lowest


def frontality(points: Float64Array) -> float:
    """Return how frontal a face with landmarks (5, 2) is: 1 frontal, 0 in profile."""
    eye_line = points[1] - points[0]
    width = float(np.hypot(*eye_line))
    if width < 1:
        return 0.0
    asymmetry = abs(np.dot(points[2] - (points[0] + points[1]) / 2, eye_line)) / width**2
    return max(0.0, 1.0 - 2.0 * float(asymmetry))


def sharpness(chip: Pixels) -> float:
    """Return the sharpness of an aligned face (H, W, C) in [0, 1], from the variance of its Laplacian."""
    import cv2

    variance = float(cv2.Laplacian(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
    return variance / (variance + 100.0)


class FaceEmbedder:
    """A face embedder; the distance of two embeddings is less than 0.6 for the same person."""

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("identity", model, device, threads=threads)
        self.card = self.runner.card

    def __call__(self, chips: Pixels) -> Float32Array:
        """Embed aligned faces (N, 150, 150, C): (N, 128)."""
        (embeddings,) = self.runner(chips)
        return embeddings
