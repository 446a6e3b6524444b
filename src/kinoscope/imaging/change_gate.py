"""Which pictures a network should look at: those that differ from the last one it looked at.

A network need not look twice at the same picture, should look more often where much moves, and what was followed
before a cut is not there after it. All of it is told from two small summaries of a picture: the mean colours of its
cells, of which the largest difference notices a small thing that moves a little but not coding noise; and its palette,
which a cut replaces and a moving camera keeps (the classical detector of cuts: Zhang, Kankanhalli, Smoliar,
"Automatic partitioning of full-motion video", Multimedia Systems 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels

GRID_CELLS = 52
"""Cells along the longer side of a picture."""

MIN_CELL_CHANGE = 16
"""Change of a cell, 0 to 255, from which something else is in it."""

MIN_CHANGED_FRACTION = 0.1
"""Share of changed cells from which a picture has changed much."""

GateDecision = Literal["unchanged", "skip", "infer", "cut"]


@dataclass(frozen=True, slots=True)
class FrameSignature:
    """What is remembered of a picture.

    Attributes:
        cells: (rows, columns, C) float32, mean colours in [0, 255].
        palette: (64,) float64, share of the picture in each of 4 x 4 x 4 colours.
    """

    cells: Float32Array
    palette: Float64Array

    @classmethod
    def at(cls, pixels: Pixels) -> FrameSignature:
        """Summarise a picture (H, W, C)."""
        import cv2

        height, width = pixels.shape[:2]
        side = max(width, height, GRID_CELLS) / GRID_CELLS
        grid = max(1, round(width / side)), max(1, round(height / side))
        cells = cv2.resize(pixels, grid, interpolation=cv2.INTER_AREA)
        colours = (cells.astype(np.int64) >> 6) @ np.array([16, 4, 1])
        palette = np.bincount(colours.ravel(), minlength=64) / colours.size
        return cls(cells.astype(np.float32), palette)

    def moved(self, other: FrameSignature) -> Float32Array:
        """Give the change of each cell, (rows, columns), 0 to 255."""
        return np.asarray(np.abs(self.cells - other.cells).max(axis=2))

    def recoloured(self, other: FrameSignature) -> float:
        """Give the share of the picture, 0 to 1, whose colours the other has not."""
        return float(np.abs(self.palette - other.palette).sum() / 2)


class ChangeGate:
    """Advise on each picture of a video whether to look at it.

    Args:
        rate: looks a second while little changes; None looks at every changed picture.
        still: largest change of a cell, 0 to 255, in a picture that counts as unchanged; -1 counts none so.
        cut: share of the picture that must be recoloured for a cut.
        much: share of changed cells from which a picture has changed much, and is looked at without a pause.

    Attributes:
        fast: whether the last picture that was seen had changed much.
    """

    def __init__(
        self, rate: float | None = None, still: float = 8, cut: float = 0.35, much: float | None = None
    ) -> None:
        self.pause = 0.0 if rate is None else 0.9 / rate  # frames seldom come just when a look is due
        self.still, self.cut, self.much = still, cut, MIN_CHANGED_FRACTION if much is None else much
        self.fast = False
        self._last: FrameSignature | None = None
        self._time = 0.0

    def update(self, pixels: Pixels, time: float) -> GateDecision:
        """Compare a picture (H, W, C) at ``time`` (seconds, increasing) with the last one that was looked at.

        Returns:
            ``same``: it is that picture still; ``wait``: it changed little, and the last look is not long ago;
            ``look``; or ``cut``: look, it is another scene.
        """
        now = FrameSignature.at(pixels)
        advice = self._judge(now, time)
        if advice in ("infer", "cut"):
            self._last, self._time = now, time
        return advice

    def _judge(self, now: FrameSignature, time: float) -> GateDecision:
        self.fast = False
        if self._last is None or self._last.cells.shape != now.cells.shape:
            return "infer"
        moved = now.moved(self._last)
        if moved.max() <= self.still:
            return "unchanged"
        if now.recoloured(self._last) >= self.cut:
            return "cut"
        self.fast = bool((moved > MIN_CELL_CHANGE).mean() >= self.much)
        return "infer" if self.fast or time - self._time >= self.pause else "skip"
