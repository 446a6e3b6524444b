"""EfficientNet-Lite0: an ImageNet classifier made for small processors.

Paper: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv 1905.11946); the Lite variant of the TensorFlow TPU models drops squeeze-and-excitation and uses ReLU6.
Weights: converted from the TensorFlow release, Apache-2.0.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Of each stage: kernel, stride of its first block, expansion, channels out, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does for even input sizes: stride 2 pads less before than after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before = (kernel - stride) // 2
        self.pads = (before, kernel - stride - before) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        return super().forward(functional.pad(x, self.pads))


def conv_norm(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Give a convolution and its batch norm."""
    return [SameConv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs, eps=1e-3)]


class MBConv(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [*conv_norm(inputs, wide), nn.ReLU6()] if expansion > 1 else []
        filters = [*conv_norm(wide, wide, kernel, stride, groups=wide), nn.ReLU6()]
        self.layers = nn.Sequential(*widen, *filters, *conv_norm(wide, outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite0Backbone(nn.Module):
    """All but the classifier: RGB (N, H, W, 3), uint8 or float in [0, 255] -> maps (N, 1280, H / 32, W / 32).

    Attributes:
        stages: stem, the seven stages of the paper, head.
    """

    features = 1280

    def __init__(self) -> None:
        super().__init__()
        stages, inputs = [nn.Sequential(*conv_norm(3, 32, 3, 2), nn.ReLU6())], 32
        for kernel, stride, expansion, outputs, count in STAGES:
            first = MBConv(inputs, outputs, kernel, stride, expansion)
            others = (MBConv(outputs, outputs, kernel, 1, expansion) for _ in range(count - 1))
            stages.append(nn.Sequential(first, *others))
            inputs = outputs
        stages.append(nn.Sequential(*conv_norm(inputs, self.features), nn.ReLU6()))
        self.stages = nn.Sequential(*stages)

    def forward(self, pixels: Tensor) -> Tensor:
        """Give the last maps."""
        maps: Tensor = self.stages((pixels.permute(0, 3, 1, 2).float() - 127) / 128)
        return maps


class EfficientNetLite0(nn.Module):
    """uint8 RGB (N, 224, 224, 3) -> features (N, 1280), logits (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0Backbone()
        self.classifier = nn.Linear(EfficientNetLite0Backbone.features, 1000)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the pooled features and the class logits."""
        features = self.trunk(pixels).mean((2, 3))
        return features, self.classifier(features)
