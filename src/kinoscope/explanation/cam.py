"""Class activation maps: the regions of the last feature maps of a CNN that contribute to a class.

Papers: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017
(arXiv 1610.02391); Chattopadhyay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks",
WACV 2018 (arXiv 1710.11063).

Both are sums of the feature maps, weighted by gradients of the class score. For a 3-D CNN there is one weight for each
channel over the whole clip. For a 2-D CNN followed by an RNN there is one for each channel and frame, since the RNN may
use a channel differently in each frame.
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
    """Feature maps of one clip, and the gradient of the class score with respect to them.

    Attributes:
        values, gradient: (C, T', H', W').
        per_frame: whether a 2-D CNN computed them frame by frame.
    """

    values: Tensor
    gradient: Tensor
    per_frame: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes that share a weight."""
        return (2, 3) if self.per_frame else (1, 2, 3)


def grad_cam(target: Target, pixels: Tensor) -> Tensor:
    """Return the Grad-CAM map (T, H, W) of a clip (T, H, W, 3): feature maps weighted by their mean gradient.

    Raises:
        ModelError: the network has no feature maps.
    """
    maps = feature_maps(target, pixels)
    weights = maps.gradient.mean(maps.axes, keepdim=True)
    return _weighted_sum(maps.values, weights, pixels, target.net)


def grad_cam_plus_plus(target: Target, pixels: Tensor) -> Tensor:
    """Return the Grad-CAM++ map (T, H, W) of a clip (T, H, W, 3): positive gradients, weighted by position.

    The class is represented by the exponential of the score, as in the paper, so that its second and third derivatives
    are powers of the first.

    Raises:
        ModelError: the network has no feature maps.
    """
    maps = feature_maps(target, pixels)
    square = maps.gradient.square()
    denominator = 2 * square + maps.values.sum(maps.axes, keepdim=True) * square * maps.gradient
    alpha = square / torch.where(denominator == 0, 1, denominator)
    weights = (alpha * maps.gradient.relu()).sum(maps.axes, keepdim=True)
    return _weighted_sum(maps.values, weights, pixels, target.net)


def _weighted_sum(values: Tensor, weights: Tensor, pixels: Tensor, net: nn.Module) -> Tensor:
    """Return the rectified weighted sum of feature maps (C, T', H', W'), resized to the clip: (T, H, W).

    A network whose CNN gets only a crop of the frames maps that crop back to the frames by its method ``uncrop``.
    """
    heatmap = (weights * values).sum(0).relu()
    if callable(uncrop := getattr(net, "uncrop", None)):
        uncropped: Tensor = uncrop(heatmap, pixels)
        return uncropped
    shape = tuple(pixels.shape[:3])
    return functional.interpolate(heatmap[None, None], shape, mode="trilinear", align_corners=False)[0, 0]


def coverage(target: Target, pixels: Tensor) -> Tensor:
    """Return the weight with which the network's CNN sees each pixel of a clip (T, H, W, 3): (T, H, W).

    It is 1 everywhere, except for a network whose CNN gets only a crop: the map of such a network is 0 outside the crop
    whatever the weights are.
    """
    if not callable(uncrop := getattr(target.net, "uncrop", None)):
        return torch.ones(pixels.shape[:3])
    values = feature_maps(target, pixels).values
    uncropped: Tensor = uncrop(torch.ones_like(values[0]), pixels)
    return uncropped


def feature_maps(target: Target, pixels: Tensor) -> FeatureMaps:
    """Return the last feature maps of a clip (T, H, W, 3), and their gradient.

    Raises:
        ModelError: the network has none.
    """
    # cuDNN supports the backward pass of an RNN in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False), captured_maps(target.net) as captured:
        score = target.score(pixels[None])
        if len(captured) != 1 or captured[0].ndim not in (4, 5):
            raise ModelError(_no_feature_maps(target.net))
        (gradient,) = torch.autograd.grad(score.sum(), captured)
    values, per_frame = captured[0].detach(), captured[0].ndim == 4
    if per_frame:
        return FeatureMaps(values.transpose(0, 1), gradient.transpose(0, 1), per_frame)
    return FeatureMaps(values[0], gradient[0], per_frame)


@contextmanager
def captured_maps(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the outputs of ``net.maps`` as leaves of the graph, so that the backward pass stops there."""
    maps = getattr(net, "maps", None)
    if not isinstance(maps, nn.Module):
        raise ModelError(_no_feature_maps(net))
    captured: list[Tensor] = []

    def capture(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        captured.append(output.detach().requires_grad_())
        return captured[-1].clone()  # the next layer may be in-place

    hook = maps.register_forward_hook(capture)
    try:
        yield captured
    finally:
        hook.remove()


def _no_feature_maps(net: nn.Module) -> str:
    return (
        f"{type(net).__name__} has no feature maps with height and width; "
        "use the method occlusion or integrated-gradients"
    )


def attention_weights(target: Target, pixels: Tensor) -> Tensor | None:
    """Return the network's attention weights (T,) of the frames of a clip (T, H, W, 3), or None if it has none."""
    module = getattr(target.net, "attention", None)
    if not isinstance(module, nn.Module):
        return None
    outputs: list[Tensor] = []
    hook = module.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    try:
        with torch.no_grad():
            target.score(pixels[None])
    finally:
        hook.remove()
    usable = len(outputs) == 1 and isinstance(outputs[0], Tensor) and outputs[0].ndim == 2
    return outputs[0][0] if usable else None
