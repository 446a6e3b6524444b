"""Learning how frames go on: a predictor reads some and is told those that follow; see ``training.trainer``.

The loss is the cross entropy of each pixel, as Shi et al. (NeurIPS 2015) have it; like the squared error, it is least
where the mean of what may follow is told. Measured are the squared error summed over the pixels of a frame and the
structural similarity, as for Moving MNIST, beside those of the last frame held: who predicts worse has learned nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import TrainingError
from kinoscope.core.media import Pixels
from kinoscope.core.metrics.image_quality import frame_squared_error, uniform_ssim
from kinoscope.models.runtime.runner import torch_device
from kinoscope.models.trainable.predictors import TASK, PredictorMetadata, new_predictor, predict_frames, save_predictor
from kinoscope.training.checkpoint import fill_optimizer, flatten_optimizer, joined, within
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Row
from kinoscope.training.optim import ExponentialMovingAverage, factor
from kinoscope.training.prediction.data import PredictionClips
from kinoscope.training.prediction.options import FREE, PredictionOptions
from kinoscope.training.trainer import start_epoch
from kinoscope.views.video.contact_sheet import draw_contact_sheet

WARMUP = 0.03
"""Share of the steps in which the learning rate rises."""

SHOWN = 2
"""Clips in a preview."""


class PredictionTrainer:
    """A predictor that learns; see ``rounds.Learner``.

    Args:
        clips: to learn from and to measure on. data: their name.
    """

    task, free = TASK, FREE

    def __init__(
        self, options: PredictionOptions, clips: PredictionClips, data: str = "", processes: Processes | None = None
    ) -> None:
        self.options, self.clips = options, clips
        self.processes = processes or Processes(device=torch.device(torch_device(options.device)))
        self.facts_of_model = PredictorMetadata(
            network=options.net,
            context=options.before,
            horizon=options.after,
            rate=options.rate,
            size=clips.size,
            channels=clips.channels,
            width=options.width,
            data=data,
        )
        start_epoch(options.seed, 0)
        self.net = new_predictor(self.facts_of_model, clips.still).to(self.processes.device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=1e-2)
        self.average = ExponentialMovingAverage(options.ema)
        self.average.start(self.net)
        self.epoch = self.step = 0

    @property
    def examples(self) -> tuple[int, int]:
        """How many clips there are to learn from (0 for no end), and to measure on."""
        return self.clips.examples

    @property
    def parameters(self) -> int:
        """How many there are."""
        return sum(parameter.numel() for parameter in self.net.parameters())

    def try_out(self) -> Row:
        """Take one step."""
        return {"loss": self._learn(next(self.clips.batches(0)))}

    def learn(self, told: Callable[[int], None] | None = None) -> Row:
        """Go through the steps of an epoch."""
        self.net.train()
        losses = []
        batches = self.clips.batches(self.step)
        for _ in range(self.options.steps):
            losses.append(self._learn(next(batches)))
            self.step += 1
            if told:
                told(self.step)
        return {"loss": float(np.mean(losses)), "lr": self.optimizer.param_groups[0]["lr"]}

    def _learn(self, pixels: Pixels) -> float:
        """Take a step.

        Raises:
            TrainingError: what is told is no number.
        """
        options = self.options
        rate = options.lr * factor("cosine", self.step, options.epochs * options.steps, WARMUP)
        self.optimizer.param_groups[0]["lr"] = rate
        frames = torch.from_numpy(pixels).to(self.processes.device)
        told = self.net(frames[:, : options.before])
        if not told.isfinite().all():
            raise TrainingError(f"what is told is no number in step {self.step + 1}; try lr={options.lr / 10:g}")
        loss = functional.binary_cross_entropy(told, frames[:, options.before :].float() / 255)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.average([one.grad for one in self.net.parameters() if one.grad is not None])
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.net)
        return float(loss.detach())

    def look(self, folder: Path, row: Row) -> tuple[Row, Pixels | None]:
        """Measure on what was not learned from, write the predictor, and draw given, true and predicted frames."""
        with self.average.inside(self.net):
            self.net.eval()
            measures = measure(self.held())
            save_predictor(folder, self.net, self._facts(measures))
            first = next(self.held(), None)
        return dict(measures), None if first is None else _preview(*first)

    def _facts(self, measures: dict[str, float]) -> PredictorMetadata:
        return replace(self.facts_of_model, score={name: round(value, 4) for name, value in measures.items()})

    def held(self) -> Iterator[tuple[Pixels, Float64Array]]:
        """Yield clips that are measured on (N, T, H, W, C), and what is told of their frames after the first ones."""
        for pixels in self.clips.held():
            given = torch.from_numpy(pixels[:, : self.options.before]).to(self.processes.device)
            told = predict_frames(self.net, self.facts_of_model, given, self.options.after)
            yield pixels, told.cpu().numpy().astype(np.float64)

    def tensors(self) -> dict[str, Tensor]:
        """Give all that changes."""
        parts = {
            "net": self.net.state_dict(),
            "optimizer": flatten_optimizer(self.optimizer),
            "average": self.average.tensors,
        }
        return joined(parts)

    def facts(self) -> dict[str, Any]:
        """Give what else changes."""
        return {"step": self.step, "averaged": self.average.steps}

    def fill(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be as a checkpoint says."""
        self.net.load_state_dict(within(tensors, "net"))
        fill_optimizer(self.optimizer, within(tensors, "optimizer"))
        self.average.fill(within(tensors, "average"), facts["averaged"], self.processes.device)
        self.step = facts["step"]

    def advise(self, row: Row) -> str | None:
        """Say where the last frame held would do better, and the cure."""
        if row.get("mse", 0) < row.get("held_mse", math.inf):
            return None
        return (
            f"its squared error of {row['mse']:.1f} is not below {row['held_mse']:.1f}, that of the last frame held: "
            "give more epochs, a lower rate or more clips"
        )


