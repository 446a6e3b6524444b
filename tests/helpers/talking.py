"""A drawn face whose mouth opens and closes, a hum as loud as it is open, and a tracker that knows its position."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Audio, Frame, Pixels
from kinoscope.models.inference.face_mesh import CHIN, LIPS, RIGID_POINTS
from kinoscope.models.inference.mouth_tracker import CANONICAL_POINTS, TrackedFace
from kinoscope.source.encode.writer import Writer

SIZE, RATE = (160, 160), 25
EYES = 50.0
"""Distance of the eyes' outer corners in pixels."""


def openness(time: float) -> float:
    """Return how far the mouth is open at a time in seconds, 0 to 1."""
    return float(np.sin(np.pi * 2 * time) ** 2)


def centre(time: float) -> tuple[float, float]:
    """Return the position of the middle between the eyes."""
    return 80 + 3 * time, 50.0


def mesh(time: float) -> Float32Array:
    """Return the mesh of the face at a time."""
    points = np.zeros((468, 3), np.float32)
    points[RIGID_POINTS] = CANONICAL_POINTS
    points[LIPS] = _lips(openness(time))
    points[CHIN] = [(0.4 * np.sin(i), 1.1 + 0.1 * openness(time) * np.cos(i), 0.1) for i in range(len(CHIN))]
    points[:, :2] = points[:, :2] * EYES + centre(time)
    points[:, 2] *= EYES
    return points


def _lips(opened: float) -> list[tuple[float, float, float]]:
    """Return both lip contours, from a corner round below to the other one and back above."""
    rows = []
    for wide, high in ((0.3, 0.1), (0.22, 0.02)):
        for turn in np.linspace(np.pi, -np.pi, 20, endpoint=False):
            rows.append((wide * np.cos(turn), 0.8 + (high + 0.12 * opened) * np.sin(turn), 0.0))
    return rows


def picture(time: float) -> Pixels:
    """Draw the face at a time."""
    pixels = np.full((SIZE[1], SIZE[0], 3), (40, 90, 60), np.uint8)
    x, y = centre(time)
    cv2.ellipse(pixels, (round(x), round(y) + 20), (45, 60), 0, 0, 360, (220, 180, 150), -1)
    points = mesh(time)
    for edge, colour in ((LIPS[:20], (190, 70, 80)), (LIPS[20:], (50, 10, 10))):
        cv2.fillPoly(pixels, [np.round(points[edge, :2]).astype(np.int32)], colour)
    return pixels


def hum(seconds: float, start: float = 0.0, rate: int = 16_000) -> Audio:
    """Return the audio of the face: louder where the mouth is open."""
    times = start + np.arange(round(seconds * rate)) / rate
    samples = 0.3 * np.sin(np.pi * 2 * times) ** 2 * np.sin(2 * np.pi * 220 * times)
    return Audio(samples.astype(np.float32), rate, Fraction(start).limit_denominator(1000))


def write(
    path: Path, seconds: float = 2.0, start: float = 0.0, hidden: Sequence[int] = (), rate: int | None = 16_000
) -> Path:
    """Write such a video; the frames with ``hidden`` numbers have no face; no audio if rate is None."""
    first = Fraction(start).limit_denominator(1000)
    with Writer(path, SIZE, RATE, audio_rate=rate, quality=8) as writer:
        if rate:
            writer.write_audio(hum(seconds, start, rate))
        for number in range(round(seconds * RATE)):
            time = first + Fraction(number, RATE)
            pixels = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8) if number in hidden else picture(float(time))
            writer.write(Frame(pixels, time, number))
    return path


class DrawnFollower:
    """A tracker of the drawn face without any network: it returns the known mesh, unless the frame is grey."""

    def __init__(self, *args: object, **options: object) -> None:
        pass

    def __call__(self, pixels: Pixels, time: float, cut: bool = False) -> list[TrackedFace]:
        if int(np.ptp(pixels[::8, ::8].astype(int))) < 40:
            return []
        scale = pixels.shape[1] / SIZE[0]
        return [TrackedFace(0, mesh(time) * np.float32(scale), 1.0)]
