"""Training of temporal boundary refinement, from the scores of a model on videos with labelled segments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import DatasetError
from kinoscope.core.metrics.temporal_detection import Segment, SegmentScores, segment_map
from kinoscope.models.inference.segment_refiner import (
    CONTEXT_STRIDES,
    FEATURES,
    REFINER_FILE,
    SegmentRefiner,
    candidates,
    features,
    pairwise_iou,
    write_refiner,
)
from kinoscope.results.train import RunDetails, TrainingRun
from kinoscope.training.checkpoint import Part
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Row
from kinoscope.training.segments.data import ScoreCurve, ScoredVideo
from kinoscope.training.segments.options import SegmentOptions
from kinoscope.training.trainer import Trainer

MIN_CANDIDATE_OVERLAP = 0.3
"""Minimum overlap with a real segment of the candidates that are refined towards it."""
HIDDEN_WIDTH, STEPS, LEARNING_RATE, WEIGHT_DECAY = 32, 800, 3e-3, 1e-2
"""Width of the network, and its training: steps over all candidates at once, learning rate, weight decay."""
EPOCH_STEPS = 100
"""Steps of an epoch."""
MAX_JITTER_STRIDES = 1.0
"""Maximum random shift of candidates in strides, so that boundaries of any error are refined."""


@dataclass(kw_only=True)
class SegmentDetails(RunDetails):
    """Results of the training of segment boundaries.

    Attributes:
        videos: numbers of training and validation videos.
        before, after: mean average precision with thresholds and with learned boundaries, on the validation videos;
            None without such videos.
    """

    videos: tuple[int, int]
    before: SegmentScores | None = None
    after: SegmentScores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        plain: dict[str, Any] = {"videos": {"train": self.videos[0], "val": self.videos[1]}}
        for name, scores in (("thresholds", self.before), ("learned", self.after)):
            if scores:
                by_overlap = dict(zip(map(str, scores.overlaps), scores.by_overlap, strict=True))
                plain[name] = {"average_map": scores.average_map, "by_overlap": by_overlap}
        return plain


class SegmentTrainer(Trainer):
    """The training of segment boundaries, on all candidates at once.

    Args:
        curves: scores of each class in each training video, and its real segments.
        val: validation videos.

    Raises:
        DatasetError: no candidate comes near a real segment.
    """

    task = "segments"
    options: SegmentOptions
    details: SegmentDetails

    def __init__(
        self,
        options: SegmentOptions,
        curves: Sequence[ScoreCurve],
        val: Sequence[ScoredVideo] = (),
        processes: Processes | None = None,
    ) -> None:
        super().__init__(options, processes)
        self.val, self.details = val, SegmentDetails(videos=(0, len(val)))
        self.inputs, self.rows, self.truth = _all_examples(curves, options.seed)
        self.near = _overlap(self.rows, self.truth) >= MIN_CANDIDATE_OVERLAP
        if not self.near.any():
            raise DatasetError(
                "the model detects none of the segments whose boundaries it should learn; train it further"
            )
        torch.manual_seed(options.seed)
        layers = (nn.Linear(FEATURES, HIDDEN_WIDTH), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN_WIDTH, 3))
        self.net = nn.Sequential(*layers)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    @property
    def epochs(self) -> int:
        """Number of epochs of at most ``EPOCH_STEPS`` steps."""
        return math.ceil(STEPS / EPOCH_STEPS)

    @property
    def total_steps(self) -> int:
        """Number of optimizer steps of all epochs."""
        return STEPS

    @property
    def refiner(self) -> SegmentRefiner:
        """The trained refiner of segments."""
        return SegmentRefiner(*(parameter.detach().double().numpy() for parameter in self.net.parameters()))

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        return {"net": self.net, "optimizer": self.optimizer}

    def batches(self) -> Iterator[None]:
        """Yield nothing for each step of an epoch: a batch is all candidates."""
        return repeat(None, min(EPOCH_STEPS, STEPS - self.step))

    def train_step(self, batch: None) -> Row:
        """Take a step: move the candidates near a real segment onto it, and predict their overlap afterwards."""
        self.optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - self.step / STEPS)
        targets = (self.truth - self.rows).clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES)
        outputs = self.net(self.inputs)
        moves = outputs[:, :2].detach().clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES)
        reached = _overlap(self.rows + moves, self.truth)
        loss = functional.smooth_l1_loss(outputs[self.near][:, :2], targets[self.near])
        loss = loss + functional.binary_cross_entropy_with_logits(outputs[:, 2], reached)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return {"loss": float(loss.detach())}

    def finish(self, run: TrainingRun) -> None:
        """Add the refiner to the model, and compare it with thresholds on the validation videos."""
        refiner = self.refiner
        self.details.before = _evaluate(self.val, ScoredVideo.thresholded)
        self.details.after = _evaluate(self.val, lambda video: video.refined(refiner))
        if self.options.model and self.processes.is_main:
            run.folder = Path(self.options.model)
            run.written = [run.folder / REFINER_FILE]
            write_refiner(run.written[0], refiner)


def _evaluate(videos: Sequence[ScoredVideo], detect: Callable[[ScoredVideo], list[Segment]]) -> SegmentScores | None:
    """Return the scores of detected segments on videos; None without real segments."""
    truth = [segment for video in videos for segment in video.truth]
    return segment_map([segment for video in videos for segment in detect(video)], truth) if truth else None


def _all_examples(curves: Sequence[ScoreCurve], seed: int) -> Iterator[Tensor]:
    """Yield the features, the candidates and the real segments nearest them, of all curves, twice: as they are and
    shifted at random.
    """
    generator = np.random.default_rng(seed)
    parts = [part for curve in curves for part in (_examples(curve), _examples(curve, generator))]
    for part in zip(*parts, strict=True):
        yield torch.tensor(np.concatenate(part), dtype=torch.float32)


def _examples(
    curve: ScoreCurve, generator: np.random.Generator | None = None
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return features of the candidates (N, F), the candidates, and the real segments nearest them, (N, 2) each."""
    rows = candidates(curve.boundaries, curve.scores)
    if generator is not None:
        rows = rows + generator.uniform(-MAX_JITTER_STRIDES, MAX_JITTER_STRIDES, rows.shape)
        rows = rows[rows[:, 1] > rows[:, 0]]
    if not len(curve.truth) or not len(rows):
        nearest = np.repeat(rows[:, :1], 2, 1)  # of no length, which nothing overlaps
    else:
        nearest = curve.truth[pairwise_iou(rows, curve.truth).argmax(1)]
    return features(curve.boundaries, curve.scores, rows), rows, nearest


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union of segments (N, 2) with segments (N, 2), pair by pair."""
    common = (torch.minimum(a[:, 1], b[:, 1]) - torch.maximum(a[:, 0], b[:, 0])).clamp(min=0)
    return common / ((a[:, 1] - a[:, 0]) + (b[:, 1] - b[:, 0]) - common).clamp(min=1e-6)
