"""MC3-18: a video classifier that looks through time in its first layers and at single pictures in the rest.

Paper: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018 (arXiv 1711.11248).
Weights: trained on Kinetics-400 and then on 300 clips of fights, by the makers of the PyPI package
Feight-Detection-From-Surveillance-Cameras, MIT.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_norm(inputs: int, outputs: int, frames: int, size: int, stride: int = 1) -> nn.Sequential:
    """Give a convolution over ``frames`` x ``size`` x ``size`` and its batch norm; ``stride`` is over the picture."""
    padding = (frames // 2, size // 2, size // 2)
    conv = nn.Conv3d(inputs, outputs, (frames, size, size), (1, stride, stride), padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(outputs))


class Block(nn.Module):
    """Two convolutions added to their input."""

    def __init__(self, inputs: int, outputs: int, frames: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, frames, 3, stride)
        self.second = conv_norm(outputs, outputs, frames, 3)
        self.shortcut = nn.Identity() if inputs == outputs else conv_norm(inputs, outputs, 1, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, C', T, H / stride, W / stride)."""
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


class MC3(nn.Module):
    """uint8 RGB (N, T, 112, 112, 3) -> class probabilities (N, classes)."""

    mean: Tensor
    std: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, 64, 3, 7, 2)
        blocks, inputs = [], 64
        for outputs, frames, stride in ((64, 3, 1), (128, 1, 2), (256, 1, 2), (512, 1, 2)):
            blocks += [Block(inputs, outputs, frames, stride), Block(outputs, outputs, frames, 1)]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(512, classes)
        shape = (3, 1, 1, 1)
        self.register_buffer("mean", torch.tensor([0.43216, 0.394666, 0.37645]).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor([0.22803, 0.22145, 0.216989]).view(shape), persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """Give the probability of each class."""
        x = (pixels.permute(0, 4, 1, 2, 3).float() / 255 - self.mean) / self.std
        x = self.blocks(functional.relu(self.stem(x)))
        return (self.classifier(x.mean((2, 3, 4))).softmax(1),)
