"""NanoDet: a light anchor-free detector of the 80 COCO classes; here the decoding of its raw outputs.

Paper: Lyu, "NanoDet", 2020 (project RangiLyu/nanodet); its boxes are distributions as in Li et al., "Generalized Focal
Loss", NeurIPS 2020 (arXiv 2006.04388). Weights and body: NanoDet-g 416 as a TensorFlow.js graph, Apache-2.0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
DISTANCE_BINS = 11
"""The distance of a side of a box from the centre of its cell is a distribution over 0, 1, ... 10 strides."""


def cell_centres(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the centre (A, 2) and the stride (A, 1) of every cell of a batch (N, H, W, C), in pixels."""
    points, strides = [], []
    for stride in STRIDES:
        rows, columns = pixels.shape[1] // stride, pixels.shape[2] // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points.append((torch.stack([x, y], 2).reshape(-1, 2).to(pixels.device) + 0.5) * stride)
        strides.append(torch.ones_like(points[-1][:, :1]) * stride)
    return torch.cat(points), torch.cat(strides)


class NanoDet(nn.Module):
    """uint8 RGB (N, H, W, 3), H and W multiples of 32 -> boxes xyxy in input pixels (N, A, 4), scores (N, A, 80).

    A is 3549 for 416 x 416.

    Args:
        body: maps float BGR (N, 3, H, W), normalized, to the scores (N, cells, 80) of the three strides, then their
            distance distributions (N, cells, 44).
    """

    mean: Tensor
    std: Tensor
    steps: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([57.375, 57.12, 58.395]).view(3, 1, 1))
        self.register_buffer("steps", torch.arange(DISTANCE_BINS, dtype=torch.float32))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the box and the class scores of every cell, before non-maximum suppression."""
        x = pixels.flip(3).permute(0, 3, 1, 2).float()
        outputs = self.body((x - self.mean) / self.std)
        scores, sides = torch.cat(outputs[:3], 1), torch.cat(outputs[3:], 1)
        probabilities = sides.reshape(sides.shape[0], -1, 4, DISTANCE_BINS).softmax(3)
        points, strides = cell_centres(pixels)
        distances = (probabilities @ self.steps) * strides
        return torch.cat([points - distances[..., :2], points + distances[..., 2:]], 2), scores
