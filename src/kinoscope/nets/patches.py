"""Frames as maps of patches, and back: what every network that predicts frames takes in and gives out."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SIDE = 4
"""Pixels on a side of a patch."""

HELD = -2.0
"""Where the share of the last frame begins, before the sigmoid."""


def fold_frames(frames: Tensor) -> Tensor:
    """Give frames (N, T, H, W, C) in 0 to 255 as patches (N, T, C * 16, H / 4, W / 4) in 0 to 1."""
    return functional.pixel_unshuffle(frames.movedim(4, 2).float() / 255, SIDE)


def told_channels(channels: int) -> int:
    """Give how many channels a network tells of a patch: its colours, and the share of each of its pixels."""
    return (channels + 1) * SIDE**2


def unfold_frames(told: Tensor, patches: Tensor) -> Tensor:
    """Give what was told (N, T', (C + 1) * 16, H', W') as frames (N, T', H, W, C) in 0 to 1.

    Each pixel is painted anew or, by a share that is told as well, stays as it was in the last of the frames that were
    read, whose patches are (N, T, C * 16, H', W'): what stands still need not be learned (Finn et al., "Unsupervised
    learning for physical interaction through video prediction", NeurIPS 2016).
    """
    pixels = functional.pixel_shuffle(told.float(), SIDE)
    last = functional.pixel_shuffle(patches[:, -1:], SIDE)
    share = (pixels[:, :, -1:] + HELD).sigmoid()
    frames: Tensor = share * last + (1 - share) * pixels[:, :, :-1].sigmoid()
    return frames.movedim(2, 4)
