"""Predictions of examples by any card that classifies clips, on the runtime of actual use."""

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

ViewCallback = Callable[[int, Pixels, float], None]
"""Called for each view: index of its example, pixels (T, H, W, 3), cross-entropy."""


def run(runner: Runner, loader: Loader, on_view: ViewCallback | None = None) -> Predictions:
    """Return a card's predictions of the examples of a loader; of several views of one, the mean of the logits.

    Args:
        runner: of a card that classifies clips; its classes are the loader's.
        loader: one for evaluation; its unreadable examples are left out, and listed in ``unreadable``.
        on_view: see ``ViewCallback``.
    """
    card = runner.card
    sums: dict[int, ViewSum] = {}
    for batch in loader.epoch(0):
        outputs = runner(batch.pixels)
        logits, embeddings = outputs[-1], outputs[0]
        losses = cross_entropy(logits / card.temperature, batch.targets, card.multilabel)
        for row, index in enumerate(batch.indices.tolist()):
            sums.setdefault(index, ViewSum(batch.targets[row])).add(logits[row], embeddings[row])
            if on_view:
                on_view(index, batch.pixels[row], float(losses[row]))
    return gather(loader, sums, card.multilabel)


@dataclass
class WorstClips:
    """Thumbnails of the clips with the highest loss: ``COUNT`` frames side by side, as JPEG files.

    Attributes:
        max_clips: how many are kept.
        thumbnails: index of the example -> (loss, file); of several views, the worst.
    """

    max_clips: int = 120
    thumbnails: dict[int, tuple[float, bytes]] = field(default_factory=dict)

    COUNT = 6
    """Frames in a thumbnail."""

    def add(self, index: int, pixels: Pixels, loss: float) -> None:
        """Add a view (T, H, W, 3) of an example, if it is among the worst so far."""
        if index in self.thumbnails and loss <= self.thumbnails[index][0]:
            return
        if len(self.thumbnails) < self.max_clips or index in self.thumbnails or loss > self._min_loss():
            self.thumbnails[index] = loss, self._encode(pixels)
        if len(self.thumbnails) > 2 * self.max_clips:
            self.prune()

    def _min_loss(self) -> float:
        return heapq.nlargest(self.max_clips, (loss for loss, _ in self.thumbnails.values()))[-1]

    def prune(self) -> None:
        """Drop all but the worst."""
        worst = heapq.nlargest(self.max_clips, self.thumbnails.items(), key=lambda item: item[1][0])
        self.thumbnails = dict(worst)

    def _encode(self, pixels: Pixels) -> bytes:
        picks = np.linspace(0, len(pixels) - 1, self.COUNT).round().astype(int)
        strip = np.concatenate([pixels[pick] for pick in picks], 1)
        return thumbnail(strip, (0, 0, strip.shape[1], strip.shape[0]), 0, self.COUNT * 96, 70)
