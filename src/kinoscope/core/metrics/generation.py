"""How near made clips are to real ones, from features (N, D) that a network gives of both.

Fréchet distance: Heusel et al., "GANs trained by a two time-scale update rule", NeurIPS 2017, of clips: Unterthiner et
al., "FVD: a new metric for video generation", 2019. Kernel distance: Bińkowski et al., "Demystifying MMD GANs", ICLR
2018. Precision and recall: Kynkäänniemi et al., NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import Float64Array
from kinoscope.core.intervals import MIN_GROUPS, small_sample_factor

NUM_NEIGHBOURS = 3
"""Of a clip, up to the farthest of which it counts as like it in precision and recall."""

NUM_SAMPLE_SIZES = 8
"""Numbers of clips from which a distance is carried on to endlessly many."""

BOOTSTRAP_SAMPLES = 100
"""Of a bootstrap."""


def frechet_distance(real: ArrayLike, made: ArrayLike) -> float:
    """Give the Fréchet distance of two normal distributions with the means and covariances of features.

    The trace of the root of the product of covariances is the sum of the singular values of one set of centred features
    times the other, so that nothing is lost where there are fewer clips than features.

    Args:
        real, made: (N, D) and (M, D), two clips or more of each.
    """
    (mean_a, a), (mean_b, b) = (_centred(one) for one in (real, made))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * root)


def _centred(features: ArrayLike) -> tuple[Float64Array, Float64Array]:
    """Give the mean (D,) and the rows (N, D) whose product with themselves is the covariance."""
    values = np.asarray(features, np.float64)
    mean = values.mean(0)
    return mean, (values - mean) / np.sqrt(len(values) - 1)


def extrapolated_frechet_distance(real: ArrayLike, made: ArrayLike, seed: int = 0) -> float:
    """Give the Fréchet distance that endlessly many made clips would have.

    With few clips it is too large, by about a constant over their number: Chong and Forsyth, "Effectively unbiased FID
    and Inception Score", CVPR 2020. It is measured on parts of the clips and carried on along a line.
    """
    values, random = np.asarray(made, np.float64), np.random.default_rng(seed)
    counts = np.unique(np.linspace(max(2, len(values) // 3), len(values), NUM_SAMPLE_SIZES).round().astype(int))
    if len(counts) < 2:
        return frechet_distance(real, made)
    found = [frechet_distance(real, values[random.permutation(len(values))[:count]]) for count in counts]
    _, constant = np.polyfit(1 / counts, found, 1)
    return float(constant)


def frechet_interval(
    real: ArrayLike,
    made: ArrayLike,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    drawings: int = BOOTSTRAP_SAMPLES,
) -> tuple[float, float] | None:
    """Return the 95 % interval of the Fréchet distance: whole groups of real and generated clips resampled.

    Clips that are drawn twice make a distance larger, so that the spread alone is taken from the drawings; and the
    fewer groups there are, the less they tell of it, so that it is widened. None of too few groups.

    Args:
        groups: (N,) what each real clip belongs to, such as its recording.
    """
    random, real, made = np.random.default_rng(seed), np.asarray(real, np.float64), np.asarray(made, np.float64)
    _, group = np.unique(np.arange(len(real)) if groups is None else np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(group == one) for one in range(group.max() + 1)]
    if len(members) < MIN_GROUPS:
        return None
    found = []
    for _ in range(drawings):
        rows = np.concatenate([members[one] for one in random.integers(len(members), size=len(members))])
        found.append(frechet_distance(real[rows], made[random.integers(len(made), size=len(made))]))
    spread = small_sample_factor(min(len(members), len(made))) * (np.percentile(found, (2.5, 97.5)) - np.mean(found))
    low, high = frechet_distance(real, made) + spread
    return max(float(low), 0.0), float(high)


def kernel_distance(real: ArrayLike, made: ArrayLike) -> float:
    """Give the unbiased squared maximum mean discrepancy with the kernel (x y / D + 1)^3; around 0 for the same."""
    a, b = (np.asarray(one, np.float64) for one in (real, made))
    length = a.shape[1]

    def kernel(x: Float64Array, y: Float64Array) -> Float64Array:
        return np.asarray((x @ y.T / length + 1) ** 3)

    def within(matrix: Float64Array) -> float:
        return float((matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1)))

    return within(kernel(a, a)) + within(kernel(b, b)) - 2 * float(kernel(a, b).mean())


def pairwise_distances(a: ArrayLike, b: ArrayLike) -> Float64Array:
    """Give how far rows (N, D) are from rows (M, D): (N, M)."""
    x, y = (np.asarray(one, np.float64) for one in (a, b))
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def precision_recall(real: ArrayLike, made: ArrayLike, neighbours: int = NUM_NEIGHBOURS) -> tuple[float, float]:
    """Give which share of made clips lies among real ones, and which of real ones among made ones.

    A set's region is made of balls around its clips that reach to their ``neighbours``-th neighbour.
    """
    across = pairwise_distances(real, made)
    reach_real, reach_made = (_reach(one, neighbours) for one in (real, made))
    precision = (across <= reach_real[:, None]).any(0).mean()
    recall = (across <= reach_made[None]).any(1).mean()
    return float(precision), float(recall)


def _reach(features: ArrayLike, neighbours: int) -> Float64Array:
    """Give how far each clip's neighbour of that number is, (N,)."""
    apart = np.sort(pairwise_distances(features, features), 1)
    return np.asarray(apart[:, min(neighbours, apart.shape[1] - 1)])


def diversity(features: ArrayLike, labels: ArrayLike | None = None) -> float:
    """Give how far clips are from each other on average; of each class apart, where labels (N,) are given."""
    values = np.asarray(features, np.float64)
    kinds = np.zeros(len(values)) if labels is None else np.asarray(labels)
    parts = [values[kinds == kind] for kind in np.unique(kinds)]
    found = [pairwise_distances(one, one).sum() / (len(one) * (len(one) - 1)) for one in parts if len(one) > 1]
    return float(np.mean(found)) if found else 0.0


def content_distance(features: ArrayLike) -> float:
    """Give the average content distance of clips, from features (N, T, D) of their pictures.

    It is the mean distance of each two pictures of a clip (Tulyakov et al., "MoCoGAN", CVPR 2018): small where what is
    shown stays the same.
    """
    values = np.asarray(features, np.float64)
    frames = values.shape[1]
    if frames < 2:
        return 0.0
    return float(np.mean([pairwise_distances(clip, clip).sum() / (frames * (frames - 1)) for clip in values]))
