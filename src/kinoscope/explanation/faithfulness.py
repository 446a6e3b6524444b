"""Whether a map shows what a network goes by.

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
"""Most cells along T, H and W."""
CURVE_STEPS = 8
"""Steps in which all cells are deleted, or inserted."""


class DeletionInsertion:
    """Deletes and inserts the cells of one clip (T, H, W, 3) in any order.

    Attributes:
        whole, nothing: probability of the class in the clip as it is, and where nothing is to be seen.
    """

    def __init__(self, target: Target, frames: Pixels) -> None:
        self._target, self._frames, self._blank = target, frames, blurred_mean(frames)
        grid = tuple(min(side, most) for side, most in zip(frames.shape[:3], MAX_CELLS, strict=True))
        self._cells, self.count = cell_indices(frames.shape[:3], grid), int(np.prod(grid))
        self.whole, self.nothing = self._probabilities([self._frames, self._blank])

    def means(self, heat: Heatmap) -> Float64Array:
        """Give the mean of a map (T, H, W) over each cell."""
        total = np.bincount(self._cells.ravel(), heat.ravel().astype(np.float64), self.count)
        return np.asarray(total / np.bincount(self._cells.ravel(), minlength=self.count))

    def run(self, order: Int64Array) -> Faithfulness:
        """Delete and insert the cells in an order, and give the areas under the curves of the probability."""
        deleted = self._probabilities(self._clips(order, self._frames, self._blank))
        inserted = self._probabilities(self._clips(order, self._blank, self._frames))
        return Faithfulness(
            area_under_curve([self.whole, *deleted, self.nothing]),
            area_under_curve([self.nothing, *inserted, self.whole]),
        )

    def run_map(self, heat: Heatmap) -> Faithfulness:
        """Delete and insert the hottest cells of a map (T, H, W) first."""
        return self.run(np.argsort(-self.means(heat), kind="stable"))

    def run_random(self, seed: int) -> Faithfulness:
        """Delete and insert the cells in random order."""
        return self.run(np.random.default_rng(seed).permutation(self.count))

    def _clips(self, order: Int64Array, before: Pixels, after: Pixels) -> Iterator[Pixels]:
        """Give the clips between one and another, as cells go over in order."""
        rank = np.empty(self.count, np.int64)
        rank[order] = np.arange(self.count)
        place = rank[self._cells][..., None]
        for step in range(1, CURVE_STEPS):
            yield np.where(place < round(step * self.count / CURVE_STEPS), after, before)

    def _probabilities(self, clips: Iterator[Pixels] | list[Pixels]) -> list[float]:
        return [float(row[self._target.index]) for row in self._target.probabilities(clips)]


def area_under_curve(values: ArrayLike) -> float:
    """Give the area under values at equal steps over a way of length 1, by trapezoids."""
    heights = np.asarray(values, np.float64)
    return float((heights[:-1] + heights[1:]).mean() / 2)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Give Spearman's rank correlation of two maps: 0 where one is the same everywhere, 1 where both are."""
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(values).ravel()) for values in (first, second)]
    flat = [bool(np.ptp(rank) == 0) for rank in ranks]
    if any(flat):
        return float(all(flat))
    return float(np.corrcoef(*ranks)[0, 1])


def points_inside(heat: Heatmap, inside: BoolArray, slack: int = 0) -> bool:
    """Whether the hottest place of a map (T, H, W) lies on what decides, ``inside`` (T, H, W).

    Args:
        slack: pixels by which it may miss; the paper allows some, since maps are coarser than pictures.
    """
    t, y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    window = inside[t, max(0, y - slack) : y + slack + 1, max(0, x - slack) : x + slack + 1]
    return bool(heat.max() > 0 and window.any())
