"""The explanation of a classification: heatmaps over frames, importance over time, and how faithful they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float64Array

Heatmap = NDArray[np.float32]
"""(T, H, W) in [0, 1]: how much each location of each frame supports the class; 1 at the maximum."""

TimeSeries = NDArray[np.float32]
"""(T,) one value a frame."""

MAX_SANE_CORRELATION = 0.5
"""Rank correlation from which two maps count as alike."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Deletion and insertion scores of a map: regions are removed, or restored, in order of importance.

    Attributes:
        deletion: area under the curve of the class probability as regions are deleted; low is faithful.
        insertion: area under the curve as they are inserted into a clip without detail and motion; high is faithful.
    """

    deletion: float
    insertion: float

    @property
    def gain(self) -> float:
        """Insertion minus deletion, in [-1, 1]; higher means that the map ranks regions better."""
        return self.insertion - self.deletion


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of the probability that a network assigns to one class of a clip.

    Attributes:
        model: its name.
        classes: names of all its classes.
        target: index of the class that is explained.
        probabilities: (K,) calibrated, of each class.
        times: (T,) seconds, of the network's input frames.
        maps: heatmap by method.
        curve: how far the log-odds of the class fall when motion stops at that moment; negative where they rise.
        attention: the network's own weight of each moment, adding up to 1; None for a network without attention.
        faithfulness: of each method's map.
        random: of random orders, one for each seed, as a baseline.
        blank: probability of the class for a clip with all content removed, where deletion ends and insertion starts.
        sanity: rank correlations of each method's map with those of networks whose weights are shuffled, one for each
            seed. A map that stays alike depends on the image and not on what the network has learned.
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

    def __repr__(self) -> str:
        label, probability = self.classes[self.target], float(self.probabilities[self.target])
        return f"Explanation({self.model!r}, {label!r}: {probability:.4g}, methods={list(self.maps)})"

    @property
    def label(self) -> str:
        """Name of the class that is explained."""
        return self.classes[self.target]

    @property
    def probability(self) -> float:
        """Probability of the class that is explained."""
        return float(self.probabilities[self.target])

    def over_time(self, method: str) -> TimeSeries:
        """Return the mean of a method's heatmap over each frame, (T,)."""
        return np.asarray(self.maps[method].mean((1, 2)), np.float32)

    def faithful(self, method: str) -> bool:
        """Return whether a map scores better than every random order."""
        return all(self.faithfulness[method].gain > other.gain for other in self.random)

    def sane(self, method: str) -> bool:
        """Return whether a method's map changes when the weights are shuffled."""
        return bool(np.mean(self.sanity[method]) < MAX_SANE_CORRELATION)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values; heatmaps as their mean over each frame."""
        order = np.argsort(-self.probabilities, kind="stable")
        return {
            "schema": 1,
            "model": self.model,
            "target": self.label,
            "probability": _round(self.probability),
            "probabilities": {self.classes[i]: _round(self.probabilities[i]) for i in order},
            "times": _round_all(self.times),
            "curve": _round_all(self.curve),
            "attention": None if self.attention is None else _round_all(self.attention),
            "blank": _round(self.blank),
            "random": {
                name: [_round(getattr(one, name)) for one in self.random] for name in ("deletion", "insertion", "gain")
            },
            "methods": {name: self._method(name) for name in self.maps},
        }

    def _method(self, name: str) -> dict[str, Any]:
        plain: dict[str, Any] = {"over_time": _round_all(self.over_time(name))}
        if name in self.faithfulness:
            row = self.faithfulness[name]
            plain |= {"deletion": _round(row.deletion), "insertion": _round(row.insertion), "gain": _round(row.gain)}
            plain["faithful"] = self.faithful(name)
        if name in self.sanity:
            plain |= {"sanity": _round_all(self.sanity[name]), "sane": self.sane(name)}
        return plain


def _round(value: float) -> float:
    return round(float(value), 6)


def _round_all(values: Any) -> list[float]:
    return [_round(value) for value in values]
