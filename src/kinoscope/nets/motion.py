"""A CNN that looks where most moves, and sees only what changes from picture to picture.

Made for cameras that stand still. In such videos the scene gives classes away where it should not: the same shop is
seen with a fight and without. What stands still is therefore taken away twice: the network cuts out the one square in
which most moves, and shows the CNN the differences of its pictures, in which the scene cancels. A person far from the
camera becomes large enough for a CNN that has learned from photographs.

Sources: differences of frames as the input of a CNN are those of Wang et al., "Temporal Segment Networks", ECCV 2016
(arXiv 1608.00859); the glimpse at a part of a picture is that of Mnih et al., "Recurrent Models of Visual Attention",
NIPS 2014 (arXiv 1406.6247), placed here by motion rather than learned.
Weights: those of the CNN that it is given; the classifier starts random.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MOTION_CELL_PIXELS = 4
"""Side in pixels of the cells in which motion is measured."""
NOISE_LEVEL, MAX_CHANGE = 8.0, 60.0
"""Change of a cell, in grey levels, up to which it is noise, and how much more counts at most."""
DIFFERENCE_GAIN = 1.5
"""How much differences are amplified: most of them are small."""


class MotionNet(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 2 * features), logits (N, K).

    Args:
        cnn: maps pictures (N, H, W, 3) to maps (N, features, H', W').
        stages: those of ``cnn`` that may be frozen, the input's first.
        features: channels of the maps.
        share: side of the square that is looked at, as a share of the picture's height.
        glimpse: side in pixels to which the square is enlarged for the CNN.
        dropout: share of the embedding that is dropped in training.

    Attributes:
        maps: the CNN; its output are the maps of the N * (T - 1) differences.
    """

    def __init__(
        self,
        cnn: nn.Module,
        stages: Sequence[nn.Module],
        features: int,
        classes: int,
        share: float = 0.5,
        glimpse: int = 160,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.share, self.glimpse = share, glimpse
        self.maps = cnn
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * features, classes)
        self._stages = tuple(stages)  # in a tuple, the stages are not registered a second time

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the embedding, which is the mean and the maximum over time of the CNN's features, and the logits."""
        clips = pixels.float()
        changes = self.changes(clips)
        features = self.maps(changes.flatten(0, 1)).mean((2, 3)).unflatten(0, (changes.shape[0], changes.shape[1]))
        embedding = torch.cat([features.mean(1), features.amax(1)], 1)
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Give the stages of the CNN."""
        return list(self._stages)

    def changes(self, clips: Tensor) -> Tensor:
        """Give what changes in the square, (N, T - 1, glimpse, glimpse, 3) in [0, 255], 127 where nothing does."""
        seen = self.cut(clips, self.centres(clips))
        return ((seen[:, 1:] - seen[:, :-1]) * DIFFERENCE_GAIN + 127).clamp(0, 255)

    def centres(self, clips: Tensor) -> Tensor:
        """Give where most moves: the square's centre (N, 2), x and y in [-1, 1] over the picture."""
        grey = functional.avg_pool2d(clips.mean(-1), MOTION_CELL_PIXELS)
        moved = ((grey[:, 1:] - grey[:, :-1]).abs() - NOISE_LEVEL).clamp(0, MAX_CHANGE).mean(1, keepdim=True)
        height, width = (int(length) for length in moved.shape[-2:])
        side = max(1, min(round(self.share * height), width))
        inside = functional.avg_pool2d(moved, side, 1)
        # Of squares with about as much motion, the one in the middle of them.
        smooth = max(1, side // 4) | 1
        inside = functional.avg_pool2d(inside, smooth, 1, smooth // 2)
        best = inside.flatten(1).argmax(1)
        x, y = best % inside.shape[-1], best.div(inside.shape[-1], rounding_mode="floor")
        place = torch.stack([(x + side / 2) / width, (y + side / 2) / height], 1)
        return place * 2 - 1

    def cut(self, clips: Tensor, centres: Tensor) -> Tensor:
        """Cut the squares around ``centres`` (N, 2) out of clips (N, T, H, W, 3), enlarged to the glimpse's size."""
        frames = clips.shape[1]
        grid = self._grid(centres, clips.shape[2], clips.shape[3]).repeat_interleave(frames, 0)
        pictures = clips.flatten(0, 1).permute(0, 3, 1, 2)
        seen = functional.grid_sample(pictures, grid, "bilinear", "border", align_corners=False)
        return seen.permute(0, 2, 3, 1).reshape(clips.shape[0], frames, self.glimpse, self.glimpse, 3)

    def _grid(self, centres: Tensor, height: int, width: int) -> Tensor:
        """Give where each pixel of a glimpse lies in the picture, (N, glimpse, glimpse, 2), in [-1, 1]."""
        steps = (torch.arange(self.glimpse, device=centres.device) + 0.5) / self.glimpse * 2 - 1
        x = centres[:, 0, None] + steps * min(1.0, self.share * height / width)
        y = centres[:, 1, None] + steps * self.share
        columns = x[:, None, :].expand(-1, self.glimpse, -1)
        return torch.stack([columns, y[:, :, None].expand(-1, -1, self.glimpse)], -1)

    def spread(self, heat: Tensor, pixels: Tensor) -> Tensor:
        """Put heat over the glimpses (T - 1, h, w) back where they were cut out of a clip (T, H, W, 3): (T, H, W)."""
        frames, height, width = pixels.shape[:3]
        heat = torch.cat([heat[:1], heat])  # the first picture has no change of its own
        (x, y) = self.centres(pixels[None].float())[0].tolist()
        across = min(1.0, self.share * height / width)
        rows = ((torch.arange(height, device=heat.device) + 0.5) / height * 2 - 1 - y) / self.share
        columns = ((torch.arange(width, device=heat.device) + 0.5) / width * 2 - 1 - x) / across
        grid = torch.stack([columns[None, :].expand(height, -1), rows[:, None].expand(-1, width)], -1)
        grid = grid[None].expand(frames, -1, -1, -1)
        return functional.grid_sample(heat[:, None], grid, "bilinear", "zeros", align_corners=False)[:, 0]
