"""Selection of the frames that need inference: those that differ from the last one inferred.

An unchanged frame needs no second inference, fast motion needs more frequent inference, and after a cut nothing is
tracked any more. All of it is decided by two small summaries of a frame: the mean colours of its cells, of which the
maximum difference detects a small object that moves a little but not coding noise; and its palette, which a cut
replaces and a moving camera keeps (the classical detector of cuts: Zhang, Kankanhalli, Smoliar, "Automatic partitioning
of full-motion video", Multimedia Systems 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Pixels

GRID_CELLS = 52
"""Cells along the longer side of a frame."""

MIN_CELL_CHANGE = 16
"""Change of a cell, 0 to 255, from which its content is another."""

MIN_CHANGED_FRACTION = 0.1
"""Share of changed cells from which a frame has changed much."""

GateDecision = Literal["unchanged", "skip", "infer", "cut"]
"""``unchanged``: still the last frame; ``skip``: little change since a recent inference; ``infer``; ``cut``: infer, it
is another scene."""


@dataclass(frozen=True, slots=True)
class FrameSignature:
    """Compact summary of a frame.

    Attributes:
        cells: (rows, columns, C) float32, mean colours in [0, 255].
        palette: (64,) float64, share of the frame in each of 4 x 4 x 4 colours.
    """

    cells: Float32Array
    palette: Float64Array

    @classmethod
    def of(cls, pixels: Pixels) -> FrameSignature:
        """Return the signature of a frame (H, W, C)."""
        import cv2

        height, width = pixels.shape[:2]
        side = max(width, height, GRID_CELLS) / GRID_CELLS
        grid = max(1, round(width / side)), max(1, round(height / side))
        cells = cv2.resize(pixels, grid, interpolation=cv2.INTER_AREA)
        colours = (cells.astype(np.int64) >> 6) @ np.array([16, 4, 1])
        palette = np.bincount(colours.ravel(), minlength=64) / colours.size
        return cls(cells.astype(np.float32), palette)

    def cell_changes(self, other: FrameSignature) -> Float32Array:
        """Return the change of each cell, (rows, columns), 0 to 255."""
        return np.asarray(np.abs(self.cells - other.cells).max(axis=2))

    def palette_change(self, other: FrameSignature) -> float:
        """Return the share of the frame, 0 to 1, whose colours the other lacks."""
        return float(np.abs(self.palette - other.palette).sum() / 2)


class ChangeGate:
    """Gate that decides for each frame of a video whether to run inference on it.

    Args:
        rate: inferences per second while little changes; None infers every changed frame.
        max_noise: maximum change of a cell, 0 to 255, in a frame that counts as unchanged; -1 counts none so.
        cut: share of the frame that must change colours for a cut.
        min_changed: share of changed cells from which a frame has changed much, and is inferred without a pause.

    Attributes:
        fast: whether the last frame had changed much.
    """

    def __init__(
        self, rate: float | None = None, max_noise: float = 8, cut: float = 0.35, min_changed: float | None = None
    ) -> None:
        self.pause = 0.0 if rate is None else 0.9 / rate  # frames seldom come exactly when an inference is due
        self.max_noise, self.cut, self.min_changed = (
            max_noise,
            cut,
            MIN_CHANGED_FRACTION if min_changed is None else min_changed,
        )
        self.fast = False
        self._last: FrameSignature | None = None
        self._time = 0.0

    def update(self, pixels: Pixels, time: float) -> GateDecision:
        """Compare a frame (H, W, C) at ``time`` (seconds, increasing) with the last one that was inferred.

        Returns:
            See ``GateDecision``.
        """
        signature = FrameSignature.of(pixels)
        decision = self._decide(signature, time)
        if decision in ("infer", "cut"):
            self._last, self._time = signature, time
        return decision

    def _decide(self, signature: FrameSignature, time: float) -> GateDecision:
        self.fast = False
        if self._last is None or self._last.cells.shape != signature.cells.shape:
            return "infer"
        cell_changes = signature.cell_changes(self._last)
        if cell_changes.max() <= self.max_noise:
            return "unchanged"
        if signature.palette_change(self._last) >= self.cut:
            return "cut"
        self.fast = bool((cell_changes > MIN_CELL_CHANGE).mean() >= self.min_changed)
        return "infer" if self.fast or time - self._time >= self.pause else "skip"
