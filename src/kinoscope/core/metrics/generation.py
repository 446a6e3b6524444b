"""Metrics of generated clips against real ones, from the features (N, D) of a network.

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
"""Nearest neighbours of a clip up to which others count as similar in precision and recall."""

NUM_SAMPLE_SIZES = 8
"""Sample sizes from which a distance is extrapolated to infinitely many clips."""

BOOTSTRAP_SAMPLES = 100
"""Resamples of a bootstrap."""


def frechet_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """Return the Fréchet distance of two normal distributions with the means and covariances of features.

    The trace of the root of the product of covariances is the sum of the singular values of one set of centred features
    times the other, so that no precision is lost where there are fewer clips than features.

    Args:
        real, generated: (N, D) and (M, D), two clips or more of each.
    """
    (mean_a, a), (mean_b, b) = (_centred(one) for one in (real, generated))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * root)


def _centred(features: ArrayLike) -> tuple[Float64Array, Float64Array]:
    """Return the mean (D,) and the rows (N, D) whose product with themselves is the covariance."""
    values = np.asarray(features, np.float64)
    mean = values.mean(0)
    return mean, (values - mean) / np.sqrt(len(values) - 1)


def extrapolated_frechet_distance(real: ArrayLike, generated: ArrayLike, seed: int = 0) -> float:
    """Return the Fréchet distance of infinitely many generated clips.

    With few clips it is too large, by about a constant over their number: Chong and Forsyth, "Effectively unbiased FID
    and Inception Score", CVPR 2020. It is measured on subsets of the clips and extrapolated linearly.
    """
    features, rng = np.asarray(generated, np.float64), np.random.default_rng(seed)
    counts = np.unique(np.linspace(max(2, len(features) // 3), len(features), NUM_SAMPLE_SIZES).round().astype(int))
    if len(counts) < 2:
        return frechet_distance(real, generated)
    values_at_counts = [frechet_distance(real, features[rng.permutation(len(features))[:count]]) for count in counts]
    _, constant = np.polyfit(1 / counts, values_at_counts, 1)
    return float(constant)


def frechet_interval(
    real: ArrayLike,
    generated: ArrayLike,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    samples: int = BOOTSTRAP_SAMPLES,
) -> tuple[float, float] | None:
    """Return the 95 % interval of the Fréchet distance: whole groups of real and generated clips resampled.

    Clips that are resampled twice make a distance larger, so that only the spread is taken from the resamples; and the
    fewer groups there are, the less certain it is, so that it is widened. None for too few groups.

    Args:
        groups: (N,) the group of each real clip, such as its recording.
    """
    rng, real, generated = np.random.default_rng(seed), np.asarray(real, np.float64), np.asarray(generated, np.float64)
    _, group = np.unique(np.arange(len(real)) if groups is None else np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(group == one) for one in range(group.max() + 1)]
    if len(members) < MIN_GROUPS:
        return None
    replicates = []
    for _ in range(samples):
        rows = np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])
        replicates.append(frechet_distance(real[rows], generated[rng.integers(len(generated), size=len(generated))]))
    spread = small_sample_factor(min(len(members), len(generated))) * (
        np.percentile(replicates, (2.5, 97.5)) - np.mean(replicates)
    )
    low, high = frechet_distance(real, generated) + spread
    return max(float(low), 0.0), float(high)


def kernel_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x y / D + 1)^3; about 0 for equal ones."""
    a, b = (np.asarray(one, np.float64) for one in (real, generated))
    length = a.shape[1]

    def kernel(x: Float64Array, y: Float64Array) -> Float64Array:
        return np.asarray((x @ y.T / length + 1) ** 3)

    def within(matrix: Float64Array) -> float:
        return float((matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1)))

    return within(kernel(a, a)) + within(kernel(b, b)) - 2 * float(kernel(a, b).mean())


def pairwise_distances(a: ArrayLike, b: ArrayLike) -> Float64Array:
    """Return the distances of rows (N, D) from rows (M, D): (N, M)."""
    x, y = (np.asarray(one, np.float64) for one in (a, b))
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def precision_recall(real: ArrayLike, generated: ArrayLike, neighbours: int = NUM_NEIGHBOURS) -> tuple[float, float]:
    """Return the share of generated clips within the real ones, and of real clips within the generated ones.

    The region of a set consists of balls around its clips that reach to their ``neighbours``-th neighbour.
    """
    across = pairwise_distances(real, generated)
    reach_real, reach_generated = (_neighbour_distances(one, neighbours) for one in (real, generated))
    precision = (across <= reach_real[:, None]).any(0).mean()
    recall = (across <= reach_generated[None]).any(1).mean()
    return float(precision), float(recall)


def _neighbour_distances(features: ArrayLike, neighbours: int) -> Float64Array:
    """Return the distance of each clip's neighbour of that number, (N,)."""
    sorted_distances = np.sort(pairwise_distances(features, features), 1)
    return np.asarray(sorted_distances[:, min(neighbours, sorted_distances.shape[1] - 1)])


def diversity(features: ArrayLike, labels: ArrayLike | None = None) -> float:
    """Return the mean distance of clips from each other; within each class, where labels (N,) are given."""
    values = np.asarray(features, np.float64)
    classes = np.zeros(len(values)) if labels is None else np.asarray(labels)
    parts = [values[classes == label] for label in np.unique(classes)]
    means = [pairwise_distances(one, one).sum() / (len(one) * (len(one) - 1)) for one in parts if len(one) > 1]
    return float(np.mean(means)) if means else 0.0


def content_distance(features: ArrayLike) -> float:
    """Return the average content distance of clips, from features (N, T, D) of their frames.

    It is the mean distance of each two frames of a clip (Tulyakov et al., "MoCoGAN", CVPR 2018): small where the
    content stays the same.
    """
    values = np.asarray(features, np.float64)
    frames = values.shape[1]
    if frames < 2:
        return 0.0
    return float(np.mean([pairwise_distances(clip, clip).sum() / (frames * (frames - 1)) for clip in values]))
