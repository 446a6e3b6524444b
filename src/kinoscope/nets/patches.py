"""Frames as maps of patches, and back: the input and the output layer of all frame predictors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_SIZE = 4
"""Side of a patch in pixels."""


def fold_frames(frames: Tensor) -> Tensor:
    """Convert frames (N, T, H, W, C) in [0, 255] to patches (N, T, C * 16, H / 4, W / 4) in [0, 1]."""
    return functional.pixel_unshuffle(frames.movedim(4, 2).float() / 255, PATCH_SIZE)


def output_channels(channels: int) -> int:
    """Return the output channels of a predictor: the colours of a patch's pixels, and a copy mask for each pixel."""
    return (channels + 1) * PATCH_SIZE**2


def output_layer(width: int, channels: int, still: float) -> nn.Conv2d:
    """Build the last layer of a predictor; its bias is initialized so that the copy mask is ``still``.

    Args:
        width: channels of its input.
        channels: C of the frames.
        still: initial weight of the last input frame, above 0 and below 1.
    """
    layer = nn.Conv2d(width, output_channels(channels), 1)
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias[-(PATCH_SIZE**2) :] += math.log(still / (1 - still))
    return layer


def unfold_frames(outputs: Tensor, patches: Tensor) -> Tensor:
    """Convert the output of a predictor (N, T', (C + 1) * 16, H', W') to frames (N, T', H, W, C) in [0, 1].

    Each pixel blends a new colour with the same pixel of the last input frame, by the predicted copy mask; so a static
    background need not be learned (Finn et al., "Unsupervised learning for physical interaction through video
    prediction", NeurIPS 2016).

    Args:
        outputs: logits of colours and of the copy mask.
        patches: of the input frames (N, T, C * 16, H', W').
    """
    pixels = functional.pixel_shuffle(outputs.float(), PATCH_SIZE)
    last = functional.pixel_shuffle(patches[:, -1:], PATCH_SIZE)
    copy_mask = pixels[:, :, -1:].sigmoid()
    frames: Tensor = copy_mask * last + (1 - copy_mask) * pixels[:, :, :-1].sigmoid()
    return frames.movedim(2, 4)
