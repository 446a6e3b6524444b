"""Why a network takes a clip for what it does: heat over pictures, importance over time, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array

Heatmap = NDArray[np.float32]
"""(T, H, W) in [0, 1]: how much each place of each picture speaks for the class; 1 at the strongest."""

TimeSeries = NDArray[np.float32]
"""(T,) one value a picture."""

MAX_SANE_CORRELATION = 0.5
"""Rank correlation from which two maps count as alike."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """What happens to the probability of the class as places are taken away, or put back, the most important first.

    Attributes:
        deletion: area under the curve of the probability as places are deleted; low is faithful.
        insertion: area under the curve as they are put into a clip without detail and motion; high is faithful.
    """

    deletion: float
    insertion: float

    @property
    def gain(self) -> float:
        """Insertion minus deletion, in [-1, 1]; the higher, the better the map knows what counts."""
        return self.insertion - self.deletion


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a network gives a clip the probability of one class that it gives.

    Attributes:
        model: its name.
        classes: names of all its classes.
        target: the class that is explained, by index.
        probabilities: (K,) calibrated, of each class.
        times: (T,) seconds, of the pictures that the network saw.
        maps: heat by method.
        curve: how far the log-odds of the class fall when motion stops at that moment; negative where they rise.
        attention: weight that the network itself gives to each moment, adding up to 1; None where it has no attention.
        faithfulness: of each method's map.
        random: of random orders, one for each seed, to compare with.
        blank: probability of the class where nothing of the clip is left, which deletion goes to and insertion comes
            from.
        sanity: rank correlations of each method's map with those of networks whose weights are shuffled, one for each
            seed. A map that stays alike shows the picture, and not what the network has learned.
    """

    model: str
    classes: tuple[str, ...]
    target: int
    probabilities: Float64Array
    times: Float64Array
    maps: Mapping[str, Heatmap]
    curve: TimeSeries
    attention: TimeSeries | None = None
    faithfulness: Mapping[str, Faithfulness] = field(default_factory=dict)
    random: tuple[Faithfulness, ...] = ()
    blank: float = 0.0
    sanity: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name of the class that is explained."""
        return self.classes[self.target]

    @property
    def probability(self) -> float:
        """Probability of the class that is explained."""
        return float(self.probabilities[self.target])

    def over_time(self, method: str) -> TimeSeries:
        """Give the (T,) mean of a method's heat over each picture."""
        return np.asarray(self.maps[method].mean((1, 2)), np.float32)

    def faithful(self, method: str) -> bool:
        """Whether a map does better than every random order."""
        return all(self.faithfulness[method].gain > other.gain for other in self.random)

    def sane(self, method: str) -> bool:
        """Whether a method's map is another one where the weights are."""
        return bool(np.mean(self.sanity[method]) < MAX_SANE_CORRELATION)

    def to_dict(self) -> dict[str, Any]:
        """Give all numbers in plain form; the heat over each picture as its mean."""
        best = np.argsort(-self.probabilities, kind="stable")
        return {
            "schema": 1,
            "model": self.model,
            "target": self.label,
            "probability": _round(self.probability),
            "probabilities": {self.classes[i]: _round(self.probabilities[i]) for i in best},
            "times": _rounds(self.times),
            "curve": _rounds(self.curve),
            "attention": None if self.attention is None else _rounds(self.attention),
            "blank": _round(self.blank),
            "random": {
                name: [_round(getattr(one, name)) for one in self.random] for name in ("deletion", "insertion", "gain")
            },
            "methods": {name: self._method(name) for name in self.maps},
        }

    def _method(self, name: str) -> dict[str, Any]:
        plain: dict[str, Any] = {"over_time": _rounds(self.over_time(name))}
        if name in self.faithfulness:
            row = self.faithfulness[name]
            plain |= {"deletion": _round(row.deletion), "insertion": _round(row.insertion), "gain": _round(row.gain)}
            plain["faithful"] = self.faithful(name)
        if name in self.sanity:
            plain |= {"sanity": _rounds(self.sanity[name]), "sane": self.sane(name)}
        return plain


def _round(value: float) -> float:
    return round(float(value), 6)


def _rounds(values: Any) -> list[float]:
    return [_round(value) for value in values]
