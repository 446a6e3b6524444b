"""TransNet V2: a detector of shot boundaries, cuts and gradual transitions.

Paper: Souček and Lokoč, "TransNet V2: An Effective Deep Network Architecture for Fast Shot Transition Detection",
2020 (arXiv 2008.04838). Weights: the authors' release in its PyTorch form, MIT.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 101
"""Each frame is compared with the 50 before it, itself and the 50 after it."""


class SeparableConv(nn.Sequential):
    """A 3-D convolution factorized into a spatial and a dilated temporal one."""

    def __init__(self, inputs: int, filters: int, dilation: int) -> None:
        spatial = nn.Conv3d(inputs, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False)
        temporal = nn.Conv3d(
            2 * filters, filters, (3, 1, 1), dilation=(dilation, 1, 1), padding=(dilation, 0, 0), bias=False
        )
        super().__init__(spatial, temporal)


class DilatedBlock(nn.Module):
    """Four temporal dilations in parallel, so that the receptive field covers short and long transitions."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(SeparableConv(inputs, filters, dilation) for dilation in (1, 2, 4, 8))
        self.norm = nn.BatchNorm3d(4 * filters, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, 4 * filters, T, H, W)."""
        return functional.relu(self.norm(torch.cat([branch(x) for branch in self.branches], 1)))


class DilatedStack(nn.Module):
    """Two dilated blocks with a shortcut, then average pooling to half the height and width."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.first = DilatedBlock(inputs, filters)
        self.second = DilatedBlock(4 * filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, 4 * filters, T, H // 2, W // 2)."""
        first = self.first(x)
        return functional.avg_pool3d(self.second(first) + first, (1, 2, 2))


def neighbour_similarities(x: Tensor) -> Tensor:
    """Return the cosine similarity of each frame's features to those of its neighbours: (N, T, C) -> (N, T, WINDOW).

    Row t of the padded similarities is needed from column t on; flattening the rows and reshaping with a row that is
    longer by one shifts row t by t, with no gather.
    """
    frames = x.shape[1]
    unit = functional.normalize(x, dim=2)
    similarities = functional.pad(unit @ unit.transpose(1, 2), (WINDOW // 2, WINDOW // 2))
    flat = functional.pad(similarities.flatten(1), (0, frames))
    return flat.reshape(-1, frames, frames + WINDOW)[:, :, :WINDOW]


def colour_histograms(pixels: Tensor) -> Tensor:
    """Count the colours of each frame in 8 x 8 x 8 bins: uint8 (N, T, H, W, 3) -> float (N, T, 512)."""
    levels = (pixels.float() / 32).floor().long()
    bins = (levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2]).flatten(2)
    counts = torch.zeros(bins.shape[0], bins.shape[1], 512, device=pixels.device)
    return counts.scatter_add(2, bins, torch.ones_like(bins, dtype=counts.dtype))


class TransNetV2(nn.Module):
    """uint8 RGB (N, 100, 27, 48, 3) -> probability of a cut after each frame (N, 100), of a transition (N, 100).

    The second is the probability that the frame is part of a transition.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stacks = nn.ModuleList((DilatedStack(3, 16), DilatedStack(64, 32), DilatedStack(128, 64)))
        self.projection = nn.Linear(64 + 128 + 256, 128)
        self.by_features = nn.Linear(WINDOW, 128)
        self.by_colours = nn.Linear(WINDOW, 128)
        self.hidden = nn.Linear(3 * 6 * 256 + 128 + 128, 1024)
        self.cut = nn.Linear(1024, 1)
        self.transition = nn.Linear(1024, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of a cut after each frame, and of the frame being part of a transition."""
        x = pixels.permute(0, 4, 1, 2, 3).float() / 255
        pooled = []
        for stack in self.stacks:
            x = stack(x)
            pooled.append(x.mean((3, 4)))
        features = self.projection(torch.cat(pooled, 1).transpose(1, 2))
        similarities = functional.relu(self.by_features(neighbour_similarities(features)))
        colours = functional.relu(self.by_colours(neighbour_similarities(colour_histograms(pixels))))
        spatial = x.permute(0, 2, 3, 4, 1).flatten(2)
        hidden = functional.relu(self.hidden(torch.cat([colours, similarities, spatial], 2)))
        return self.cut(hidden).sigmoid().squeeze(2), self.transition(hidden).sigmoid().squeeze(2)
