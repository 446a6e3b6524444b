"""Varying what a judge sees, real and made alike, so that it does not learn a few clips by heart.

All pictures of a clip are varied in the same way, and gradients flow through. Each kind of change happens to a share of
the clips; where that share stays well below all, the generator does not learn to make varied clips (Karras et al.,
"Training generative adversarial networks with limited data", NeurIPS 2020; Zhao et al., "Differentiable augmentation",
NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOST = 0.7
"""Largest share of clips to which a kind of change happens."""

CLIPS = 16_000
"""Clips in which adaptive varying could go from none to all."""

STRONG = 0.6
"""Share where it does not adapt."""


@dataclass
class AdaptiveAugment:
    """What is done to clips.

    Attributes:
        share: of the clips to which each kind of change happens. flip: whether mirroring is among them.
        target: share of pairs that the judge may tell right; above it clips are varied more. None does not adapt.
    """

    share: float = 0.0
    flip: bool = True
    target: float | None = 0.9

    def __call__(self, clips: Tensor) -> Tensor:
        """Vary clips (N, T, 3, H, W) around -1 to 1."""
        return clips if self.share == 0 else self._place(self._colour(clips))

    def adapt(self, right: float, clips: int) -> None:
        """Vary more or less, after ``clips`` of which the judge told a share right."""
        if self.target is not None:
            step = clips / CLIPS * (1 if right > self.target else -1)
            self.share = min(max(self.share + step, 0.0), MOST)

    def _colour(self, clips: Tensor) -> Tensor:
        """Change brightness by up to 0.3, and saturation and contrast by up to 0.8 and 0.4 of it."""
        clips = clips + 0.3 * self._draw(clips)
        grey = clips.mean(2, keepdim=True)
        clips = grey + (clips - grey) * (1 + 0.8 * self._draw(clips))
        middle = clips.mean((1, 2, 3, 4), keepdim=True)
        return middle + (clips - middle) * (1 + 0.4 * self._draw(clips))

    def _draw(self, clips: Tensor) -> Tensor:
        """Give a number of -1 to 1 for each clip, (N, 1, 1, 1, 1); 0 for all but the share."""
        drawn = torch.rand(2, len(clips), device=clips.device)
        return ((drawn[0] * 2 - 1) * (drawn[1] < self.share)).view(-1, 1, 1, 1, 1)

    def _place(self, clips: Tensor) -> Tensor:
        """Move clips by up to a quarter, zoom by up to a quarter, and mirror some."""
        across, down, zoom, flip = (self._draw(clips).flatten() for _ in range(4))
        matrix = torch.zeros(len(clips), 2, 3, device=clips.device)
        size = 2.0 ** (zoom / 3)
        matrix[:, 0, 0] = torch.where((flip > 0) & self.flip, -size, size)
        matrix[:, 1, 1] = size
        matrix[:, 0, 2], matrix[:, 1, 2] = across / 4, down / 4
        flat = clips.flatten(1, 2)
        grid = functional.affine_grid(matrix, list(flat.shape), align_corners=False)
        moved = functional.grid_sample(flat, grid.to(flat.dtype), padding_mode="reflection", align_corners=False)
        return moved.view_as(clips)


def make_augment(augment: str, target: float, flip: bool) -> AdaptiveAugment:
    """Give what an option asks for: ``adaptive``, ``strong`` or ``none``."""
    if augment == "adaptive":
        return AdaptiveAugment(0.0, flip, target)
    return AdaptiveAugment(STRONG if augment == "strong" else 0.0, flip, None)
