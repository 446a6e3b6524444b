"""YOLOX-Nano: an anchor-free detector of the 80 COCO classes.

Paper: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", 2021 (arXiv 2107.08430). Weights: the authors' ONNX file,
Apache-2.0, with its batch norms folded into the convolutions. Modules are declared in the order in which that file
runs them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)


def conv_silu(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Build a convolution and its SiLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups), nn.SiLU())


def depthwise_separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a 3 x 3 depthwise convolution and a pointwise one."""
    return nn.Sequential(conv_silu(inputs, inputs, 3, stride, groups=inputs), conv_silu(inputs, outputs))


class Bottleneck(nn.Module):
    """A pointwise and a depthwise-separable convolution, with or without a shortcut."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv_silu(channels, channels), depthwise_separable(channels, channels))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class CSPLayer(nn.Module):
    """Cross stage partial layer: half of the channels goes through bottlenecks, the other half bypasses them."""

    def __init__(self, inputs: int, outputs: int, count: int = 1, shortcut: bool = False) -> None:
        super().__init__()
        half = outputs // 2
        self.through = conv_silu(inputs, half)
        self.past = conv_silu(inputs, half)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(count)))
        self.join = conv_silu(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        y: Tensor = self.join(torch.cat([self.blocks(self.through(x)), self.past(x)], 1))
        return y


class SPP(nn.Module):
    """Spatial pyramid pooling: max pooling over windows of four sizes, concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = conv_silu(channels, channels // 2)
        self.widen = conv_silu(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        x = self.narrow(x)
        y: Tensor = self.widen(torch.cat([x, *(functional.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13))], 1))
        return y


class CSPDarknet(nn.Module):
    """Backbone: feature maps at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_silu(12, 16, 3)
        self.stride4 = nn.Sequential(depthwise_separable(16, 32, 2), CSPLayer(32, 32, 1, shortcut=True))
        self.stride8 = nn.Sequential(depthwise_separable(32, 64, 2), CSPLayer(64, 64, 3, shortcut=True))
        self.stride16 = nn.Sequential(depthwise_separable(64, 128, 2), CSPLayer(128, 128, 3, shortcut=True))
        self.stride32 = nn.Sequential(depthwise_separable(128, 256, 2), SPP(256), CSPLayer(256, 256))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (N, 3, H, W) to features of 64, 128 and 256 channels; the input is space-to-depth (the focus layer)."""
        corners = [x[..., 0::2, 0::2], x[..., 1::2, 0::2], x[..., 0::2, 1::2], x[..., 1::2, 1::2]]
        x8 = self.stride8(self.stride4(self.stem(torch.cat(corners, 1))))
        x16 = self.stride16(x8)
        return x8, x16, self.stride32(x16)


class PAFPN(nn.Module):
    """Neck: a path aggregation network, which fuses features top-down and then bottom-up."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow32 = conv_silu(256, 128)
        self.down16 = CSPLayer(256, 128)
        self.narrow16 = conv_silu(128, 64)
        self.down8 = CSPLayer(128, 64)
        self.halve8 = depthwise_separable(64, 64, 2)
        self.up16 = CSPLayer(128, 128)
        self.halve16 = depthwise_separable(128, 128, 2)
        self.up32 = CSPLayer(256, 256)

    def forward(self, x8: Tensor, x16: Tensor, x32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map the backbone's features to ones of the same shapes."""
        from32 = self.narrow32(x32)
        from16 = self.narrow16(self.down16(torch.cat([upsample(from32), x16], 1)))
        y8 = self.down8(torch.cat([upsample(from16), x8], 1))
        y16 = self.up16(torch.cat([self.halve8(y8), from16], 1))
        return y8, y16, self.up32(torch.cat([self.halve16(y16), from32], 1))


class YoloxHead(nn.Module):
    """Decoupled head of one stride: class scores, box and objectness of each cell."""

    def __init__(self, inputs: int, classes: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.stem = conv_silu(inputs, 64)
        self.class_layers = nn.Sequential(depthwise_separable(64, 64), depthwise_separable(64, 64))
        self.classes = nn.Conv2d(64, classes, 1)
        self.box_layers = nn.Sequential(depthwise_separable(64, 64), depthwise_separable(64, 64))
        self.box = nn.Conv2d(64, 4, 1)
        self.object = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, C, H, W) to boxes xyxy in pixels (N, H * W, 4) and scores (N, H * W, classes)."""
        x = self.stem(x)
        features = self.box_layers(x)
        scores = self.classes(self.class_layers(x)).sigmoid() * self.object(features).sigmoid()
        return self.decode(self.box(features)), scores.flatten(2).transpose(1, 2)

    def decode(self, raw: Tensor) -> Tensor:
        """Decode centre offsets and log sizes in strides (N, 4, H, W) to boxes xyxy in pixels (N, H * W, 4)."""
        raw = raw.float()  # bfloat16 cannot represent every integer beyond 256
        rows, columns = torch.arange(raw.shape[2]), torch.arange(raw.shape[3])
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        centre = (raw[:, :2] + torch.stack([x, y]).to(raw)) * self.stride
        half = raw[:, 2:].exp() * (self.stride / 2)
        return torch.cat([centre - half, centre + half], 1).flatten(2).transpose(1, 2)


def upsample(x: Tensor) -> Tensor:
    """Repeat every pixel twice in both directions."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class YoloxNano(nn.Module):
    """uint8 RGB (N, H, W, 3), H and W multiples of 32 -> boxes xyxy in input pixels (N, A, 4), scores (N, A, 80).

    A is 3549 for 416 x 416.
    """

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.backbone = CSPDarknet()
        self.neck = PAFPN()
        channels = (64, 128, 256)
        self.heads = nn.ModuleList(YoloxHead(c, classes, s) for c, s in zip(channels, STRIDES, strict=True))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the box and the class scores of every cell, before non-maximum suppression."""
        features = self.neck(*self.backbone(pixels.flip(3).permute(0, 3, 1, 2).float()))
        outputs = [head(x) for head, x in zip(self.heads, features, strict=True)]
        return torch.cat([boxes for boxes, _ in outputs], 1), torch.cat([scores for _, scores in outputs], 1)
