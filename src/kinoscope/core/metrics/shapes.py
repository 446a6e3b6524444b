"""What clips of one moving shape show, read back from their pixels: which shape, which colour, and how it moves.

It is exact on clips that were drawn (see ``source.synthetic.moving_shapes``), and says of clips that were generated
whether they keep to what drawn ones do: one shape and one colour all through, a smooth way, and every kind.
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
"""Radius of a disc of a shape's area, as a share of the picture's side."""

SPEED_RANGE = (0.5, 1.2)
"""Sides of the picture that a straight way covers in a second."""

TURN_RATE_RANGE = (0.8, 1.5)
"""Turns of a circle, or swings, in a second."""

POSITION_TOLERANCE = 0.02
"""Sides of the picture by which a place may be off the smooth way before and after it."""


@dataclass(frozen=True, slots=True)
class ShapeReading:
    """What each picture of a clip shows.

    Attributes:
        shapes, colours: names, one for each picture; empty where nothing is seen.
        centres: (T, 2) in shares of the side, x and y; NaN where nothing is seen.
        areas: (T,) in shares of the picture.
    """

    shapes: tuple[str, ...]
    colours: tuple[str, ...]
    centres: Float64Array
    areas: Float64Array

    @property
    def steady(self) -> bool:
        """Whether all pictures show the same shape in the same colour."""
        return self.shapes[0] != "" and len({*self.shapes}) == len({*self.colours}) == 1

    @property
    def shape(self) -> str:
        """The commonest."""
        return Counter(self.shapes).most_common(1)[0][0]

    @property
    def colour(self) -> str:
        """The commonest."""
        return Counter(self.colours).most_common(1)[0][0]


def read_moving_shape(pixels: Pixels) -> ShapeReading:
    """Read a clip (T, S, S, 3) of one shape on a ground."""
    rows = [_read(picture) for picture in pixels]
    shapes, colours, centres, areas = zip(*rows, strict=True)
    return ShapeReading(tuple(shapes), tuple(colours), np.array(centres), np.array(areas))


def _read(picture: Pixels) -> tuple[str, str, tuple[float, float], float]:
    """Give shape, colour, centre and area of what is on a picture; colour stands out from any grey."""
    values = picture.astype(float)
    chroma = values.max(2) - values.min(2)
    top = np.percentile(chroma, 98)
    if top < 60:
        return "", "", (float("nan"), float("nan")), 0.0
    cover = np.clip(chroma / top, 0, 1)
    cover[cover < 0.15] = 0
    area, side = float(cover.sum()), len(picture)
    places = (np.arange(side) + 0.5) / side
    x, y = float((cover.sum(0) @ places) / area), float((cover.sum(1) @ places) / area)
    core = values[cover > 0.8].mean(0)
    hue = core - core.min()
    colour = min(COLOURS, key=lambda name: _angle(hue, np.array(COLOURS[name], float)))
    return _shape(cover, area), colour, (x, y), area / side**2


def _angle(hue: Float64Array, colour: Float64Array) -> float:
    """Give how far a hue is from a colour's: the angle of what is above their greys."""
    pure = colour - colour.min()
    return float(1 - hue @ pure / (np.linalg.norm(hue) * np.linalg.norm(pure) + 1e-9))


def _shape(cover: Float64Array, area: float) -> str:
    """Tell a shape by how its cover spreads: moments that do not depend on size or place.

    A triangle's third moment along y is far from zero. A square fills the corners that a disc leaves, so that its
    fourth moments along the diagonals and the axes differ.
    """
    side = len(cover)
    places = np.arange(side) + 0.5
    x, y = (cover.sum(0) @ places) / area, (cover.sum(1) @ places) / area
    dx, dy = places - x, places - y
    spread = np.sqrt(max(float(cover.sum(1) @ dy**2 / area), 1e-9))
    if abs(float(cover.sum(1) @ dy**3 / area)) / spread**3 > 0.3:
        return "triangle"
    across = float(cover.sum(0) @ dx**4 / area)
    both = float((dy**2) @ cover @ (dx**2) / area)
    # For a disc E[x^4] = 3 E[x^2 y^2]; for a square 1.8 E[x^2 y^2].
    return "disc" if across / max(both, 1e-9) > 2.4 else "square"


def is_smooth(centres: Float64Array, rate: float) -> bool:
    """Whether a way (T, 2) in sides of the picture is one that a drawn shape could take.

    Each place lies near the middle of its neighbours, as far as the sharpest turn allows, save where the way bounces;
    and on the whole it is neither slower nor faster than drawn ones.
    """
    if np.isnan(centres).any() or len(centres) < 4:
        return False
    step = 1 / rate
    bends = np.abs(centres[2:] - 2 * centres[1:-1] + centres[:-2]).max(1)
    turning = (2 * np.pi * TURN_RATE_RANGE[1] * step) ** 2 * 0.36
    bounces = int((bends > turning + 2 * POSITION_TOLERANCE).sum())
    fastest = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    limit = max(SPEED_RANGE[1], 2 * np.pi * TURN_RATE_RANGE[1] * 0.36) * step + 2 * POSITION_TOLERANCE
    moves = float(fastest.sum())
    return bounces <= 1 + len(centres) // 8 and bool((fastest <= limit).all()) and moves > 0.1 * len(centres) * step


def evaluate_moving_shapes(
    readings: Sequence[ShapeReading], rate: float, intended: Sequence[str] = ()
) -> dict[str, float]:
    """Give how far clips keep to what drawn ones do, as shares of the clips.

    Args:
        rate: pictures a second. intended: the shape that each was to have.

    Returns:
        ``steady`` (one shape and one colour all through), ``smooth`` (see :func:`is_smooth`), ``both``; ``modes``, the
        share of the pairs of shape and colour that were seen; and ``intended`` if that was given.
    """
    steady = [reading.steady for reading in readings]
    even = [is_smooth(reading.centres, rate) for reading in readings]
    seen = {(reading.shape, reading.colour) for reading, good in zip(readings, steady, strict=True) if good}
    found = {
        "steady": float(np.mean(steady)),
        "smooth": float(np.mean(even)),
        "both": float(np.mean(np.logical_and(steady, even))),
        "modes": len(seen) / (len(SHAPES) * len(COLOURS)),
    }
    if intended:
        pairs = zip(readings, intended, strict=True)
        found["intended"] = float(np.mean([reading.shape == shape for reading, shape in pairs]))
    return found
