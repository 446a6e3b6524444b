"""SimVP: a frame predictor without recurrence, whose translator mixes all time steps at once.

Paper: Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022 (arXiv 2206.05099): an encoder embeds each
frame, a translator takes the time steps as channels of one feature map and predicts those of the next frames, a
decoder renders each frame, with a skip connection from the encoder. As in its successor (Tan et al., "SimVP: Towards
Simple yet Powerful Spatiotemporal Predictive Learning", 2022, arXiv 2211.12509), the translator's blocks are depthwise
convolutions with a large kernel and a pointwise perceptron, in place of Inception blocks.
Differences: it is smaller, and its skip connection is from the last frame, so that it predicts any number of frames.
Weights: none; it is initialized at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.nets.patches import PATCH_SIZE, fold_frames, output_layer, unfold_frames

KERNEL_SIZE, EXPANSION = 7, 2
"""Side of a block's depthwise kernel, in patches; expansion of its perceptron."""


class SimVPBlock(nn.Module):
    """Residual block on maps (N, D, H', W'): a depthwise convolution, then a pointwise perceptron."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)
        self.share = nn.Parameter(torch.full((width,), 0.1))
        """Learned scale of the residual, for each channel."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape (N, D, H', W')."""
        features = self.norm(self.around(maps).movedim(1, 3))
        residual: Tensor = self.share * self.narrow(functional.gelu(self.widen(features)))
        return maps + residual.movedim(3, 1)


class SimVP(nn.Module):
    """Frames (N, before, H, W, C), uint8 or float in [0, 255] -> the next frames (N, after, H, W, C) in [0, 1].

    H and W are multiples of 4.

    Args:
        before: input frames.
        after: frames that are predicted.
        channels: C of the frames.
        width: channels of a frame's feature maps; the translator has as many for two time steps.
        depth: blocks of the translator.
        still: initial weight of the last input frame in the output, see ``patches.output_layer``.
    """

    def __init__(
        self,
        before: int = 10,
        after: int = 10,
        channels: int = 3,
        width: int = 32,
        depth: int = 8,
        still: float = 0.9,
    ) -> None:
        super().__init__()
        self.before, self.after = before, after
        inner = max(before, after) * width // 2
        self.encoder = nn.Sequential(nn.Conv2d(channels * PATCH_SIZE**2, width, 3, padding=1), nn.GELU())
        self.gather = nn.Linear(before * width, inner)
        self.blocks = nn.Sequential(*(SimVPBlock(inner) for _ in range(depth)))
        self.spread = nn.Linear(inner, after * width)
        self.decoder = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.GELU())
        self.paint = output_layer(width, channels, still)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the next frames (N, after, H, W, C)."""
        patches = fold_frames(frames)
        encoded = self.encoder(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        maps = self.gather(encoded.flatten(1, 2).movedim(1, 3)).movedim(3, 1)
        translated = self.spread(self.blocks(maps).movedim(1, 3)).movedim(3, 1).unflatten(1, (self.after, -1))
        skip = encoded[:, -1:].expand_as(translated)
        outputs = self.paint(self.decoder(torch.cat([translated, skip], 2).flatten(0, 1)))
        return unfold_frames(outputs.unflatten(0, translated.shape[:2]), patches)
