"""Whose track it is: open-set matching of tracks to known people, of whom each is in one place at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array

MAX_FALLBACK_EXCESS = 0.05
"""How much farther than its nearest person another may be for a track to be taken for that one, where the nearest is
already somewhere else: two people may look alike, but a track that shows one of them doubly is nobody else's."""


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """What was found of one track.

    Attributes:
        person: index of who it is, or None: unknown.
        nearest: index of the person it is nearest to, known or not.
        distance: to ``person``, or to the nearest where it is unknown.
        margin: how much farther the next other person is; infinite where there is none.
    """

    person: int | None
    nearest: int
    distance: float
    margin: float


def spans_overlap(spans: ArrayLike) -> BoolArray:
    """Tell of each pair (N, N) of spans (N, 2), in seconds, whether both last at some time; none does with itself.

    What ends when another begins is not together with it; what begins with it is, if only for a moment, as in a photo.
    """
    start, end = np.asarray(spans, np.float64).reshape(-1, 2).T
    both = (start[:, None] < end[None, :]) & (start[None, :] < end[:, None])
    both |= start[:, None] == start[None, :]
    np.fill_diagonal(both, False)
    return np.asarray(both)


def match_identities(distances: ArrayLike, spans: ArrayLike, threshold: float) -> list[IdentityMatch]:
    """Match tracks to people, the surest first.

    A track is of its nearest person if that one is near enough and not in another track at the same time; else it may
    be of one who is hardly farther; else it is unknown.

    Args:
        distances: (N, P) of each track to each person, P at least 1; infinite where they cannot be compared.
        spans: (N, 2) start and end of each track in seconds.
        threshold: largest distance that is taken for the same.

    Returns:
        One Match for each track.
    """
    far = np.asarray(distances, np.float64)
    near = (far <= threshold) & (far <= far.min(axis=1, keepdims=True, initial=np.inf) + MAX_FALLBACK_EXCESS)
    person = np.full(len(far), -1)
    together = spans_overlap(spans)
    rows, columns = np.nonzero(near)
    for place in np.argsort(far[rows, columns], kind="stable"):
        track, who = int(rows[place]), int(columns[place])
        if person[track] < 0 and not np.any(person[together[track]] == who):
            person[track] = who
    return [_match(row, None if who < 0 else int(who)) for row, who in zip(far, person.tolist(), strict=True)]


def _match(row: Float64Array, person: int | None) -> IdentityMatch:
    nearest = int(np.argmin(row))
    chosen = nearest if person is None else person
    others = np.delete(row, chosen)
    margin = float(others.min() - row[chosen]) if len(others) and np.isfinite(row[chosen]) else float("inf")
    return IdentityMatch(person, nearest, float(row[chosen]), margin)
