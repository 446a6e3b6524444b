"""Attributions by captum, which need no feature maps and so apply to any network.

Papers: Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017 (arXiv 1703.01365), for integrated
gradients; Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv 1311.2901), for
occlusion, here by boxes of space and time. Both compare the clip with a blurred, static baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinoscope.core.optional import require_extra
from kinoscope.explanation.perturbation import blurred_mean
from kinoscope.explanation.target import Target

INTEGRATION_STEPS = 16
"""Clips between the baseline and the clip itself over which gradients are integrated."""
BOXES_PER_AXIS = 4, 4, 4
"""Boxes that fit along T, H and W of the clip."""
STRIDES_PER_BOX = 2
"""Strides to the side of a box."""


def integrated_gradients(target: Target, pixels: Tensor) -> Tensor:
    """Return the map (T, H, W) of a clip (T, H, W, 3): each pixel's contribution to the score, against the baseline.

    Raises:
        MissingExtra: captum is not installed.
    """
    attr = require_extra("captum.attr", "explain")
    method = attr.IntegratedGradients(target.score)
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        attributions: Tensor = method.attribute(
            pixels[None],
            baselines=_baseline(target, pixels),
            n_steps=INTEGRATION_STEPS,
            internal_batch_size=target.batch,
        )
    return attributions[0].detach().sum(-1).relu()


def occlusion(target: Target, pixels: Tensor) -> Tensor:
    """Return the map (T, H, W) of a clip (T, H, W, 3): the drop of the score when a box there is the baseline.

    Raises:
        MissingExtra: captum is not installed.
    """
    attr = require_extra("captum.attr", "explain")
    box = tuple(max(1, -(-side // parts)) for side, parts in zip(pixels.shape[:3], BOXES_PER_AXIS, strict=True))
    strides = tuple(max(1, side // STRIDES_PER_BOX) for side in box)
    with torch.no_grad():
        drops: Tensor = attr.Occlusion(target.score).attribute(
            pixels[None],
            sliding_window_shapes=(*box, 3),
            strides=(*strides, 3),
            baselines=_baseline(target, pixels),
            perturbations_per_eval=target.batch,
        )
    return drops[0].mean(-1).relu()


def _baseline(target: Target, pixels: Tensor) -> Tensor:
    return target.tensor(blurred_mean(pixels.byte().cpu().numpy()))[None]
