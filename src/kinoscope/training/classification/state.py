"""A training: what stays the same in it, what changes, and what it comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.loader import Loader
from kinoscope.training.distributed import Processes
from kinoscope.training.evaluation.scores import Scores
from kinoscope.training.logging import Row
from kinoscope.training.optim import ExponentialMovingAverage

TASK = "classify"
"""What is learned."""


@dataclass(kw_only=True)
class ClassificationRun:
    """What a training came to.

    Attributes:
        folder: where all of it lies; None of a dry run.
        options: with nothing left open.
        rows: the measures of each epoch, as in ``log.jsonl``.
        best: the epoch whose weights were kept.
        scores: of the kept weights on the clips for validation; None without such clips.
        clips: how many there are to learn from, and to validate.
        parameters: how many numbers the network has, and how many of them are learned.
        steps: of an epoch.
        speed: clips learned from per second; of this call alone.
        waiting: share of that time that was spent waiting for data.
        broken: path -> reason, of the clips that could not be read.
        written: the files.
    """

    folder: Path | None
    options: ClassificationOptions
    rows: list[Row] = field(default_factory=list)
    best: int = 0
    scores: Scores | None = None
    clips: tuple[int, int] = (0, 0)
    parameters: tuple[int, int] = (0, 0)
    steps: int = 0
    speed: float = 0.0
    waiting: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class TrainContext:
    """What stays the same while training, and the report on it."""

    options: ClassificationOptions
    dataset: Dataset
    validation: list[Example]
    processes: Processes
    loader: Loader
    run: ClassificationRun

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return len(self.loader) * self.options.epochs


@dataclass(kw_only=True)
class TrainState:
    """All that changes while training, which a checkpoint holds.

    Attributes:
        net, loss, optimizer, average: what has tensors; the average is None where there is none.
        still: modules that stay in evaluation mode.
        epoch, step: how many are done.
        best: the best epoch so far; 0 before the first.
        score: of that epoch: what is compared, higher for better.
    """

    net: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    average: ExponentialMovingAverage | None
    still: list[nn.Module]
    epoch: int = 0
    step: int = 0
    best: int = 0
    score: tuple[float, float] = (-math.inf, -math.inf)
