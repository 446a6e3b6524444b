"""Classification losses. Each takes embeddings (N, D), logits (N, K) and targets (N, K), and returns a scalar.

Targets are 1 for a clip's classes and 0 for the others, and in between where clips are mixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from kinoscope.training.classification.options import ClassificationOptions


class CrossEntropy(nn.Module):
    """Cross-entropy with label smoothing: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016."""

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the clips."""
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)


class Focal(nn.Module):
    """Cross-entropy that down-weights confidently classified clips: Lin et al., "Focal Loss", ICCV 2017."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the clips."""
        logs = logits.log_softmax(1)
        return -(targets * (1 - logs.exp()) ** self.gamma * logs).sum(1).mean()


class Binary(nn.Module):
    """Binary cross-entropy of each class, for clips of several classes."""

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over clips and classes."""
        return F.binary_cross_entropy_with_logits(logits, targets)


class Triplet(nn.Module):
    """Triplet loss: the farthest clip of the same class must be nearer than the nearest of another, by a margin.

    Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017 (batch-hard), on embeddings of
    length 1.
    """

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the clips that have both; 0 if there is none."""
        same, other = _pairs(targets)
        distances = _distances(F.normalize(embeddings))
        farthest = distances.masked_fill(~same, 0).amax(1)
        nearest = distances.masked_fill(~other, torch.inf).amin(1)
        whole = same.any(1) & other.any(1)
        return F.relu(farthest - nearest + self.margin)[whole].sum() / whole.sum().clamp(min=1)


class Contrastive(nn.Module):
    """Supervised contrastive loss on embeddings of length 1: Khosla et al., "Supervised Contrastive Learning", 2020."""

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the clips that have another of their class; 0 if there is none."""
        same, _ = _pairs(targets)
        unit = F.normalize(embeddings)
        itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        logs = (unit @ unit.T / self.temperature).masked_fill(itself, -torch.inf).log_softmax(1)
        each = -logs.masked_fill(~same, 0).sum(1) / same.sum(1).clamp(min=1)
        return each.sum() / same.any(1).sum().clamp(min=1)


class ArcFace(nn.Module):
    """Additive angular margin loss: Deng et al., CVPR 2019.

    Args:
        length: of an embedding.
        classes: number of classes.
        margin: angle in radians that is added for the own class.
        scale: of the cosines.
    """

    def __init__(self, length: int, classes: int, margin: float = 0.3, scale: float = 30.0) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale
        self.directions = nn.Parameter(nn.init.xavier_normal_(torch.empty(classes, length)))

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the clips."""
        cosines = F.normalize(embeddings) @ F.normalize(self.directions).T
        # Inside (-1, 1), where the angle has a finite gradient; beyond pi the angle would turn back.
        angles = cosines.clamp(-1 + 1e-6, 1 - 1e-6).acos()
        pushed = (angles + self.margin).clamp(max=torch.pi).cos()
        own = targets.argmax(1)
        chosen = F.one_hot(own, cosines.shape[1]).bool()
        return F.cross_entropy(self.scale * torch.where(chosen, pushed, cosines), own)


class CombinedLoss(nn.Module):
    """Sum of a loss of the embedding and one of the logits, without which the classifier would not be trained."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, embeddings: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the sum."""
        total: Tensor = self.first(embeddings, logits, targets) + self.second(embeddings, logits, targets)
        return total


def _pairs(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return which two clips (N, N) are of one class without being the same, and which are of different ones."""
    own = targets.argmax(1)
    alike = own[:, None] == own
    return alike & ~torch.eye(len(own), dtype=torch.bool, device=own.device), ~alike


def _distances(unit: Tensor) -> Tensor:
    """Return the distances (N, N) of unit vectors (N, D); their gradient is finite at 0."""
    return (2 - 2 * unit @ unit.T).clamp(min=1e-12).sqrt()


def make_loss(options: ClassificationOptions, multilabel: bool, length: int, classes: int) -> nn.Module:
    """Build the loss that the options name.

    Args:
        multilabel: whether a clip may show several classes, or none.
        length: of an embedding.
        classes: number of classes.
    """
    plain = CrossEntropy(options.smoothing)
    match options.loss:
        case "triplet":
            return CombinedLoss(Triplet(options.margin), plain)
        case "contrastive":
            return CombinedLoss(Contrastive(options.temperature), plain)
        case "arcface":
            return CombinedLoss(ArcFace(length, classes, options.margin, options.scale), plain)
        case "focal":
            return Focal(options.gamma)
        case "binary":
            return Binary()
    return Binary() if multilabel and options.loss == "auto" else plain
