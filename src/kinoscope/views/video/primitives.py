"""Shapes and letters on RGB pixels, (H, W, 3) uint8, drawn in place. Coordinates are whole pixels from the top left.

Letters are those that OpenCV 5 brings: anti-aliased, Latin, Greek, Cyrillic, Hebrew, Arabic and Chinese, no font
files of the system. Everything may reach over the edge of the picture and is cut there.
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
    """Draw the edges of a rectangle, inside it."""
    x1, y1, x2, y2 = rect
    across, down = min(thickness, max(1, x2 - x1)), min(thickness, max(1, y2 - y1))
    fill(pixels, (x1, y1, x2, y1 + down), colour)
    fill(pixels, (x1, y2 - down, x2, y2), colour)
    fill(pixels, (x1, y1, x1 + across, y2), colour)
    fill(pixels, (x2 - across, y1, x2, y2), colour)


def corners(pixels: Pixels, rect: Rect, colour: Colour, thickness: int) -> None:
    """Draw the four corners of a rectangle, inside it, each reaching over a quarter of its sides."""
    x1, y1, x2, y2 = rect
    across, down = max(thickness, (x2 - x1) // 4), max(thickness, (y2 - y1) // 4)
    for left, inner in ((x1, x1), (x2 - across, x2 - thickness)):
        for top, within in ((y1, y1), (y2 - down, y2 - thickness)):
            fill(pixels, (left, within, left + across, within + thickness), colour)
            fill(pixels, (inner, top, inner + thickness, top + down), colour)


def polyline(pixels: Pixels, points: Float64Array, colour: Colour, thickness: int, closed: bool) -> None:
    """Draw a smooth line through points (N, 2), and back to the first where it is closed."""
    corners = np.clip(np.rint(points * 16), -(2**19), 2**19).astype(np.int32)
    cv2.polylines(pixels, [corners], closed, colour, thickness, cv2.LINE_AA, 4)


def fill(pixels: Pixels, rect: Rect, colour: Colour) -> None:
    """Fill a rectangle."""
    x1, y1, x2, y2 = (max(0, side) for side in rect)
    pixels[y1:y2, x1:x2] = colour


def panel(pixels: Pixels, rect: Rect, colour: Colour, opacity: float, radius: int) -> None:
    """Lay a see-through rectangle with round corners over the picture."""
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
    """Give (height, width) float32 in [0, 1]: how much of each pixel lies in the rounded rectangle."""
    radius = min(radius, width // 2, height // 2)
    across = np.maximum(radius - 0.5 - np.minimum(np.arange(width), np.arange(width)[::-1]), 0)
    down = np.maximum(radius - 0.5 - np.minimum(np.arange(height), np.arange(height)[::-1]), 0)
    return np.clip(radius + 0.5 - np.hypot(across[None], down[:, None]), 0, 1).astype(np.float32)


class TextRenderer:
    """Letters of one size in pixels."""

    def __init__(self, size: int, weight: int = 500) -> None:
        self.size, self.weight = size, weight
        self.height = round(size * 1.45)  # of a line, with room above and below the letters
        self._face = cv2.FontFace("sans")

    def width(self, text: str) -> int:
        """Give the pixels that ``text`` takes."""
        rect = cv2.getTextSize((0, 0), one_line(text), (0, 0), self._face, self.size, self.weight)
        return int(rect[0] + rect[2])

    def fit(self, text: str, width: int) -> str:
        """Give ``text``, or its beginning and an ellipsis, so that it takes at most ``width`` pixels."""
        text = one_line(text)
        if self.width(text) <= width:
            return text
        short, long = 0, len(text)
        while short < long - 1:
            middle = (short + long) // 2
            short, long = (middle, long) if self.width(text[:middle] + "…") <= width else (short, middle)
        return text[:short].rstrip() + "…"

    def write(self, pixels: Pixels, text: str, left: int, top: int, colour: Colour) -> None:
        """Write one line of text whose line box has its upper left corner at (left, top)."""
        baseline = top + round(self.size * 1.08)
        cv2.putText(pixels, one_line(text), (left, baseline), colour, self._face, self.size, self.weight)


def contrast(colour: Colour) -> Colour:
    """Give black or white, whichever reads better on ``colour`` (by its ITU-R BT.601 luma)."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else WHITE
