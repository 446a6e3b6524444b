"""Moving shapes with known attributes: one to a clip, any number of clips, to train on and to evaluate with.

The attributes can be measured exactly in any such clip, also in a generated one; see ``core.metrics.shapes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kinoscope.core.arrays import BoolArray, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.core.metrics.shapes import COLOURS, MOTIONS, RADIUS_RANGE, SHAPES, SPEED_RANGE, TURN_RATE_RANGE
from kinoscope.core.results import TaskResult, Track
from kinoscope.core.time import Seconds
from kinoscope.core.validation import require_known
from kinoscope.source.synthetic.video import SyntheticSource

__all__ = ["SHAPES", "MovingShapes", "draw_moving", "moving"]

SUPERSAMPLING = 4
"""Rows and columns that are drawn for each of a frame, so that edges are soft."""

BACKGROUND_LEVELS = (20, 70)
"""Range of grey levels of the background."""


@dataclass(frozen=True, slots=True)
class MovingShapes:
    """The attributes of the shape in a clip.

    Attributes:
        shape, colour, motion: their names.
        centres: (T, 2) of the shape in pixels, x and y.
        radius: in pixels; a disc of it has the shape's area.
    """

    shape: str
    colour: str
    motion: str
    centres: Float64Array
    radius: float


def draw_moving(
    seed: int,
    frames: int = 16,
    rate: float = 25.0,
    size: int = 32,
    shape: str | None = None,
    colour: str | None = None,
    motion: str | None = None,
) -> tuple[Pixels, MovingShapes]:
    """Draw a clip (T, S, S, 3) of one shape, and return it with its attributes.

    The shape is a square, a disc or a triangle of one of six colours on a dark grey background, that moves straight and
    bounces off the borders, moves in a circle, or swings. Attributes that are None are sampled.

    Raises:
        OptionError: a name is not known.
    """
    random = np.random.default_rng([seed, 7])
    shape = _pick_name(random, SHAPES, shape, "shape")
    colour = _pick_name(random, tuple(COLOURS), colour, "colour")
    motion = _pick_name(random, MOTIONS, motion, "motion")
    radius = float(random.uniform(*RADIUS_RANGE)) * size
    centres = size * _trajectory(random, motion, np.arange(frames) / rate, radius / size * 1.35)
    background = random.uniform(*BACKGROUND_LEVELS)
    masks = np.stack([_coverage(shape, centre, radius, size) for centre in centres])[..., None]
    pixels = background + masks * (np.array(COLOURS[colour], float) - background)
    return pixels.round().astype(np.uint8), MovingShapes(shape, colour, motion, centres, radius)


def moving(
    duration: Seconds = 2, rate: Seconds = 25, size: int = 64, seed: Seconds = 0, shape: str = "", colour: str = "",
    motion: str = "",
) -> SyntheticSource:  # fmt: skip
    """Return such a clip as a source; ``truth.tracks`` hold the box of the shape at each frame's time."""
    step = 1 / Fraction(rate)
    frames = max(1, round(Fraction(duration) / step))
    clip, moving_shape = draw_moving(
        int(seed), frames, float(rate), size, shape or None, colour or None, motion or None
    )
    times = np.array([float(number * step) for number in range(frames)])
    left, top, right, bottom = moving_shape.radius * np.array(_bounding_box(moving_shape.shape))
    x, y = moving_shape.centres.T
    boxes = np.stack([times, x + left, y + top, x + right, y + bottom, np.ones(frames)], 1)
    track = Track(1, "objects", f"{moving_shape.colour} {moving_shape.shape}", 1.0, boxes)

    def render_frame(index: int, time: Fraction) -> Pixels:
        return np.asarray(clip[index])

    return SyntheticSource("moving", render_frame, TaskResult(tracks=[track]), (size, size), duration, rate)


def _pick_name(random: Any, names: Sequence[str], name: str | None, kind: str) -> str:
    sampled = str(names[int(random.integers(len(names)))])
    return sampled if name is None else require_known(name, names, kind)


def _trajectory(random: Any, motion: str, times: Float64Array, margin: float) -> Float64Array:
    """Return centres (T, 2) as shares of the side, never nearer to the borders than ``margin``."""
    angle, available = random.uniform(0, 2 * np.pi), 1 - 2 * margin
    if motion == "straight":
        step = random.uniform(*SPEED_RANGE) * np.array([np.cos(angle), np.sin(angle)])
        position = random.uniform(0, available, 2) + times[:, None] * step
        folded = np.mod(position, 2 * available)
        return np.asarray(margin + np.minimum(folded, 2 * available - folded))
    turns = angle + 2 * np.pi * random.uniform(*TURN_RATE_RANGE) * times * random.choice([-1, 1])
    reach = random.uniform(0.45, 0.95) * available / 2
    if motion == "circle":
        offsets = np.stack([np.cos(turns), np.sin(turns)], 1) * reach
    else:
        tilt = random.uniform(0, np.pi)
        offsets = np.sin(turns)[:, None] * np.array([np.cos(tilt), np.sin(tilt)]) * reach
    middle = margin + reach + random.uniform(0, available - 2 * reach, 2)
    return np.asarray(middle + offsets)


def _coverage(shape: str, centre: Float64Array, radius: float, size: int) -> Float64Array:
    """Return the share of each pixel that a shape covers, (S, S) in [0, 1]."""
    coordinates = (np.arange(size * SUPERSAMPLING) + 0.5) / SUPERSAMPLING
    x, y = coordinates[None, :] - centre[0], coordinates[:, None] - centre[1]
    inside = _is_inside(shape, x / radius, y / radius)
    return np.asarray(inside.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean((1, 3)))


def _is_inside(shape: str, x: Float64Array, y: Float64Array) -> BoolArray:
    """Return which coordinates lie in a shape around zero that has the area of a disc of radius 1."""
    if shape == "disc":
        return np.asarray(np.hypot(x, y) <= 1)
    if shape == "square":
        return np.asarray(np.maximum(abs(x), abs(y)) <= _bounding_box("square")[3])
    low = _bounding_box("triangle")[3]
    return np.asarray((y <= low) & (np.sqrt(3) * abs(x) - y <= 2 * low))


def _bounding_box(shape: str) -> tuple[float, float, float, float]:
    """Return the box around such a shape: left, top, right and bottom."""
    if shape == "triangle":
        side = float(np.sqrt(4 * np.pi / np.sqrt(3)))
        low = side / (2 * np.sqrt(3))
        return -side / 2, -2 * low, side / 2, low
    half = 1.0 if shape == "disc" else float(np.sqrt(np.pi) / 2)
    return -half, -half, half, half
