"""How much a picture has changed since the last one that a network looked at.

A network need not look twice at the same picture, and what was followed before a cut is not there after it.
Both are told from two small summaries of a picture: the mean colours of its cells, of which the largest
difference notices a small thing that moves a little but not coding noise; and its palette, which a cut replaces
and a moving camera keeps (the classical colour-histogram cut detector: Zhang, Kankanhalli, Smoliar, "Automatic
partitioning of full-motion video", Multimedia Systems 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kinoscope.core.media import Pixels

CELLS = 52
"""Cells along the longer side of a picture."""

Change = Literal["none", "some", "cut"]


@dataclass(frozen=True, slots=True)
class Glance:
    """What is remembered of a picture.

    Attributes:
        cells: (rows, columns, C) float32, mean colours in [0, 255].
        palette: (64,) float64, share of the picture in each of 4 x 4 x 4 colours.
    """

    cells: NDArray[np.float32]
    palette: NDArray[np.float64]

    @classmethod
    def at(cls, pixels: Pixels) -> Glance:
        """Summarise a picture (H, W, C)."""
        height, width = pixels.shape[:2]
        side = max(width, height, CELLS) / CELLS
        grid = max(1, round(width / side)), max(1, round(height / side))
        cells = cv2.resize(pixels, grid, interpolation=cv2.INTER_AREA)
        coarse = cells.astype(np.int64) >> 6
        colours = coarse @ np.array([16, 4, 1])
        palette = np.bincount(colours.ravel(), minlength=64) / colours.size
        return cls(cells.astype(np.float32), palette)

    def moved(self, other: Glance) -> float:
        """Give the largest change of a cell, 0 to 255."""
        return float(np.abs(self.cells - other.cells).max())

    def recoloured(self, other: Glance) -> float:
        """Give the share of the picture, 0 to 1, whose colours the other has not."""
        return float(np.abs(self.palette - other.palette).sum() / 2)


class Watch:
    """Tell of each picture whether it is the same as the last one that had changed, another, or another scene.

    Args:
        still: largest change of a cell, 0 to 255, in a picture that counts as unchanged.
        cut: share of the picture that must be recoloured for a cut.
    """

    def __init__(self, still: float = 8, cut: float = 0.35) -> None:
        self.still, self.cut = still, cut
        self._last: Glance | None = None

    def see(self, pixels: Pixels) -> Change:
        """Compare a picture (H, W, C) with the last changed one; the first counts as ``some`` change."""
        last, now = self._last, Glance.at(pixels)
        if last is None or last.cells.shape != now.cells.shape:
            self._last = now
            return "some"
        if last.moved(now) <= self.still:
            return "none"
        self._last = now
        return "cut" if last.recoloured(now) >= self.cut else "some"
