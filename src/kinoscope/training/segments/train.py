"""Learning where segments begin and end, from the scores of a model on videos whose segments are known."""

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

NEAR = 0.3
"""Overlap with a real segment from which a candidate is moved towards it."""
HIDDEN, STEPS, RATE, DECAY = 32, 800, 3e-3, 1e-2
"""Width of the network, and how it is trained: steps over all candidates at once, learning rate, weight decay."""
JITTER = 1.0
"""Strides by which candidates are shifted at random: edges of any wrongness are to be mended."""


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """The scores of one class in one video, and its real segments.

    Attributes:
        edges: (E,) in strides of the model's windows. scores: (E - 1,) between them. truth: (M, 2) starts and ends.
    """

    edges: Float64Array
    scores: Float64Array
    truth: Float64Array


def train_refiner(courses: Sequence[ScoreCurve], seed: int = 0) -> SegmentRefiner:
    """Train the judge of segments.

    Raises:
        DatasetError: no candidate comes near a real segment.
    """
    generator = np.random.default_rng(seed)
    parts = [part for course in courses for part in (_examples(course), _examples(course, generator))]
    seen, rows, truth = (torch.tensor(np.concatenate(part), dtype=torch.float32) for part in zip(*parts, strict=True))
    if not (_overlap(rows, truth) >= NEAR).any():
        raise DatasetError("the model finds none of the segments that it should learn the edges of; train it further")
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN, 3))
    _fit(net, seen, rows, truth)
    return SegmentRefiner(*(p.detach().double().numpy() for p in net.parameters()))


def _examples(
    course: ScoreCurve, generator: np.random.Generator | None = None
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Give what is seen of the candidates (N, F), they themselves, and the real segments nearest them, (N, 2) each."""
    rows = candidates(course.edges, course.scores)
    if generator is not None:
        rows = rows + generator.uniform(-JITTER, JITTER, rows.shape)
        rows = rows[rows[:, 1] > rows[:, 0]]
    if not len(course.truth) or not len(rows):
        nearest = np.repeat(rows[:, :1], 2, 1)  # of no length, which nothing overlaps
    else:
        nearest = course.truth[pairwise_iou(rows, course.truth).argmax(1)]
    return features(course.edges, course.scores, rows), rows, nearest


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Give the intersection over union of each of segments (N, 2) with its own of (N, 2)."""
    common = (torch.minimum(a[:, 1], b[:, 1]) - torch.maximum(a[:, 0], b[:, 0])).clamp(min=0)
    return common / ((a[:, 1] - a[:, 0]) + (b[:, 1] - b[:, 0]) - common).clamp(min=1e-6)


def _fit(net: nn.Sequential, seen: Tensor, rows: Tensor, truth: Tensor) -> None:
    """Train on all candidates at once: to move those near a real segment onto it, and to tell what then overlaps."""
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    near = _overlap(rows, truth) >= NEAR
    moves = (truth - rows).clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        told = net(seen)
        reached = _overlap(rows + told[:, :2].detach().clamp(-CONTEXT_STRIDES, CONTEXT_STRIDES), truth)
        loss = functional.smooth_l1_loss(told[near][:, :2], moves[near])
        loss = loss + functional.binary_cross_entropy_with_logits(told[:, 2], reached)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
