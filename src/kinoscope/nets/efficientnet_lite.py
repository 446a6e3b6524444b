"""EfficientNet-Lite0: an ImageNet classifier for mobile and embedded processors.

Paper: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv 1905.11946); the Lite variant of the TensorFlow TPU models drops squeeze-and-excitation and uses ReLU6.
Weights: converted from the TensorFlow release, Apache-2.0.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Of each stage: kernel, stride of its first block, expansion, output channels, number of blocks.
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
    """A convolution padded like TensorFlow's SAME for even input sizes: stride 2 pads less before than after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before = (kernel - stride) // 2
        self.pads = (before, kernel - stride - before) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        return super().forward(functional.pad(x, self.pads))


def conv_norm(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Build a convolution and its batch norm."""
    return [SameConv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs, eps=1e-3)]


class MBConv(nn.Module):
    """Inverted bottleneck: expand, depthwise convolution, project; with a shortcut where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        expand = [*conv_norm(inputs, inner), nn.ReLU6()] if expansion > 1 else []
        depthwise = [*conv_norm(inner, inner, kernel, stride, groups=inner), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *depthwise, *conv_norm(inner, outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite0Backbone(nn.Module):
    """Backbone: RGB (N, H, W, 3), uint8 or float in [0, 255] -> feature maps (N, 1280, H / 32, W / 32).

    Attributes:
        features: channels of the feature maps.
        stages: the stem, the seven stages of the paper, the last convolution.
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
        """Return the last feature maps."""
        maps: Tensor = self.stages((pixels.permute(0, 3, 1, 2).float() - 127) / 128)
        return maps


class EfficientNetLite0(nn.Module):
    """uint8 RGB (N, 224, 224, 3) -> features (N, 1280), logits (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0Backbone()
        self.classifier = nn.Linear(EfficientNetLite0Backbone.features, 1000)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled features (N, 1280) and the class logits (N, 1000)."""
        features = self.trunk(pixels).mean((2, 3))
        return features, self.classifier(features)
