"""A model: the luma of an image, with the constants of ITU-R BT.709 as weights."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from kinoscope.models.card import Card, WeightFile


class Luma(nn.Module):
    """uint8 RGB (N, H, W, 3) -> mean luma (N, 1) in [0, 1]."""

    def __init__(self, weight: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the mean luma (N, 1) of images (N, H, W, 3)."""
        return (pixels.float() / 255 @ self.weight).mean((1, 2))[:, None]


def build(files: Mapping[str, Path]) -> Luma:
    """Return the network with its weights."""
    return Luma(json.loads(files["luma.json"].read_text()))


CARD = Card(
    name="rain-luma",
    task="brightness",
    about="mean luma of an image",
    licence="CC0-1.0",
    files=(WeightFile("luma.json", "fc1637c4590b899f77a72414a5df8099f0cce44411392bc94cad91e48343d4c0"),),
    sources=(f"folder:{Path(__file__).parent}",),
    net=build,
    input=(32, 32, 3),
    outputs=((1,),),
)
