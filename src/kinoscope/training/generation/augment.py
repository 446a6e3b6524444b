"""Differentiable augmentation of the discriminator's inputs, real and generated alike, so that it does not overfit.

All frames of a clip are augmented alike, and gradients flow through. Each transform is applied with a probability;
while that stays well below 1, augmentations do not leak into the generated clips (Karras et al., "Training generative
adversarial networks with limited data", NeurIPS 2020; Zhao et al., "Differentiable augmentation", NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MAX_PROBABILITY = 0.7
"""Maximum probability of a transform."""

CLIPS_FOR_FULL_RANGE = 16_000
"""Clips within which the adaptive probability could go from 0 to 1."""

STRONG_PROBABILITY = 0.6
"""Fixed probability of ``augment=strong``."""


@dataclass
class AdaptiveAugment:
    """Augmentation of clips whose probability adapts to overfitting.

    Attributes:
        probability: of each transform, for each clip.
        flip: whether mirroring is among the transforms.
        target: discriminator accuracy above which the probability rises, and below which it falls. None keeps it fixed.
    """

    probability: float = 0.0
    flip: bool = True
    target: float | None = 0.9

    def __call__(self, clips: Tensor) -> Tensor:
        """Augment clips (N, T, 3, H, W) in about -1 to 1."""
        return clips if self.probability == 0 else self._warp(self._jitter_colour(clips))

    def adapt(self, accuracy: float, clips: int) -> None:
        """Adjust the probability, after ``clips`` clips, to the discriminator's accuracy."""
        if self.target is not None:
            step = clips / CLIPS_FOR_FULL_RANGE * (1 if accuracy > self.target else -1)
            self.probability = min(max(self.probability + step, 0.0), MAX_PROBABILITY)

    def _jitter_colour(self, clips: Tensor) -> Tensor:
        """Change brightness by up to 0.3, and saturation and contrast by up to 0.8 and 0.4 of their value."""
        clips = clips + 0.3 * self._sample(clips)
        grey = clips.mean(2, keepdim=True)
        clips = grey + (clips - grey) * (1 + 0.8 * self._sample(clips))
        middle = clips.mean((1, 2, 3, 4), keepdim=True)
        return middle + (clips - middle) * (1 + 0.4 * self._sample(clips))

    def _sample(self, clips: Tensor) -> Tensor:
        """Sample a number in -1 to 1 for each clip, (N, 1, 1, 1, 1); 0 for clips that are not transformed."""
        uniform = torch.rand(2, len(clips), device=clips.device)
        return ((uniform[0] * 2 - 1) * (uniform[1] < self.probability)).view(-1, 1, 1, 1, 1)

    def _warp(self, clips: Tensor) -> Tensor:
        """Translate clips by up to a quarter, zoom by up to a quarter, and mirror some."""
        across, down, zoom, flip = (self._sample(clips).flatten() for _ in range(4))
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
    """Return the augmentation that an option names: ``adaptive``, ``strong`` or ``none``."""
    if augment == "adaptive":
        return AdaptiveAugment(0.0, flip, target)
    return AdaptiveAugment(STRONG_PROBABILITY if augment == "strong" else 0.0, flip, None)
