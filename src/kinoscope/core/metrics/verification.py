"""How well distances tell the same from another: the two kinds of error, and the threshold between them.

A *genuine* pair shows one person (or thing) twice, an *impostor* pair shows two. Up to a threshold a pair is taken for
one: the false accept rate (FAR) is the share of impostor pairs that are, the false reject rate (FRR) that of genuine
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
    """A threshold and what it does.

    Attributes:
        threshold: the largest distance that is accepted.
        far, frr: share of impostor pairs accepted, and of genuine pairs rejected; NaN without such pairs.
        far_interval, frr_interval: 95 % intervals of the true rates, as far as so many pairs of so many people can say;
            NaN where they are too few.
        genuine, impostor: how many pairs there were.
    """

    threshold: float
    far: float
    frr: float
    far_interval: tuple[float, float]
    frr_interval: tuple[float, float]
    genuine: int
    impostor: int

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form; what is not known is None."""
        return {key: _known(value) for key, value in asdict(self).items()}


def _known(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


PairOwners = tuple[Sequence[str], Sequence[str]]
"""Who is compared in each genuine pair, and in each impostor pair."""


def operating_point(
    genuine: ArrayLike, impostor: ArrayLike, threshold: float, owners: PairOwners | None = None
) -> OperatingPoint:
    """Return what a threshold does.

    Args:
        genuine, impostor: (N,) and (M,) distances of pairs.
        threshold: the largest distance that is accepted.
        owners: who is compared in each pair: pairs of one person resemble one another. None where each pair stands
            for itself.
    """
    same, other = (np.asarray(values, np.float64).ravel() for values in (genuine, impostor))
    of_same, of_other = owners or (None, None)
    far, far_interval = _rate(other <= threshold, of_other)
    frr, frr_interval = _rate(same > threshold, of_same)
    return OperatingPoint(float(threshold), far, frr, far_interval, frr_interval, len(same), len(other))


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
    """Give the largest threshold at which at most the share ``far`` of the impostor pairs is accepted.

    It lies in the middle between the last pair that may be accepted and the first that may not, since any threshold
    between them does the same to these pairs.

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
    other = np.sort(np.asarray(impostor, np.float64).ravel())
    if not len(other):
        raise OptionError("there is no pair of different people to set a threshold by; give looks of two at least")
    allowed = min(math.floor(far * len(other) + 1e-9), len(other) - 1)
    below = np.concatenate([np.asarray(genuine, np.float64).ravel(), other[:allowed], [0.0]])
    first = other[allowed]  # with equals, none of them may be accepted
    middle = (float(below[below < first].max(initial=0.0)) + float(first)) / 2
    threshold = min(middle, float(np.nextafter(first, -np.inf)))
    return operating_point(genuine, impostor, threshold, owners)


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Give the error rate where both kinds of error are most alike; NaN where a kind of pair is missing."""
    thresholds, far, frr = error_rates(genuine, impostor)
    if not len(thresholds) or np.isnan(far).any() or np.isnan(frr).any():
        return math.nan
    place = int(np.argmin(np.abs(far - frr)))
    return float((far[place] + frr[place]) / 2)


def error_rates(genuine: ArrayLike, impostor: ArrayLike) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Give all thresholds (T,) at which an error rate changes, ascending, with the FAR (T,) and the FRR (T,) there."""
    same, other = (np.sort(np.asarray(values, np.float64).ravel()) for values in (genuine, impostor))
    thresholds = np.unique(np.concatenate([same, other]))
    with np.errstate(invalid="ignore"):
        far = np.searchsorted(other, thresholds, "right") / np.float64(len(other))
        frr = 1 - np.searchsorted(same, thresholds, "right") / np.float64(len(same))
    return thresholds, far, frr