def measure(held: Iterator[tuple[Pixels, Float64Array]]) -> dict[str, float]:
    """Give mean squared error a frame and structural similarity, and those of the last frame held.

    Args:
        held: clips (N, T, H, W, C), and what was told of their last frames.
    """
    rows = [scores(pixels, told) for pixels, told in held]
    if not rows:
        return {}
    means = np.concatenate(rows).mean((0, 2))
    return dict(zip(("mse", "ssim", "held_mse", "held_ssim"), map(float, means), strict=True))


def scores(pixels: Pixels, told: Float64Array) -> Float64Array:
    """Give error and similarity of what was told (N, A, H, W, C), and of the last frame held: (N, 4, A)."""
    after = told.shape[1]
    true = pixels[:, -after:].astype(np.float64) / 255
    last = pixels[:, -after - 1 : -after].astype(np.float64) / 255
    kept = np.broadcast_to(last, true.shape)
    parts = [way(made, true) for made in (told, kept) for way in (frame_squared_error, uniform_ssim)]
    return np.stack(parts, 1)


def _preview(pixels: Pixels, told: Float64Array) -> Pixels:
    """Draw clips in rows: what was given, what followed, what was told."""
    rows = []
    after = told.shape[1]
    made = (told * 255).round().astype(np.uint8)
    for clip, guess in zip(pixels[:SHOWN], made[:SHOWN], strict=True):
        parts = {"given": clip[:-after], "what followed": clip[-after:], "predicted": guess}
        rows += [(name, coloured(part)) for name, part in parts.items()]
    return draw_contact_sheet(rows, columns=10, width=max(64, pixels.shape[3]))


def coloured(frames: Pixels) -> Pixels:
    """Give frames (T, H, W, C) with three channels."""
    return frames if frames.shape[-1] == 3 else np.repeat(frames, 3, -1)
