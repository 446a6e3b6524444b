"""MTCNN: three small networks that find faces, each looking closer at what the one before let through.

Paper: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016
(arXiv 1604.02878). Weights: the authors', as converted by facenet-pytorch, MIT. They were trained on pictures with rows
and columns exchanged, which is why the features are flattened column by column.
"""

from __future__ import annotations

from torch import Tensor, nn


def normalize(pixels: Tensor) -> Tensor:
    """Bring uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1)."""
    return (pixels.permute(0, 3, 1, 2).float() - 127.5) / 128


def conv_prelu(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Give an unpadded convolution and its learned rectifier."""
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def max_pool(kernel: int) -> nn.Module:
    """Halve a picture; the last row and column count even where they do not fill the window."""
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


class PNet(nn.Module):
    """uint8 RGB (N, H, W, 3) -> box corrections (N, h, w, 4), face probability (N, h, w).

    Cell (i, j) looks at the 12 x 12 pixels from row 2i, column 2j; corrections (x1, y1, x2, y2) are in parts of that
    square's side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_prelu(3, 10, 3), max_pool(2), *conv_prelu(10, 16, 3), *conv_prelu(16, 32, 3))
        self.face = nn.Conv2d(32, 2, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the corrections and the probability of every cell."""
        x = self.body(normalize(pixels))
        return self.box(x).permute(0, 2, 3, 1), self.face(x).softmax(1)[:, 1]


class RNet(nn.Module):
    """uint8 RGB (N, 24, 24, 3) -> box corrections (N, 4), face probability (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_prelu(3, 28, 3), max_pool(3), *conv_prelu(28, 48, 3), max_pool(3), *conv_prelu(48, 64, 2)
        )
        self.hidden = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.face = nn.Linear(128, 2)
        self.box = nn.Linear(128, 4)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the corrections, in parts of the square's side, and the probability."""
        x = self.hidden(self.body(normalize(pixels)).permute(0, 3, 2, 1).flatten(1))
        return self.box(x), self.face(x).softmax(1)[:, 1]


class ONet(nn.Module):
    """uint8 RGB (N, 48, 48, 3) -> box corrections (N, 4), face probability (N,), points (N, 5, 2).

    Points are the eyes, the nose and the corners of the mouth, left before right as seen in the picture; (x, y) in
    parts of the square's side from its top left corner.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [
            *conv_prelu(3, 32, 3),
            max_pool(3),
            *conv_prelu(32, 64, 3),
            max_pool(3),
            *conv_prelu(64, 64, 3),
            max_pool(2),
            *conv_prelu(64, 128, 2),
        ]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.face = nn.Linear(256, 2)
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the corrections, the probability and the points."""
        x = self.hidden(self.body(normalize(pixels)).permute(0, 3, 2, 1).flatten(1))
        points = self.points(x).reshape(-1, 2, 5).transpose(1, 2)
        return self.box(x), self.face(x).softmax(1)[:, 1], points
