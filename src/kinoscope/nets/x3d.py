"""X3D-S: a 3-D CNN expanded from a small 2-D one, one axis at a time, for the best accuracy per multiply-add.

Paper: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020 (arXiv 2004.04730):
3.76 million parameters for 400 classes and 1.96 billion multiply-adds for 13 frames of 160 x 160.
Weights: none; it is initialized at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of each stage: channels, number of blocks. The paper's basis has 1, 2, 5 and 3 blocks, here 2.2 times as many.
STAGES = ((24, 3), (48, 5), (96, 11), (192, 7))
EXPANSION = 2.25
"""Ratio of a bottleneck's inner to its output channels."""
STEM_CHANNELS, EMBEDDING_DIM = 24, 2048


def point_conv(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """Build a 1 x 1 x 1 convolution, whose stride is spatial, and its batch norm."""
    return [nn.Conv3d(inputs, outputs, 1, (1, stride, stride), bias=False), nn.BatchNorm3d(outputs)]


def depthwise_conv(channels: int, frames: int, size: int, stride: int = 1) -> nn.Conv3d:
    """Build a depthwise convolution over ``frames`` x ``size`` x ``size``."""
    kernel, padding = (frames, size, size), (frames // 2, size // 2, size // 2)
    return nn.Conv3d(channels, channels, kernel, (1, stride, stride), padding, groups=channels, bias=False)


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation: channel weights from the global average of all channels (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(8, int(channels / 16 + 4) // 8 * 8)
        self.squeeze = nn.Conv3d(channels, inner, 1)
        self.excite = nn.Conv3d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of (N, C, T, H, W)."""
        inner = functional.relu(self.squeeze(x.mean((2, 3, 4), keepdim=True)))
        weights: Tensor = self.excite(inner)
        return x * weights.sigmoid()


class X3DBlock(nn.Module):
    """Inverted bottleneck: expand, depthwise convolution, project; with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        inner = int(EXPANSION * outputs)
        excite = [SqueezeExcite(inner)] if squeeze else []
        depthwise = [depthwise_conv(inner, 3, 3, stride), nn.BatchNorm3d(inner), *excite, nn.SiLU()]
        self.layers = nn.Sequential(*point_conv(inputs, inner), nn.ReLU(), *depthwise, *point_conv(inner, outputs))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Sequential(*([] if same else point_conv(inputs, outputs, stride)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, C', T, H / stride, W / stride)."""
        return functional.relu(self.shortcut(x) + self.layers(x))


class X3DS(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 2048), logits (N, K).

    Args:
        classes: number of classes K.
        dropout: dropout rate of the embedding.

    Attributes:
        maps: the last convolution; its output are feature maps (N, 432, T, H / 32, W / 32).
    """

    def __init__(self, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        spatial = nn.Conv3d(3, STEM_CHANNELS, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.stem = nn.Sequential(
            spatial, depthwise_conv(STEM_CHANNELS, 5, 1), nn.BatchNorm3d(STEM_CHANNELS), nn.ReLU()
        )
        stages, inputs = [], STEM_CHANNELS
        for outputs, count in STAGES:
            first = X3DBlock(inputs, outputs, 2, squeeze=True)
            others = (X3DBlock(outputs, outputs, 1, squeeze=i % 2 == 0) for i in range(1, count))
            stages.append(nn.Sequential(first, *others))
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        inner = int(EXPANSION * inputs)
        self.maps = nn.Sequential(*point_conv(inputs, inner), nn.ReLU())
        self.dense = nn.Sequential(nn.Linear(inner, EMBEDDING_DIM, bias=False), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(EMBEDDING_DIM, classes)
        initialize_weights(self)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding (N, 2048) and the class logits (N, K)."""
        x = (pixels.permute(0, 4, 1, 2, 3).float() / 255 - 0.45) / 0.225
        embedding = self.dense(self.maps(self.stages(self.stem(x))).mean((2, 3, 4)))
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Return the stem, the four stages and the last convolution."""
        return [self.stem, *self.stages, self.maps]


def initialize_weights(net: nn.Module) -> None:
    """Initialize convolutions as He et al. (ICCV 2015) do, so that signals neither grow nor fade with depth."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
