"""A CNN on frame differences, cropped to the square with the largest motion; for static cameras.

In videos of a static camera the background leaks the class: the same shop is seen with a fight and without. It is
therefore removed twice: the network crops the one square in which motion is largest, and feeds the CNN the frame
differences of that crop, in which the background cancels. A person far from the camera becomes large enough for a CNN
pretrained on photographs.

Sources: frame differences as the input of a CNN are those of Wang et al., "Temporal Segment Networks", ECCV 2016
(arXiv 1608.00859); the glimpse at a part of a frame is that of Mnih et al., "Recurrent Models of Visual Attention",
NIPS 2014 (arXiv 1406.6247), placed here by motion rather than learned.
Weights: those of the backbone that is passed in; the classifier is initialized at random.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MOTION_CELL_PIXELS = 4
"""Side in pixels of the cells over which motion is averaged."""
NOISE_LEVEL, MAX_CHANGE = 8.0, 60.0
"""Change of a cell, in grey levels, that is taken for noise; the maximum beyond it that is counted."""
DIFFERENCE_GAIN = 1.5
"""Factor by which frame differences are amplified: most of them are small."""


class MotionNet(nn.Module):
    """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, 2 * features), logits (N, K).

    Args:
        cnn: the backbone; maps images (N, H, W, 3) to feature maps (N, features, H', W').
        stages: stages of ``cnn`` that may be frozen, from the input on.
        features: channels of the feature maps.
        classes: number of classes K.
        share: side of the crop, as a fraction of the frame's height.
        glimpse: side in pixels to which the crop is resized for the backbone.
        dropout: dropout rate of the embedding.

    Attributes:
        maps: the backbone; its output are the feature maps of the N * (T - 1) frame differences.
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
        """Return the embedding (N, 2 * features), mean and maximum over time, and the class logits (N, K)."""
        differences = self.frame_differences(pixels.float())
        features = self.maps(differences.flatten(0, 1)).mean((2, 3))
        features = features.unflatten(0, (differences.shape[0], differences.shape[1]))
        embedding = torch.cat([features.mean(1), features.amax(1)], 1)
        return embedding, self.classifier(self.dropout(embedding))

    def trunk(self) -> list[nn.Module]:
        """Return the stages of the backbone, from the input on."""
        return list(self._stages)

    def frame_differences(self, clips: Tensor) -> Tensor:
        """Return the frame differences of the crop, (N, T - 1, glimpse, glimpse, 3) in [0, 255]; 127 is no change.

        Args:
            clips: float (N, T, H, W, 3) in [0, 255].
        """
        crops = self.crop(clips, self.motion_centres(clips))
        return ((crops[:, 1:] - crops[:, :-1]) * DIFFERENCE_GAIN + 127).clamp(0, 255)

    def motion_centres(self, clips: Tensor) -> Tensor:
        """Return the centre (N, 2) of the square with the largest motion: x and y in [-1, 1] over the frame."""
        grey = functional.avg_pool2d(clips.mean(-1), MOTION_CELL_PIXELS)
        motion = ((grey[:, 1:] - grey[:, :-1]).abs() - NOISE_LEVEL).clamp(0, MAX_CHANGE).mean(1, keepdim=True)
        height, width = (int(length) for length in motion.shape[-2:])
        side = max(1, min(round(self.share * height), width))
        sums = functional.avg_pool2d(motion, side, 1)
        # Of squares with about as much motion, the one in the middle of them.
        smooth = max(1, side // 4) | 1
        sums = functional.avg_pool2d(sums, smooth, 1, smooth // 2)
        best = sums.flatten(1).argmax(1)
        x, y = best % sums.shape[-1], best.div(sums.shape[-1], rounding_mode="floor")
        centres = torch.stack([(x + side / 2) / width, (y + side / 2) / height], 1)
        return centres * 2 - 1

    def crop(self, clips: Tensor, centres: Tensor) -> Tensor:
        """Crop the squares around ``centres`` (N, 2) from clips (N, T, H, W, 3), resized to the glimpse's size."""
        frames = clips.shape[1]
        grid = self._grid(centres, clips.shape[2], clips.shape[3]).repeat_interleave(frames, 0)
        images = clips.flatten(0, 1).permute(0, 3, 1, 2)
        crops = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
        return crops.permute(0, 2, 3, 1).reshape(clips.shape[0], frames, self.glimpse, self.glimpse, 3)

    def _grid(self, centres: Tensor, height: int, width: int) -> Tensor:
        """Return the position in the frame of each pixel of a glimpse, (N, glimpse, glimpse, 2), in [-1, 1]."""
        steps = (torch.arange(self.glimpse, device=centres.device) + 0.5) / self.glimpse * 2 - 1
        x = centres[:, 0, None] + steps * min(1.0, self.share * height / width)
        y = centres[:, 1, None] + steps * self.share
        columns = x[:, None, :].expand(-1, self.glimpse, -1)
        return torch.stack([columns, y[:, :, None].expand(-1, -1, self.glimpse)], -1)

    def uncrop(self, maps: Tensor, pixels: Tensor) -> Tensor:
        """Place maps over the crops (T - 1, h, w) back at their position in a clip (T, H, W, 3): (T, H, W)."""
        frames, height, width = pixels.shape[:3]
        maps = torch.cat([maps[:1], maps])  # the first frame has no difference of its own
        (x, y) = self.motion_centres(pixels[None].float())[0].tolist()
        relative_width = min(1.0, self.share * height / width)
        rows = ((torch.arange(height, device=maps.device) + 0.5) / height * 2 - 1 - y) / self.share
        columns = ((torch.arange(width, device=maps.device) + 0.5) / width * 2 - 1 - x) / relative_width
        grid = torch.stack([columns[None, :].expand(height, -1), rows[:, None].expand(-1, width)], -1)
        grid = grid[None].expand(frames, -1, -1, -1)
        return functional.grid_sample(maps[:, None], grid, "bilinear", "zeros", align_corners=False)[:, 0]
