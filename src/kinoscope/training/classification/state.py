"""State of the training of a classifier: what is fixed, what changes, and the result."""

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
"""Name of the task."""


@dataclass(kw_only=True)
class ClassificationRun:
    """Result of the training of a classifier.

    Attributes:
        folder: of the run; None for a dry run.
        options: fully resolved.
        rows: metrics of each epoch, as in ``log.jsonl``.
        best: the epoch whose weights were saved.
        scores: of the saved weights on the validation clips; None without such clips.
        clips: numbers of training and validation clips.
        parameters: number of parameters, and of those that are trained.
        steps: of an epoch.
        speed: training clips per second; of this call alone.
        waiting: share of that time that was spent waiting for data.
        unreadable: path -> reason, of the clips that could not be read.
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
    unreadable: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class TrainContext:
    """Constants of a training, and its result so far."""

    options: ClassificationOptions
    dataset: Dataset
    validation: list[Example]
    processes: Processes
    loader: Loader
    run: ClassificationRun

    @property
    def steps(self) -> int:
        """Number of optimizer steps of all epochs."""
        return len(self.loader) * self.options.epochs


@dataclass(kw_only=True)
class TrainState:
    """Variable state of a training, saved in a checkpoint.

    Attributes:
        net, loss, optimizer, average: what has tensors; the average is None where there is none.
        frozen: modules that stay in evaluation mode.
        epoch, step: number of finished ones.
        best: the best epoch so far; 0 before the first.
        score: of that epoch, for comparison; higher is better.
    """

    net: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    average: ExponentialMovingAverage | None
    frozen: list[nn.Module]
    epoch: int = 0
    step: int = 0
    best: int = 0
    score: tuple[float, float] = (-math.inf, -math.inf)
