"""A network that trains in a moment, and clips that it can learn: what is bright is one class, what is dark another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.classifiers import Network
from kinoscope.results.train import TrainingRun
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.train import ClassificationTrainer
from kinoscope.training.data.dataset import Dataset
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.distributed import process_group
from kinoscope.training.trainer import fit
from tests.helpers.clips import write_clip


class Tiny(nn.Module):
    """RGB clips (N, T, H, W, 3) -> embedding (N, 4), logits (N, K); two stages of trunk, with norms."""

    def __init__(self, classes: int, dropout: float = 0.0, norm: bool = True, breaks: int = 0) -> None:
        super().__init__()
        self.maps = nn.Sequential(*(self._stage(inputs, norm) for inputs in (3, 4)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4, classes)
        self.breaks, self.calls = breaks, 0

    def _stage(self, inputs: int, norm: bool) -> nn.Module:
        batch_norms = [nn.BatchNorm2d(4)] if norm else []
        return nn.Sequential(nn.Conv2d(inputs, 4, 3, 2, 1), *batch_norms, nn.LeakyReLU())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        pictures = pixels.flatten(0, 1).permute(0, 3, 1, 2).float() / 255
        embedding = self.maps(pictures).mean((2, 3)).reshape(len(pixels), -1, 4).mean(1)
        self.calls += self.training
        lost = float("nan") if self.training and self.calls == self.breaks else 1.0
        return embedding, self.head(self.dropout(embedding)) * lost

    def trunk(self) -> list[nn.Module]:
        return list(self.maps)


NETWORK = Network(
    name="tiny",
    about="tells bright from dark",
    build=Tiny,
    sampling=Sampling(4, 4.0, (16, 12)),
    options={"dropout": 0.0, "norm": True, "breaks": 0},
)


def make_clips(root: Path, count: int = 6, classes: tuple[str, ...] = ("bright", "dark")) -> Path:
    """Write ``count`` clips of a second for each class."""
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            shade = 230 - 200 * place // max(1, len(classes) - 1) - 3 * number
            write_clip(root / name / f"{number}.mkv", 10, shade=shade)
    return root


def options(*words: str) -> ClassificationOptions:
    """Return the options of a quick run."""
    quick = ["net=tiny", "augment=none", "epochs=3", "batch=4", "workers=1", "device=cpu", "lr=0.02", "val=0.33"]
    return ClassificationOptions.parse([*quick, *words])


def dataset(root: Path) -> Dataset:
    return read_dataset(root)


def train(
    options: ClassificationOptions, data: Dataset, out: Path, *, resume: bool = False, **running: Any
) -> TrainingRun:
    """Train a classifier in a folder, as one of the processes that were started."""
    with process_group(options.device) as processes:
        trainer = ClassificationTrainer(options, data, processes, resume=out if resume else None)
        return fit(trainer, out, data=data.root, resume=resume, **running)


torch.set_num_threads(1)
