"""What any card that classifies clips says of examples: as it runs in use, on whatever runs it best here."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kinoscope.core.media import Pixels
from kinoscope.core.metrics.classification import cross_entropy
from kinoscope.imaging.thumbnail import thumbnail
from kinoscope.models.runtime.runner import Runner
from kinoscope.training.data.loader import Loader
from kinoscope.training.evaluation.predictions import Predictions, ViewSum, gather

Seen = Callable[[int, Pixels, float], None]
"""Told of each view: index of its example, pixels (T, H, W, 3), cross-entropy."""


def run(runner: Runner, loader: Loader, seen: Seen | None = None) -> Predictions:
    """Give what a card says of the examples of a loader; of several views of one, the mean of the logits.

    Args:
        runner: of a card that classifies clips; its classes are the loader's.
        loader: one for evaluation; its examples that cannot be read are left out, and told in ``broken``.
        seen: see ``Seen``.
    """
    card = runner.card
    sums: dict[int, ViewSum] = {}
    for batch in loader.epoch(0):
        outputs = runner(batch.pixels)
        logits, embeddings = outputs[-1], outputs[0]
        losses = cross_entropy(logits / card.temperature, batch.targets, card.multilabel)
        for row, index in enumerate(batch.indices.tolist()):
            sums.setdefault(index, ViewSum(batch.targets[row])).add(logits[row], embeddings[row])
            if seen:
                seen(index, batch.pixels[row], float(losses[row]))
    return gather(loader, sums, card.multilabel)


@dataclass
class WorstClips:
    """Pictures of the worst told clips, taken from what the network saw: ``COUNT`` frames side by side, as JPEG files.

    Attributes:
        most: how many clips are kept.
        pictures: index of the example -> (loss, file); of several views, the worst.
    """

    most: int = 120
    pictures: dict[int, tuple[float, bytes]] = field(default_factory=dict)

    COUNT = 6
    """Frames of a clip that are shown."""

    def add(self, index: int, pixels: Pixels, loss: float) -> None:
        """Take a view (T, H, W, 3) of an example, if it is among the worst so far."""
        if index in self.pictures and loss <= self.pictures[index][0]:
            return
        if len(self.pictures) < self.most or index in self.pictures or loss > self._least():
            self.pictures[index] = loss, self._draw(pixels)
        if len(self.pictures) > 2 * self.most:
            self.prune()

    def _least(self) -> float:
        return heapq.nlargest(self.most, (loss for loss, _ in self.pictures.values()))[-1]

    def prune(self) -> None:
        """Let go of all but the worst."""
        worst = heapq.nlargest(self.most, self.pictures.items(), key=lambda item: item[1][0])
        self.pictures = dict(worst)

    def _draw(self, pixels: Pixels) -> bytes:
        picks = np.linspace(0, len(pixels) - 1, self.COUNT).round().astype(int)
        strip = np.concatenate([pixels[pick] for pick in picks], 1)
        return thumbnail(strip, (0, 0, strip.shape[1], strip.shape[0]), 0, self.COUNT * 96, 70)
