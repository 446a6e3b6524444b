"""Attributes of synthetic clips of one moving shape, read back from their pixels: shape, colour and motion.

It is exact on rendered clips (see ``source.synthetic.moving_shapes``), and measures whether generated clips have the
properties of rendered ones: one shape and one colour throughout, a smooth trajectory, and all classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Pixels

SHAPES = ("square", "disc", "triangle")
COLOURS = {
    "red": (230, 50, 50), "green": (50, 210, 70), "blue": (70, 100, 240), "yellow": (235, 220, 60),
    "magenta": (225, 70, 220), "cyan": (70, 220, 225),
}  # fmt: skip
MOTIONS = ("straight", "circle", "swing")

RADIUS_RANGE = (0.15, 0.22)
"""Radius of a disc of the same area as the shape, as a share of the frame's side."""

SPEED_RANGE = (0.5, 1.2)
"""Speed of a straight trajectory in sides of the frame per second."""

TURN_RATE_RANGE = (0.8, 1.5)
"""Turns of a circle, or swings, per second."""

POSITION_TOLERANCE = 0.02
"""Maximum distance of a position from the smooth trajectory, in sides of the frame."""


@dataclass(frozen=True, slots=True)
class ShapeReading:
    """Shape, colour, position and size in each frame of a clip.

    Attributes:
        shapes, colours: names, one for each frame; empty where no shape is detected.
        centres: (T, 2) in shares of the side, x and y; NaN where no shape is detected.
        areas: (T,) in shares of the frame.
    """

    shapes: tuple[str, ...]
    colours: tuple[str, ...]
    centres: Float64Array
    areas: Float64Array

    @property
    def steady(self) -> bool:
        """Whether all frames show the same shape in the same colour."""
        return self.shapes[0] != "" and len({*self.shapes}) == len({*self.colours}) == 1

    @property
    def shape(self) -> str:
        """The most frequent shape."""
        return Counter(self.shapes).most_common(1)[0][0]

    @property
    def colour(self) -> str:
        """The most frequent colour."""
        return Counter(self.colours).most_common(1)[0][0]


def read_moving_shape(pixels: Pixels) -> ShapeReading:
    """Return the attributes of a clip (T, S, S, 3) of one shape on a background."""
    rows = [_read(frame) for frame in pixels]
    shapes, colours, centres, areas = zip(*rows, strict=True)
    return ShapeReading(tuple(shapes), tuple(colours), np.array(centres), np.array(areas))


def _read(frame: Pixels) -> tuple[str, str, tuple[float, float], float]:
    """Return shape, colour, centre and area of the shape in a frame; its colour differs from any grey."""
    values = frame.astype(float)
    chroma = values.max(2) - values.min(2)
    max_chroma = np.percentile(chroma, 98)
    if max_chroma < 60:
        return "", "", (float("nan"), float("nan")), 0.0
    coverage = np.clip(chroma / max_chroma, 0, 1)
    coverage[coverage < 0.15] = 0
    area, side = float(coverage.sum()), len(frame)
    positions = (np.arange(side) + 0.5) / side
    x, y = float((coverage.sum(0) @ positions) / area), float((coverage.sum(1) @ positions) / area)
    core = values[coverage > 0.8].mean(0)
    hue = core - core.min()
    colour = min(COLOURS, key=lambda name: _hue_distance(hue, np.array(COLOURS[name], float)))
    return _shape(coverage, area), colour, (x, y), area / side**2


def _hue_distance(hue: Float64Array, colour: Float64Array) -> float:
    """Return the angle-based distance of a hue from a colour's, after subtracting their greys."""
    pure = colour - colour.min()
    return float(1 - hue @ pure / (np.linalg.norm(hue) * np.linalg.norm(pure) + 1e-9))


def _shape(coverage: Float64Array, area: float) -> str:
    """Return the name of a shape from moments of its coverage that do not depend on size or position.

    A triangle's third moment along y is far from zero. A square fills the corners that a disc leaves, so that its
    fourth moments along the diagonals and the axes differ.
    """
    side = len(coverage)
    positions = np.arange(side) + 0.5
    x, y = (coverage.sum(0) @ positions) / area, (coverage.sum(1) @ positions) / area
    dx, dy = positions - x, positions - y
    deviation = np.sqrt(max(float(coverage.sum(1) @ dy**2 / area), 1e-9))
    if abs(float(coverage.sum(1) @ dy**3 / area)) / deviation**3 > 0.3:
        return "triangle"
    across = float(coverage.sum(0) @ dx**4 / area)
    both = float((dy**2) @ coverage @ (dx**2) / area)
    # For a disc E[x^4] = 3 E[x^2 y^2]; for a square 1.8 E[x^2 y^2].
    return "disc" if across / max(both, 1e-9) > 2.4 else "square"


def is_smooth(centres: Float64Array, rate: float) -> bool:
    """Return whether a trajectory (T, 2) in sides of the frame is one that a rendered shape could have.

    Each position lies near the middle of its neighbours, as far as the sharpest turn allows, except where it bounces;
    and on the whole it is neither slower nor faster than rendered ones.
    """
    if np.isnan(centres).any() or len(centres) < 4:
        return False
    step = 1 / rate
    bends = np.abs(centres[2:] - 2 * centres[1:-1] + centres[:-2]).max(1)
    turning = (2 * np.pi * TURN_RATE_RANGE[1] * step) ** 2 * 0.36
    bounces = int((bends > turning + 2 * POSITION_TOLERANCE).sum())
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    limit = max(SPEED_RANGE[1], 2 * np.pi * TURN_RATE_RANGE[1] * 0.36) * step + 2 * POSITION_TOLERANCE
    path_length = float(steps.sum())
    return bounces <= 1 + len(centres) // 8 and bool((steps <= limit).all()) and path_length > 0.1 * len(centres) * step


def evaluate_moving_shapes(
    readings: Sequence[ShapeReading], rate: float, intended: Sequence[str] = ()
) -> dict[str, float]:
    """Return how well clips match the properties of rendered ones, as shares of the clips.

    Args:
        rate: frames per second.
        intended: the shape that each was to have.

    Returns:
        ``steady`` (one shape and one colour throughout), ``smooth`` (see :func:`is_smooth`), ``both``; ``modes``, the
        share of the pairs of shape and colour that occur; and ``intended`` if that was given.
    """
    steady = [reading.steady for reading in readings]
    smooth = [is_smooth(reading.centres, rate) for reading in readings]
    modes = {(reading.shape, reading.colour) for reading, is_steady in zip(readings, steady, strict=True) if is_steady}
    scores = {
        "steady": float(np.mean(steady)),
        "smooth": float(np.mean(smooth)),
        "both": float(np.mean(np.logical_and(steady, smooth))),
        "modes": len(modes) / (len(SHAPES) * len(COLOURS)),
    }
    if intended:
        pairs = zip(readings, intended, strict=True)
        scores["intended"] = float(np.mean([reading.shape == shape for reading, shape in pairs]))
    return scores
