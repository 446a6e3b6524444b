"""Shapes and text on RGB pixels, (H, W, 3) uint8, drawn in place. Coordinates are whole pixels from the top left.

The font is that of OpenCV 5: anti-aliased, Latin, Greek, Cyrillic, Hebrew, Arabic and Chinese, without font files of
the system. Shapes may extend over the edge of the image and are clipped there.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels
from kinoscope.views.formats.plain import one_line

Colour = tuple[int, int, int]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are the first pixels outside."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def rectangle(pixels: Pixels, rect: Rect, colour: Colour, thickness: int) -> None:
    """Draw the border of a rectangle, inside it."""
    x1, y1, x2, y2 = rect
    border_x, border_y = min(thickness, max(1, x2 - x1)), min(thickness, max(1, y2 - y1))
    fill(pixels, (x1, y1, x2, y1 + border_y), colour)
    fill(pixels, (x1, y2 - border_y, x2, y2), colour)
    fill(pixels, (x1, y1, x1 + border_x, y2), colour)
    fill(pixels, (x2 - border_x, y1, x2, y2), colour)


def corners(pixels: Pixels, rect: Rect, colour: Colour, thickness: int) -> None:
    """Draw the four corners of a rectangle, inside it, each a quarter of its sides long."""
    x1, y1, x2, y2 = rect
    length_x, length_y = max(thickness, (x2 - x1) // 4), max(thickness, (y2 - y1) // 4)
    for left, side_left in ((x1, x1), (x2 - length_x, x2 - thickness)):
        for top, side_top in ((y1, y1), (y2 - length_y, y2 - thickness)):
            fill(pixels, (left, side_top, left + length_x, side_top + thickness), colour)
            fill(pixels, (side_left, top, side_left + thickness, top + length_y), colour)


def polyline(pixels: Pixels, points: Float64Array, colour: Colour, thickness: int, closed: bool) -> None:
    """Draw an anti-aliased polyline through points (N, 2), back to the first if ``closed``."""
    vertices = np.clip(np.rint(points * 16), -(2**19), 2**19).astype(np.int32)
    cv2.polylines(pixels, [vertices], closed, colour, thickness, cv2.LINE_AA, 4)


def fill(pixels: Pixels, rect: Rect, colour: Colour) -> None:
    """Fill a rectangle."""
    x1, y1, x2, y2 = (max(0, side) for side in rect)
    pixels[y1:y2, x1:x2] = colour


def panel(pixels: Pixels, rect: Rect, colour: Colour, opacity: float, radius: int) -> None:
    """Blend a translucent rectangle with rounded corners over the image."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = max(0, rect[0]), max(0, rect[1]), min(width, rect[2]), min(height, rect[3])
    if x2 <= x1 or y2 <= y1:
        return
    mask = _round_mask(rect[2] - rect[0], rect[3] - rect[1], radius) * np.float32(opacity)
    mask = np.ascontiguousarray(mask[y1 - rect[1] : y2 - rect[1], x1 - rect[0] : x2 - rect[0]])
    below = np.ascontiguousarray(pixels[y1:y2, x1:x2])
    above = np.full_like(below, colour)
    pixels[y1:y2, x1:x2] = cv2.blendLinear(above, below, mask, 1 - mask)


@lru_cache(maxsize=64)
def _round_mask(width: int, height: int, radius: int) -> Float32Array:
    """Return (height, width) float32 in [0, 1]: the coverage of each pixel by the rounded rectangle."""
    radius = min(radius, width // 2, height // 2)
    x = np.maximum(radius - 0.5 - np.minimum(np.arange(width), np.arange(width)[::-1]), 0)
    y = np.maximum(radius - 0.5 - np.minimum(np.arange(height), np.arange(height)[::-1]), 0)
    return np.clip(radius + 0.5 - np.hypot(x[None], y[:, None]), 0, 1).astype(np.float32)


class TextRenderer:
    """Renderer of text at one font size in pixels and one weight."""

    def __init__(self, size: int, weight: int = 500) -> None:
        self.size, self.weight = size, weight
        self.height = round(size * 1.45)  # of a line, with room above and below the letters
        self._face = cv2.FontFace("sans")

    def width(self, text: str) -> int:
        """Return the width of ``text`` in pixels."""
        rect = cv2.getTextSize((0, 0), one_line(text), (0, 0), self._face, self.size, self.weight)
        return int(rect[0] + rect[2])

    def fit(self, text: str, width: int) -> str:
        """Return ``text``, truncated with an ellipsis to at most ``width`` pixels."""
        text = one_line(text)
        if self.width(text) <= width:
            return text
        short, long = 0, len(text)
        while short < long - 1:
            middle = (short + long) // 2
            short, long = (middle, long) if self.width(text[:middle] + "…") <= width else (short, middle)
        return text[:short].rstrip() + "…"

    def write(self, pixels: Pixels, text: str, left: int, top: int, colour: Colour) -> None:
        """Draw one line of text whose line box has its top left corner at (left, top)."""
        baseline = top + round(self.size * 1.08)
        cv2.putText(pixels, one_line(text), (left, baseline), colour, self._face, self.size, self.weight)


def contrast(colour: Colour) -> Colour:
    """Return black or white, whichever contrasts more with ``colour`` (by its ITU-R BT.601 luma)."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else WHITE
