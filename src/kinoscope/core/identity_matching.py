"""Open-set matching of tracks to known people, each of whom is in one track at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array

MAX_FALLBACK_EXCESS = 0.05
"""Distance by which another person may be farther than the nearest one to be assigned to a track when the nearest is in
another track at that time: two people may look alike, but a duplicate track of one of them belongs to no other."""


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """The match of one track.

    Attributes:
        person: index of the person, or None: unknown.
        nearest: index of the nearest person, matched or not.
        distance: to ``person``, or to the nearest where it is unknown.
        margin: how much farther the next other person is; infinite where there is none.
    """

    person: int | None
    nearest: int
    distance: float
    margin: float


def spans_overlap(spans: ArrayLike) -> BoolArray:
    """Return for each pair (N, N) of spans (N, 2), in seconds, whether they overlap; False on the diagonal.

    Spans that only touch do not overlap; spans with the same start do, even if empty, as in a photo.
    """
    start, end = np.asarray(spans, np.float64).reshape(-1, 2).T
    overlapping = (start[:, None] < end[None, :]) & (start[None, :] < end[:, None])
    overlapping |= start[:, None] == start[None, :]
    np.fill_diagonal(overlapping, False)
    return np.asarray(overlapping)


def match_identities(distances: ArrayLike, spans: ArrayLike, threshold: float) -> list[IdentityMatch]:
    """Match tracks to people, smallest distance first.

    A track is assigned to its nearest person if that one is near enough and not in another track at the same time; else
    possibly to one that is hardly farther; else it is unknown.

    Args:
        distances: (N, P) of each track to each person, P at least 1; infinite where they cannot be compared.
        spans: (N, 2) start and end of each track in seconds.
        threshold: maximum distance of a match.

    Returns:
        One IdentityMatch for each track.
    """
    matrix = np.asarray(distances, np.float64)
    candidates = (matrix <= threshold) & (
        matrix <= matrix.min(axis=1, keepdims=True, initial=np.inf) + MAX_FALLBACK_EXCESS
    )
    person = np.full(len(matrix), -1)
    overlapping = spans_overlap(spans)
    rows, columns = np.nonzero(candidates)
    for index in np.argsort(matrix[rows, columns], kind="stable"):
        track, candidate = int(rows[index]), int(columns[index])
        if person[track] < 0 and not np.any(person[overlapping[track]] == candidate):
            person[track] = candidate
    return [
        _match(row, None if candidate < 0 else int(candidate))
        for row, candidate in zip(matrix, person.tolist(), strict=True)
    ]


def _match(row: Float64Array, person: int | None) -> IdentityMatch:
    nearest = int(np.argmin(row))
    chosen = nearest if person is None else person
    others = np.delete(row, chosen)
    margin = float(others.min() - row[chosen]) if len(others) and np.isfinite(row[chosen]) else float("inf")
    return IdentityMatch(person, nearest, float(row[chosen]), margin)
