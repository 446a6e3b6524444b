"""Training of a frame predictor, which reads some frames and predicts those that follow; see ``training.trainer``.

The loss is the cross-entropy of each pixel, as in Shi et al. (NeurIPS 2015); like the squared error, it is minimal for
the mean of the possible futures. The metrics are the squared error summed over the pixels of a frame and the structural
similarity, as for Moving MNIST, beside those of repeating the last frame: a predictor that scores worse has learned
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import TrainingError
from kinoscope.core.media import Pixels
from kinoscope.core.metrics.image_quality import frame_squared_error, uniform_ssim
from kinoscope.models.runtime.runner import torch_device
from kinoscope.models.trainable.predictors import TASK, PredictorMetadata, new_predictor, predict_frames, save_predictor
from kinoscope.training.checkpoint import Part
from kinoscope.training.distributed import Processes, require_equal_shares
from kinoscope.training.logging import Row
from kinoscope.training.optim import ExponentialMovingAverage, gradients, learning_rate_factor
from kinoscope.training.prediction.data import PredictionClips, read_prediction_clips
from kinoscope.training.prediction.options import PredictionOptions
from kinoscope.training.trainer import StepCallback, Trainer, TrainingSetup, start_epoch
from kinoscope.views.video.contact_sheet import draw_contact_sheet

WARMUP_SHARE = 0.03
"""Share of the steps in which the learning rate rises."""

PREVIEW_CLIPS = 2
"""Clips in a preview."""


class PredictionTrainer(Trainer):
    """The training of a frame predictor.

    Args:
        clips: for training and validation.
        data: their name.
    """

    task = TASK
    options: PredictionOptions

    def __init__(
        self, options: PredictionOptions, clips: PredictionClips, data: str = "", processes: Processes | None = None
    ) -> None:
        super().__init__(options, processes or Processes(device=torch.device(torch_device(options.device))))
        require_equal_shares(options.batch, self.processes.world)
        self.clips, self.examples, self.unreadable = clips, clips.examples, clips.unreadable
        self.model_metadata = PredictorMetadata(
            network=options.net,
            context=options.context,
            horizon=options.horizon,
            rate=options.rate,
            size=clips.size,
            channels=clips.channels,
            width=options.width,
            data=data,
        )
        start_epoch(options.seed, 0)
        self.net = new_predictor(self.model_metadata, clips.still).to(self.processes.device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=1e-2)
        self.average = ExponentialMovingAverage(options.ema)
        self.average.start(self.net)

    @classmethod
    def build(cls, options: PredictionOptions, setup: TrainingSetup) -> Self:
        """Read the clips of a folder, or sample synthetic ones, and return the trainer."""
        clips = read_prediction_clips(setup.data, options, setup.processes)
        return cls(options, clips, setup.data, setup.processes)

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        return {"net": self.net, "optimizer": self.optimizer, "average": self.average}

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Take the steps of an epoch; return the mean loss and the learning rate."""
        self.net.train()
        return super().train_epoch(on_step) | {"lr": self.optimizer.param_groups[0]["lr"]}

    def batches(self) -> Iterator[Pixels]:
        """Yield the clips (N, T, H, W, C) of each step of an epoch."""
        return islice(self.clips.batches(self.step), self.options.steps)

    def train_step(self, pixels: Pixels) -> Row:
        """Take a step; return its loss.

        Raises:
            TrainingError: the prediction is not finite.
        """
        options = self.options
        rate = options.lr * learning_rate_factor("cosine", self.step, options.epochs * options.steps, WARMUP_SHARE)
        self.optimizer.param_groups[0]["lr"] = rate
        frames = torch.from_numpy(pixels).to(self.processes.device)
        prediction = self.net(frames[:, : options.context])
        if not prediction.isfinite().all():
            raise TrainingError(f"the prediction is not finite in step {self.step + 1}; try lr={options.lr / 10:g}")
        loss = functional.binary_cross_entropy(prediction, frames[:, options.context :].float() / 255)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.average(gradients(self.net))
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.net)
        return {"loss": float(loss.detach())}

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels | None]:
        """Validate, write the predictor, and return metrics and a preview: context, actual, predicted frames."""
        with self.average.applied_to(self.net):
            self.net.eval()
            metrics = measure(self.predictions())
            score = {name: round(value, 4) for name, value in metrics.items()}
            save_predictor(folder, self.net, replace(self.model_metadata, score=score))
            first = next(self.predictions(), None)
        return dict(metrics), None if first is None else _preview(*first)

    def predictions(self) -> Iterator[tuple[Pixels, Float64Array]]:
        """Yield validation clips (N, T, H, W, C), and the prediction of their frames after the context."""
        for pixels in self.clips.val_batches():
            context = torch.from_numpy(pixels[:, : self.options.context]).to(self.processes.device)
            prediction = predict_frames(self.net, self.model_metadata, context, self.options.horizon)
            yield pixels, prediction.cpu().numpy().astype(np.float64)

    def diagnose(self, row: Row) -> str | None:
        """Return a one-line diagnosis if repeating the last frame scores better, or None."""
        if row.get("mse", 0) < row.get("last_frame_mse", math.inf):
            return None
        return (
            f"the squared error of {row['mse']:.1f} is not below {row['last_frame_mse']:.1f}, that of repeating the "
            "last frame; give more epochs, a lower rate or more clips"
        )


def measure(batches: Iterator[tuple[Pixels, Float64Array]]) -> dict[str, float]:
    """Return mean squared error per frame and structural similarity, and those of repeating the last frame.

    Args:
        batches: clips (N, T, H, W, C), and the prediction of their last frames.
    """
    rows = [scores(pixels, prediction) for pixels, prediction in batches]
    if not rows:
        return {}
    means = np.concatenate(rows).mean((0, 2))
    return dict(zip(("mse", "ssim", "last_frame_mse", "last_frame_ssim"), map(float, means), strict=True))


def scores(pixels: Pixels, prediction: Float64Array) -> Float64Array:
    """Return error and similarity of a prediction (N, A, H, W, C), and of repeating the last frame: (N, 4, A)."""
    horizon = prediction.shape[1]
    actual = pixels[:, -horizon:].astype(np.float64) / 255
    last = pixels[:, -horizon - 1 : -horizon].astype(np.float64) / 255
    repeated = np.broadcast_to(last, actual.shape)
    parts = [
        metric(frames, actual) for frames in (prediction, repeated) for metric in (frame_squared_error, uniform_ssim)
    ]
    return np.stack(parts, 1)


def _preview(pixels: Pixels, prediction: Float64Array) -> Pixels:
    """Draw clips in rows: context, actual frames, predicted frames."""
    rows = []
    horizon = prediction.shape[1]
    predicted = (prediction * 255).round().astype(np.uint8)
    for clip, frames in zip(pixels[:PREVIEW_CLIPS], predicted[:PREVIEW_CLIPS], strict=True):
        parts = {"context": clip[:-horizon], "actual": clip[-horizon:], "predicted": frames}
        rows += [(name, to_rgb(part)) for name, part in parts.items()]
    return draw_contact_sheet(rows, columns=10, width=max(64, pixels.shape[3]))


def to_rgb(frames: Pixels) -> Pixels:
    """Return frames (T, H, W, C) with three channels."""
    return frames if frames.shape[-1] == 3 else np.repeat(frames, 3, -1)
