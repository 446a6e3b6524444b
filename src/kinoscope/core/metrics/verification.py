"""Biometric verification metrics: false accept rate, false reject rate, and thresholds between them.

A *genuine* pair shows one person (or object) twice, an *impostor* pair shows two. Up to a threshold a pair is accepted
as one: the false accept rate (FAR) is the share of impostor pairs that are, the false reject rate (FRR) that of genuine
pairs that are not. Terms as in ISO/IEC 19795-1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kinoscope.core.arrays import BoolArray, Float64Array
from kinoscope.core.errors import OptionError
from kinoscope.core.intervals import Interval, binomial_interval, proportion_interval, variance_of_mean


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and its error rates.

    Attributes:
        threshold: the maximum distance that is accepted.
        far, frr: share of impostor pairs accepted, and of genuine pairs rejected; NaN without such pairs.
        far_interval, frr_interval: 95 % intervals of the true rates for this number of pairs and people; NaN where they
            are too few.
        genuine, impostor: number of pairs.
    """

    threshold: float
    far: float
    frr: float
    far_interval: tuple[float, float]
    frr_interval: tuple[float, float]
    genuine: int
    impostor: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; NaN becomes None."""
        return {key: _nan_to_none(value) for key, value in asdict(self).items()}


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


PairOwners = tuple[Sequence[str], Sequence[str]]
"""The person compared in each genuine pair, and in each impostor pair."""


def operating_point(
    genuine: ArrayLike, impostor: ArrayLike, threshold: float, owners: PairOwners | None = None
) -> OperatingPoint:
    """Return the error rates of a threshold.

    Args:
        genuine, impostor: (N,) and (M,) distances of pairs.
        threshold: the maximum distance that is accepted.
        owners: the person compared in each pair: pairs of one person resemble one another. None where each pair is
            independent.
    """
    genuine_distances, impostor_distances = (np.asarray(values, np.float64).ravel() for values in (genuine, impostor))
    genuine_owners, impostor_owners = owners or (None, None)
    far, far_interval = _rate(impostor_distances <= threshold, impostor_owners)
    frr, frr_interval = _rate(genuine_distances > threshold, genuine_owners)
    return OperatingPoint(
        float(threshold), far, frr, far_interval, frr_interval, len(genuine_distances), len(impostor_distances)
    )


def _rate(wrong: BoolArray, owners: Sequence[str] | None) -> tuple[float, Interval]:
    """Return the share of pairs that are classified wrongly, and its interval."""
    if not len(wrong):
        return math.nan, (math.nan, math.nan)
    rate = float(wrong.mean())
    if owners is None:
        return rate, binomial_interval(int(wrong.sum()), len(wrong))
    return rate, proportion_interval(rate, variance_of_mean(wrong, owners), np.ones(len(wrong)), owners)


def threshold_at_far(
    genuine: ArrayLike, impostor: ArrayLike, far: float, owners: PairOwners | None = None
) -> OperatingPoint:
    """Return the largest threshold at which at most the share ``far`` of the impostor pairs is accepted.

    It is the midpoint between the last pair that may be accepted and the first that may not, since any threshold
    between them has the same error rates on these pairs.

    Args:
        genuine, impostor: (N,) and (M,) distances of pairs; there must be impostor pairs.
        far: from 0 to less than 1. Under 1 / M no impostor pair is accepted, and only the interval says how little
            is known of the true rate.
        owners: as for ``operating_point``.

    Raises:
        OptionError: ``far`` is no such share, or there is no impostor pair.
    """
    if not 0 <= far < 1:
        raise OptionError(f"a false accept rate of {far:g} is not possible; give a share of at least 0 and less than 1")
    distances = np.sort(np.asarray(impostor, np.float64).ravel())
    if not len(distances):
        raise OptionError("there is no pair of different people to set a threshold by; give samples of at least two")
    allowed = min(math.floor(far * len(distances) + 1e-9), len(distances) - 1)
    below = np.concatenate([np.asarray(genuine, np.float64).ravel(), distances[:allowed], [0.0]])
    first = distances[allowed]  # with equals, none of them may be accepted
    middle = (float(below[below < first].max(initial=0.0)) + float(first)) / 2
    threshold = min(middle, float(np.nextafter(first, -np.inf)))
    return operating_point(genuine, impostor, threshold, owners)


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Return the error rate at the threshold where both rates are closest; NaN where a kind of pair is missing."""
    thresholds, far, frr = error_rates(genuine, impostor)
    if not len(thresholds) or np.isnan(far).any() or np.isnan(frr).any():
        return math.nan
    index = int(np.argmin(np.abs(far - frr)))
    return float((far[index] + frr[index]) / 2)


def error_rates(genuine: ArrayLike, impostor: ArrayLike) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return the thresholds (T,) at which an error rate changes, ascending, with FAR (T,) and FRR (T,) there."""
    genuine_distances, impostor_distances = (
        np.sort(np.asarray(values, np.float64).ravel()) for values in (genuine, impostor)
    )
    thresholds = np.unique(np.concatenate([genuine_distances, impostor_distances]))
    with np.errstate(invalid="ignore"):
        far = np.searchsorted(impostor_distances, thresholds, "right") / np.float64(len(impostor_distances))
        frr = 1 - np.searchsorted(genuine_distances, thresholds, "right") / np.float64(len(genuine_distances))
    return thresholds, far, frr
