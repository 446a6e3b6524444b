"""R3D-18, MC3-18 and R(2+1)D-18: ResNet-18 for clips, with three kinds of spatiotemporal convolutions.

R3D convolves over time and space at once; MC3 does so in its first layers and convolves over single frames in the rest;
R(2+1)D convolves over space, then over time.

Paper: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018 (arXiv 1711.11248).
Parameters and multiply-adds are those that torchvision publishes for its models of these names.
Weights: of MC3-18 only: trained on Kinetics-400 and then on 300 clips of fights, by the authors of the PyPI package
Feight-Detection-From-Surveillance-Cameras, MIT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

ConvKind = Literal["3d", "2d", "2+1d"]
LAYER_CONVOLUTIONS: dict[str, tuple[ConvKind, ConvKind, ConvKind, ConvKind]] = {
    "r3d": ("3d", "3d", "3d", "3d"),
    "mc3": ("3d", "2d", "2d", "2d"),
    "r2plus1d": ("2+1d", "2+1d", "2+1d", "2+1d"),
}
"""Kind of convolution of each of the four layers, by the name of the network."""

Triple = tuple[int, int, int]


def conv_norm(inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> list[nn.Module]:
    """Build a convolution over (T, H, W), padded so that only the stride shrinks, and its batch norm."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return [nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm3d(outputs)]


def conv_3d(inputs: int, outputs: int, stride: int, middle: int) -> nn.Sequential:
    """Build a convolution over time and space at once."""
    return nn.Sequential(*conv_norm(inputs, outputs, (3, 3, 3), (stride, stride, stride)))


def conv_2d(inputs: int, outputs: int, stride: int, middle: int) -> nn.Sequential:
    """Build a convolution over space only, which keeps all frames."""
    return nn.Sequential(*conv_norm(inputs, outputs, (1, 3, 3), (1, stride, stride)))


def conv_2plus1d(inputs: int, outputs: int, stride: int, middle: int) -> nn.Sequential:
    """Build a convolution over space to ``middle`` channels, then over time."""
    space = conv_norm(inputs, middle, (1, 3, 3), (1, stride, stride))
    return nn.Sequential(*space, nn.ReLU(), *conv_norm(middle, outputs, (3, 1, 1), (stride, 1, 1)))


CONVOLUTIONS: dict[ConvKind, Callable[[int, int, int, int], nn.Sequential]] = {
    "3d": conv_3d,
    "2d": conv_2d,
    "2+1d": conv_2plus1d,
}


def middle_channels(inputs: int, outputs: int) -> int:
    """Return the channels between the halves of a (2+1)D convolution with as many weights as a 3x3x3 one."""
    return 27 * inputs * outputs // (9 * inputs + 3 * outputs)


class ResidualBlock3D(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, kind: ConvKind) -> None:
        super().__init__()
        convolution, middle = CONVOLUTIONS[kind], middle_channels(inputs, outputs)
        self.first = convolution(inputs, outputs, stride, middle)
        self.second = convolution(outputs, outputs, 1, middle)
        strides = (1 if kind == "2d" else stride, stride, stride)
        shortcut = [] if inputs == outputs else conv_norm(inputs, outputs, (1, 1, 1), strides)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T, H, W) to (N, C', T', H / stride, W / stride)."""
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


def stem(kind: ConvKind) -> nn.Sequential:
    """Build the first convolution, which halves height and width."""
    if kind == "2+1d":
        space = conv_norm(3, 45, (1, 7, 7), (1, 2, 2))
        return nn.Sequential(*space, nn.ReLU(), *conv_norm(45, 64, (3, 1, 1)), nn.ReLU())
    return nn.Sequential(*conv_norm(3, 64, (3, 7, 7), (1, 2, 2)), nn.ReLU())


class ResNet3D(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 512), logits (N, K).

    Args:
        classes: number of classes K.
        kinds: kind of convolution of each of the four layers; see ``LAYER_CONVOLUTIONS``.
        dropout: dropout rate of the embedding; the paper has no dropout.

    Attributes:
        maps: the last layer; its output are feature maps (N, 512, T', H / 16, W / 16).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, classes: int, kinds: tuple[ConvKind, ConvKind, ConvKind, ConvKind], dropout: float = 0.0
    ) -> None:
        super().__init__()
        stages, inputs = [stem(kinds[0])], 64
        for outputs, stride, kind in zip((64, 128, 256, 512), (1, 2, 2, 2), kinds, strict=True):
            first = ResidualBlock3D(inputs, outputs, stride, kind)
            stages.append(nn.Sequential(first, ResidualBlock3D(outputs, outputs, 1, kind)))
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(512, classes)
        shape = (3, 1, 1, 1)
        self.register_buffer("mean", torch.tensor([0.43216, 0.394666, 0.37645]).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor([0.22803, 0.22145, 0.216989]).view(shape), persistent=False)
        initialize_weights(self)

    @property
    def maps(self) -> nn.Module:
        """The last layer."""
        return self.stages[-1]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding (N, 512) and the class logits (N, K)."""
        x = (pixels.permute(0, 4, 1, 2, 3).float() / 255 - self.mean) / self.std
        embedding = self.stages(x).mean((2, 3, 4))
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Return the stem and the four layers."""
        return list(self.stages)


def initialize_weights(net: nn.Module) -> None:
    """Initialize convolutions as He et al. (ICCV 2015) do, so that signals neither grow nor fade with depth."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
