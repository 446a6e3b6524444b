"""SimVP: a predictor of frames without recurrence, whose middle mixes all moments at once.

Paper: Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022 (arXiv 2206.05099): an encoder looks at each
frame by itself, a translator takes the moments as channels of one map and gives those of the moments that follow, a
decoder paints each, with what the encoder saw (the skip). As in its successor (Tan et al., "SimVP: Towards
Simple yet Powerful Spatiotemporal Predictive Learning", 2022, arXiv 2211.12509), the translator's blocks are
convolutions of each channel by itself over a wide window and a perceptron at each place, in place of Inception ones.
Ours is smaller, and its skip is that of the last frame, so that it tells as many frames as wanted.
Weights: none; it starts random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.nets.patches import PATCH_SIZE, fold_frames, output_layer, unfold_frames

KERNEL_SIZE, EXPANSION = 7, 2
"""Side in patches of what a block sees; by how much its perceptron widens."""


class SimVPBlock(nn.Module):
    """Maps (N, D, H', W') -> as many: each channel over a window, then all channels at each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)
        self.share = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, maps: Tensor) -> Tensor:
        """Give the maps and what is added to them."""
        places = self.norm(self.around(maps).movedim(1, 3))
        added: Tensor = self.share * self.narrow(functional.gelu(self.widen(places)))
        return maps + added.movedim(3, 1)


class SimVP(nn.Module):
    """Frames (N, before, H, W, C), uint8 or float in 0 to 255 -> the next (N, after, H, W, C) in 0 to 1.

    H and W are multiples of 4.

    Args:
        before, after: frames that are read, and told.
        channels: C of the frames.
        width: channels of a frame's maps; the translator has as many for two moments.
        depth: blocks of the translator.
        still: how much of the last frame stays before anything is learned.
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
        inside = max(before, after) * width // 2
        self.encoder = nn.Sequential(nn.Conv2d(channels * PATCH_SIZE**2, width, 3, padding=1), nn.GELU())
        self.gather = nn.Linear(before * width, inside)
        self.blocks = nn.Sequential(*(SimVPBlock(inside) for _ in range(depth)))
        self.spread = nn.Linear(inside, after * width)
        self.decoder = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.GELU())
        self.paint = output_layer(width, channels, still)

    def forward(self, frames: Tensor) -> Tensor:
        """Give the next frames."""
        patches = fold_frames(frames)
        seen = self.encoder(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        maps = self.gather(seen.flatten(1, 2).movedim(1, 3)).movedim(3, 1)
        told = self.spread(self.blocks(maps).movedim(1, 3)).movedim(3, 1).unflatten(1, (self.after, -1))
        last = seen[:, -1:].expand_as(told)
        painted = self.paint(self.decoder(torch.cat([told, last], 2).flatten(0, 1)))
        return unfold_frames(painted.unflatten(0, told.shape[:2]), patches)
