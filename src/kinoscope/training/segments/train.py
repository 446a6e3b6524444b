"""Training of temporal boundary refinement, from the scores of a model on videos with labelled segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import DatasetError
from kinoscope.models.inference.segment_refiner import (
    CONTEXT_STRIDES,
    FEATURES,
    SegmentRefiner,
    candidates,
    features,
    pairwise_iou,
)

MIN_CANDIDATE_OVERLAP = 0.3
"""Minimum overlap with a real segment of the candidates that are refined towards it."""
HIDDEN_WIDTH, STEPS, LEARNING_RATE, WEIGHT_DECAY = 32, 800, 3e-3, 1e-2
"""Width of the network, and its training: steps over all candidates at once, learning rate, weight decay."""
MAX_JITTER_STRIDES = 1.0
"""Maximum random shift of candidates in strides, so that boundaries of any error are refined."""


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """The scores of one class in one video, and its real segments.

    Attributes:
        boundaries: (E,) in strides of the model's windows.
        scores: (E - 1,) between them.
        truth: (M, 2) starts and ends.
    """

    boundaries: Float64Array
    scores: Float64Array
    truth: Float64Array


def train_refiner(curves: Sequence[ScoreCurve], seed: int = 0) -> SegmentRefiner:
    """Train the refiner of segments.

    Raises:
        DatasetError: no candidate comes near a real segment.
    """
    generator = np.random.default_rng(seed)
    parts = [part for curve in curves for part in (_examples(curve), _examples(curve, generator))]
    inputs, rows, truth = (torch.tensor(np.concatenate(part), dtype=torch.float32) for part in zip(*parts, strict=True))
    if not (_overlap(rows, truth) >= MIN_CANDIDATE_OVERLAP).any():
        raise DatasetError("the model detects none of the segments whose boundaries it should learn; train it further")
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(FEATURES, HIDDEN_WIDTH), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN_WIDTH, 3))
    _fit(net, inputs, rows, truth)
    return SegmentRefiner(*(p.detach().double().numpy() for p in net.parameters()))


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


def _fit(net: nn.Sequential, inputs: Tensor, rows: Tensor, truth: Tensor) -> None:
    """Train on all candidates at once: to move those near a real segment onto it, and to predict their overlap
    afterwards.
    """
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    near = _overlap(rows, truth) >= MIN_CANDIDATE_OVERLAP
    targets = (truth - rows).clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / STEPS)
        outputs = net(inputs)
        reached = _overlap(rows + outputs[:, :2].detach().clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES), truth)
        loss = functional.smooth_l1_loss(outputs[near][:, :2], targets[near])
        loss = loss + functional.binary_cross_entropy_with_logits(outputs[:, 2], reached)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
