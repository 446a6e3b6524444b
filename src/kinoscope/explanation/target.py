"""The target of an explanation: the log-odds of one class."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Pixels

BATCH_SIZE = 4
"""Clips in a batch of the network."""


@dataclass(frozen=True)
class Target:
    """One class of a network that classifies clips.

    Attributes:
        net: maps RGB clips (N, T, H, W, 3), uint8 or float in [0, 255], to (embedding (N, D), logits (N, K)).
        index: of the class.
        multilabel: whether the classes are independent (sigmoid) rather than exclusive (softmax).
        temperature: divisor of the logits that calibrates probabilities.
        batch: clips in a batch of the network.
    """

    net: nn.Module
    index: int
    multilabel: bool = False
    temperature: float = 1.0
    batch: int = BATCH_SIZE

    @property
    def device(self) -> torch.device:
        """The network's device."""
        return next(self.net.parameters()).device

    def tensor(self, frames: Pixels) -> Tensor:
        """Convert clips to a float32 tensor on the network's device."""
        return torch.from_numpy(np.ascontiguousarray(frames)).to(self.device).float()

    def score(self, pixels: Tensor) -> Tensor:
        """Return the log-odds (N,) of the class: log p / (1 - p), before calibration.

        For exclusive classes that is its logit minus the log-sum-exp of the others. Unlike the logit it does not change
        when a constant is added to all logits, and unlike the probability it does not saturate.
        """
        logits: Tensor = self.net(pixels)[-1]
        own = logits[:, self.index]
        if self.multilabel or logits.shape[1] == 1:
            return own
        others = torch.cat([logits[:, : self.index], logits[:, self.index + 1 :]], 1)
        return own - others.logsumexp(1)

    def scores(self, clips: Iterable[Pixels]) -> Float64Array:
        """Return the log-odds (N,) of the class in N clips (T, H, W, 3)."""
        with torch.no_grad():
            parts = [self.score(self.tensor(part)).double().cpu() for part in self._batches(clips)]
        return np.asarray(torch.cat(parts).numpy(), np.float64)

    def probabilities(self, clips: Iterable[Pixels]) -> Float64Array:
        """Return the calibrated probabilities (N, K) of all classes in N clips (T, H, W, 3)."""
        with torch.no_grad():
            parts = [self.net(self.tensor(part))[-1].double().cpu() for part in self._batches(clips)]
        logits = torch.cat(parts) / self.temperature
        return np.asarray((logits.sigmoid() if self.multilabel else logits.softmax(1)).numpy(), np.float64)

    def shuffled(self, seed: int) -> Target:
        """Return the same target of a copy of the network whose weights are shuffled within each tensor."""
        net, generator = copy.deepcopy(self.net), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in net.parameters():
                order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
                weight.copy_(weight.flatten()[order].reshape(weight.shape))
        return replace(self, net=net)

    def _batches(self, clips: Iterable[Pixels]) -> Iterator[Pixels]:
        stream = iter(clips)
        while part := list(islice(stream, self.batch)):
            yield np.stack(part)
