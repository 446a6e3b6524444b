"""Metrics of the faithfulness of an explanation.

Deletion and insertion: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018
(arXiv 1806.07421), here over cells of space and time. Shuffled weights: Adebayo et al., "Sanity Checks for Saliency
Maps", NeurIPS 2018 (arXiv 1810.03292). Pointing game: Zhang et al., "Top-down Neural Attention by Excitation Backprop",
ECCV 2016 (arXiv 1608.00507).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array, Int64Array
from kinoscope.core.explanation import Faithfulness, Heatmap
from kinoscope.core.media import Pixels
from kinoscope.explanation.perturbation import blurred_mean, cell_indices
from kinoscope.explanation.target import Target

MAX_CELLS = 8, 7, 7
"""Maximum number of cells along T, H and W."""
CURVE_STEPS = 8
"""Steps of the deletion and insertion curves."""


class DeletionInsertion:
    """The deletion and insertion metrics of one clip (T, H, W, 3), for any order of its cells.

    Attributes:
        count: number of cells.
        whole: probability of the class in the clip.
        nothing: probability of the class in the baseline, a blurred and static clip.
    """

    def __init__(self, target: Target, frames: Pixels) -> None:
        self._target, self._frames, self._blank = target, frames, blurred_mean(frames)
        grid = tuple(min(side, limit) for side, limit in zip(frames.shape[:3], MAX_CELLS, strict=True))
        self._cells, self.count = cell_indices(frames.shape[:3], grid), int(np.prod(grid))
        self.whole, self.nothing = self._probabilities([self._frames, self._blank])

    def means(self, heat: Heatmap) -> Float64Array:
        """Return the mean of a map (T, H, W) over each cell."""
        total = np.bincount(self._cells.ravel(), heat.ravel().astype(np.float64), self.count)
        return np.asarray(total / np.bincount(self._cells.ravel(), minlength=self.count))

    def run(self, order: Int64Array) -> Faithfulness:
        """Delete and insert the cells in an order, and return the areas under the curves of the probability."""
        deleted = self._probabilities(self._clips(order, self._frames, self._blank))
        inserted = self._probabilities(self._clips(order, self._blank, self._frames))
        return Faithfulness(
            area_under_curve([self.whole, *deleted, self.nothing]),
            area_under_curve([self.nothing, *inserted, self.whole]),
        )

    def run_map(self, heat: Heatmap) -> Faithfulness:
        """Delete and insert the cells by descending value of a map (T, H, W)."""
        return self.run(np.argsort(-self.means(heat), kind="stable"))

    def run_random(self, seed: int) -> Faithfulness:
        """Delete and insert the cells in random order."""
        return self.run(np.random.default_rng(seed).permutation(self.count))

    def _clips(self, order: Int64Array, before: Pixels, after: Pixels) -> Iterator[Pixels]:
        """Yield the clips between ``before`` and ``after``, as cells are replaced in an order."""
        rank = np.empty(self.count, np.int64)
        rank[order] = np.arange(self.count)
        ranks = rank[self._cells][..., None]
        for step in range(1, CURVE_STEPS):
            yield np.where(ranks < round(step * self.count / CURVE_STEPS), after, before)

    def _probabilities(self, clips: Iterator[Pixels] | list[Pixels]) -> list[float]:
        return [float(row[self._target.index]) for row in self._target.probabilities(clips)]


def area_under_curve(values: ArrayLike) -> float:
    """Return the area under equally spaced values over an interval of length 1, by the trapezoidal rule."""
    curve = np.asarray(values, np.float64)
    return float((curve[:-1] + curve[1:]).mean() / 2)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Return Spearman's rank correlation of two maps: 0 if one of them is constant, 1 if both are."""
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(values).ravel()) for values in (first, second)]
    constant = [bool(np.ptp(rank) == 0) for rank in ranks]
    if any(constant):
        return float(all(constant))
    return float(np.corrcoef(*ranks)[0, 1])


def points_inside(heat: Heatmap, inside: BoolArray, slack: int = 0) -> bool:
    """Return whether the maximum of a map (T, H, W) lies inside the mask of the relevant region: the pointing game.

    Args:
        heat: the map (T, H, W).
        inside: the mask (T, H, W).
        slack: tolerance in pixels; the paper allows some, since maps are coarser than frames.
    """
    t, y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    window = inside[t, max(0, y - slack) : y + slack + 1, max(0, x - slack) : x + slack + 1]
    return bool(heat.max() > 0 and window.any())
