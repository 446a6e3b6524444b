"""Frames as maps of patches, and back: what every network that predicts frames takes in and gives out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_SIZE = 4
"""Pixels on a side of a patch."""


def fold_frames(frames: Tensor) -> Tensor:
    """Give frames (N, T, H, W, C) in 0 to 255 as patches (N, T, C * 16, H / 4, W / 4) in 0 to 1."""
    return functional.pixel_unshuffle(frames.movedim(4, 2).float() / 255, PATCH_SIZE)


def output_channels(channels: int) -> int:
    """Give how many channels a network tells of a patch: its colours, and the share of each of its pixels."""
    return (channels + 1) * PATCH_SIZE**2


def output_layer(width: int, channels: int, still: float) -> nn.Conv2d:
    """Give the last layer of a network, which tells of each patch; before it learns, so much of the last frame stays.

    Args:
        width: channels of the maps that it takes. still: the share, above 0 and below 1.
    """
    layer = nn.Conv2d(width, output_channels(channels), 1)
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias[-(PATCH_SIZE**2) :] += math.log(still / (1 - still))
    return layer


def unfold_frames(told: Tensor, patches: Tensor) -> Tensor:
    """Give what was told (N, T', (C + 1) * 16, H', W') as frames (N, T', H, W, C) in 0 to 1.

    Each pixel is painted anew or, by a share that is told as well, stays as it was in the last of the frames that were
    read, whose patches are (N, T, C * 16, H', W'): what stands still need not be learned (Finn et al., "Unsupervised
    learning for physical interaction through video prediction", NeurIPS 2016).
    """
    pixels = functional.pixel_shuffle(told.float(), PATCH_SIZE)
    last = functional.pixel_shuffle(patches[:, -1:], PATCH_SIZE)
    share = pixels[:, :, -1:].sigmoid()
    frames: Tensor = share * last + (1 - share) * pixels[:, :, :-1].sigmoid()
    return frames.movedim(2, 4)
