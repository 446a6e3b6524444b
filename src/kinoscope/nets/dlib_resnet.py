"""dlib's face embedding: a 29-layer residual network; embeddings of one person are less than 0.6 apart.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385); the network and its
training are Davis King's, dlib 19.3, 2017. Weights: put in the public domain by him; as quantized to 8 bits for
TensorFlow.js by face-api, MIT.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of each stage: channels, whether its first block downsamples, and the number of blocks.
GROUPS = ((32, False, 3), (64, True, 4), (128, True, 3), (256, True, 3), (256, True, 1))


class Affine(nn.Module):
    """A learned scale and shift of each channel: a batch norm folded into constants."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift (N, C, H, W)."""
        return x * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


def conv_affine(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    """Build a convolution and its affine layer."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding), Affine(outputs))


class DlibBlock(nn.Module):
    """Residual block of two convolutions; the shortcut is average-pooled and padded with zero channels if needed."""

    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.extra_channels = outputs - inputs
        self.first = conv_affine(inputs, outputs, 3, 2 if down else 1, 0 if down else 1)
        self.second = conv_affine(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / 2, W / 2) if it downsamples, else to (N, C', H, W)."""
        y = self.second(functional.relu(self.first(x)))
        if self.down:
            x = functional.avg_pool2d(x, 2)
            # The convolution without padding may have one row and one column fewer than the average pooling.
            y = functional.pad(y, (0, int(x.shape[3] - y.shape[3]), 0, int(x.shape[2] - y.shape[2])))
        return functional.relu(functional.pad(x, (0, 0, 0, 0, 0, self.extra_channels)) + y)


class DlibResNet(nn.Module):
    """uint8 RGB aligned faces (N, 150, 150, 3) -> embeddings (N, 128), compared by Euclidean distance."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_affine(3, 32, 7, 2, 0)
        blocks, inputs = [], 32
        for outputs, down, count in GROUPS:
            for i in range(count):
                blocks.append(DlibBlock(inputs, outputs, down and i == 0))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.embed = nn.Linear(256, 128, bias=False)
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298]).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """Return the embedding (N, 128) of each face."""
        x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / 256
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        return (self.embed(self.blocks(x).mean((2, 3))),)
