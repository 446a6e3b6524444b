"""Class activation maps: where the last feature maps of a CNN speak for a class.

Papers: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017
(arXiv 1610.02391); Chattopadhyay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks",
WACV 2018 (arXiv 1710.11063).

Both weigh the feature maps by gradients of the class's score and add them up. Over a 3-D CNN the weights are those of
the whole clip. Where a 2-D CNN looks at each picture and an RNN follows, each picture has weights of its own, since
what follows may want something else of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import ModelError
from kinoscope.explanation.target import Target


@dataclass(frozen=True)
class FeatureMaps:
    """Feature maps of one clip, and the gradient of the class's score there; both (C, T', H', W').

    ``apart`` tells whether they are those of single pictures, one by one.
    """

    values: Tensor
    gradient: Tensor
    apart: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes over which one weight holds."""
        return (2, 3) if self.apart else (1, 2, 3)


def grad_cam(target: Target, pixels: Tensor) -> Tensor:
    """Give the (T, H, W) map of a clip (T, H, W, 3): each feature map counts as much as its mean gradient.

    Raises:
        ModelError: the network has no feature maps.
    """
    maps = feature_maps(target, pixels)
    weights = maps.gradient.mean(maps.axes, keepdim=True)
    return _weighted_sum(maps.values, weights, pixels, target.net)


def grad_cam_plus_plus(target: Target, pixels: Tensor) -> Tensor:
    """Give the (T, H, W) map of a clip (T, H, W, 3): gradients count by place, and only those that speak for the class.

    The exponential of the score stands for the class, as in the paper, so that its second and third derivatives are
    powers of the first.

    Raises:
        ModelError: the network has no feature maps.
    """
    maps = feature_maps(target, pixels)
    square = maps.gradient.square()
    below = 2 * square + maps.values.sum(maps.axes, keepdim=True) * square * maps.gradient
    alpha = square / torch.where(below == 0, 1, below)
    weights = (alpha * maps.gradient.relu()).sum(maps.axes, keepdim=True)
    return _weighted_sum(maps.values, weights, pixels, target.net)


def _weighted_sum(values: Tensor, weights: Tensor, pixels: Tensor, net: nn.Module) -> Tensor:
    """Add up feature maps (C, T', H', W') by weight, keep what speaks for the class, and enlarge it to the clip.

    A network that looks at a part of the picture says by its method ``spread`` where that part lies.
    """
    heat = (weights * values).sum(0).relu()
    if callable(spread := getattr(net, "spread", None)):
        placed: Tensor = spread(heat, pixels)
        return placed
    shape = tuple(pixels.shape[:3])
    return functional.interpolate(heat[None, None], shape, mode="trilinear", align_corners=False)[0, 0]


def coverage(target: Target, pixels: Tensor) -> Tensor:
    """Give how much the network sees of each place of a clip (T, H, W, 3): (T, H, W), 1 everywhere as a rule.

    Of a network that looks at a part of the picture, heat lies in that part whatever the weights are.
    """
    if not callable(spread := getattr(target.net, "spread", None)):
        return torch.ones(pixels.shape[:3])
    values = feature_maps(target, pixels).values
    placed: Tensor = spread(torch.ones_like(values[0]), pixels)
    return placed


def feature_maps(target: Target, pixels: Tensor) -> FeatureMaps:
    """Run a clip (T, H, W, 3) through the network and back to its last feature maps.

    Raises:
        ModelError: the network has none.
    """
    # cuDNN can go back through an RNN in training only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False), captured_maps(target.net) as taps:
        score = target.score(pixels[None])
        if len(taps) != 1 or taps[0].ndim not in (4, 5):
            raise ModelError(_no_feature_maps(target.net))
        (gradient,) = torch.autograd.grad(score.sum(), taps)
    values, apart = taps[0].detach(), taps[0].ndim == 4
    if apart:
        return FeatureMaps(values.transpose(0, 1), gradient.transpose(0, 1), apart)
    return FeatureMaps(values[0], gradient[0], apart)


@contextmanager
def captured_maps(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what ``net.maps`` gives; the graph begins there, so that going back stops there."""
    maps = getattr(net, "maps", None)
    if not isinstance(maps, nn.Module):
        raise ModelError(_no_feature_maps(net))
    taps: list[Tensor] = []

    def tap(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        taps.append(output.detach().requires_grad_())
        return taps[-1].clone()  # what follows may write into it

    hook = maps.register_forward_hook(tap)
    try:
        yield taps
    finally:
        hook.remove()


def _no_feature_maps(net: nn.Module) -> str:
    kind = type(net).__name__
    return f"{kind} has no feature maps with height and width; use the method occlusion or integrated-gradients"


def attention_weights(target: Target, pixels: Tensor) -> Tensor | None:
    """Give the weights (T,) that the network itself gives to the moments of a clip (T, H, W, 3), or None."""
    module = getattr(target.net, "attention", None)
    if not isinstance(module, nn.Module):
        return None
    found: list[Tensor] = []
    hook = module.register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        with torch.no_grad():
            target.score(pixels[None])
    finally:
        hook.remove()
    fits = len(found) == 1 and isinstance(found[0], Tensor) and found[0].ndim == 2
    return found[0][0] if fits else None
