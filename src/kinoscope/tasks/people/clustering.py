"""Grouping of face tracks by person: average-linkage clustering of their embeddings.

Two tracks that are visible at the same time are two people, however similar they look.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array, Int64Array
from kinoscope.core.identity_matching import spans_overlap

MAX_CLUSTER_DISTANCE = 0.45
"""Mean distance of dlib's embeddings up to which two groups of face tracks are one person.

For two photos the authors use 0.6. A track's embedding is the mean of several samples, in which much of what is not the
person cancels out: on 38 clips of 21 people, tracks of one person are at most 0.28 apart and 0.6 would join six of the
people, while every value from 0.35 to 0.45 finds all 21."""

FORBIDDEN_DISTANCE = 1e9
"""A distance that no average over other pairs reduces to ``MAX_CLUSTER_DISTANCE``."""


def cluster_tracks(
    embeddings: NDArray[np.floating], spans: Float64Array, threshold: float = MAX_CLUSTER_DISTANCE
) -> Int64Array:
    """Group tracks by person.

    Args:
        embeddings: (N, D), one per track.
        spans: (N, 2), start and end of each track in seconds.
        threshold: maximum mean distance between the members of two groups that are joined.

    Returns:
        (N,) the person of each track, counted from 0 in order of first appearance.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int64)
    distances = pdist(embeddings)
    first, second = np.triu_indices(len(embeddings), 1)
    distances[spans_overlap(spans)[first, second]] = FORBIDDEN_DISTANCE
    clusters = fcluster(linkage(distances, "average"), threshold, "distance")
    order = {person: np.flatnonzero(clusters == person) for person in np.unique(clusters)}
    ranked = sorted(order.values(), key=lambda members: (spans[members, 0].min(), members[0]))
    people = np.zeros(len(embeddings), np.int64)
    for person, members in enumerate(ranked):
        people[members] = person
    return people
