"""MTCNN: a cascade of three small networks that detect faces; each refines the candidates of the one before.

Paper: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016
(arXiv 1604.02878). Weights: the authors', as converted by facenet-pytorch, MIT. They were trained on images with rows
and columns exchanged, which is why the features are flattened column by column.
"""

from __future__ import annotations

from torch import Tensor, nn


def normalize(pixels: Tensor) -> Tensor:
    """Convert uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1)."""
    return (pixels.permute(0, 3, 1, 2).float() - 127.5) / 128


def conv_prelu(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Build a convolution without padding and a PReLU."""
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def max_pool(kernel: int) -> nn.Module:
    """Build a max pooling of stride 2 that includes the last row and column even if they do not fill the window."""
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


class PNet(nn.Module):
    """Proposal network: uint8 RGB (N, H, W, 3) -> box offsets (N, h, w, 4), face probability (N, h, w).

    The receptive field of cell (i, j) is the 12 x 12 pixels from row 2i, column 2j; offsets (x1, y1, x2, y2) are
    fractions of that square's side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_prelu(3, 10, 3), max_pool(2), *conv_prelu(10, 16, 3), *conv_prelu(16, 32, 3))
        self.face = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the box offsets and the face probability of every cell."""
        x = self.body(normalize(pixels))
        return self.box(x).permute(0, 2, 3, 1), self.face(x).softmax(1)[:, 1]


class RNet(nn.Module):
    """Refinement network: uint8 RGB (N, 24, 24, 3) -> box offsets (N, 4), face probability (N,)."""

    def __init__(self) -> None:
        super().__init__()
        layers = [*conv_prelu(3, 28, 3), max_pool(3), *conv_prelu(28, 48, 3), max_pool(3), *conv_prelu(48, 64, 2)]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.face = nn.Linear(128, 2)
        self.box = nn.Linear(128, 4)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the box offsets, as fractions of the square's side, and the face probability."""
        x = self.hidden(self.body(normalize(pixels)).permute(0, 3, 2, 1).flatten(1))
        return self.box(x), self.face(x).softmax(1)[:, 1]


class ONet(nn.Module):
    """Output network: uint8 RGB (N, 48, 48, 3) -> box offsets (N, 4), face probability (N,), landmarks (N, 5, 2).

    Landmarks are the eyes, the nose and the corners of the mouth, left before right as seen in the image; (x, y) as
    fractions of the square's side from its top left corner.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [*conv_prelu(3, 32, 3), max_pool(3), *conv_prelu(32, 64, 3), max_pool(3)]
        layers += [*conv_prelu(64, 64, 3), max_pool(2), *conv_prelu(64, 128, 2)]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.face = nn.Linear(256, 2)
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the box offsets, the face probability and the landmarks."""
        x = self.hidden(self.body(normalize(pixels)).permute(0, 3, 2, 1).flatten(1))
        landmarks = self.points(x).reshape(-1, 2, 5).transpose(1, 2)
        return self.box(x), self.face(x).softmax(1)[:, 1], landmarks
