"""The node types of TensorFlow.js graphs, each as a short function on torch tensors.

A function takes the node's attributes and its inputs. Images are (N, H, W, C) as in TensorFlow. If all inputs are
constants (numpy arrays: shapes, axes, paddings), the arithmetic functions work on those as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.core.errors import ModelError

Value = Any
"""Value of a node: a Tensor, a numpy array (a constant), or a tuple of tensors (a split)."""

Attributes = Mapping[str, Any]


def _ints(value: Value) -> list[int]:
    return [int(i) for i in np.asarray(value).reshape(-1)]


def _to_tensor_like(x: Value, other: Value) -> Value:
    """Return ``x`` in a form that computes with ``other``: an array becomes a tensor beside a tensor."""
    return torch.from_numpy(np.asarray(x)) if isinstance(other, Tensor) and not isinstance(x, Tensor) else x


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Attributes, Value, Value], Value]:
    return lambda attr, a, b: function(_to_tensor_like(a, b), _to_tensor_like(b, a))


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Attributes, Tensor], Tensor]:
    return lambda attr, x: function(x)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _pad_same(x: Tensor, window: Sequence[int], attr: Attributes, fill: float = 0) -> Tensor:
    """Pad (N, C, H, W) as TensorFlow's SAME does, the odd pixel at the end; VALID pads nothing."""
    if attr["padding"] == "VALID":
        return x
    pads: list[int] = []
    for axis, stride in ((1, attr["strides"][2]), (0, attr["strides"][1])):
        size = int(x.shape[2 + axis])
        total = max((-(-size // stride) - 1) * stride + window[axis] - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads, value=fill)


def _convolve(attr: Attributes, x: Tensor, weight: Tensor, groups: int) -> Tensor:
    dilation = (attr.get("dilations") or [1, 1, 1, 1])[1:3]
    window = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True)]
    x = _pad_same(_channels_first(x), window, attr)
    return _channels_last(functional.conv2d(x, weight, None, attr["strides"][1:3], 0, dilation, groups))


def _conv(attr: Attributes, x: Tensor, weight: Tensor) -> Tensor:
    return _convolve(attr, x, weight.permute(3, 2, 0, 1).contiguous(), 1)


def _depthwise(attr: Attributes, x: Tensor, weight: Tensor) -> Tensor:
    height, width, channels, multiplier = weight.shape
    return _convolve(attr, x, weight.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width), channels)


def _max_pool(attr: Attributes, x: Tensor) -> Tensor:
    window = attr["ksize"][1:3]
    x = _pad_same(_channels_first(x), window, attr, -torch.inf)
    return _channels_last(functional.max_pool2d(x, window, attr["strides"][1:3]))


def _average_pool(attr: Attributes, x: Tensor) -> Tensor:
    """Average over the pixels of the image; those of the padding do not count."""
    window, stride = attr["ksize"][1:3], attr["strides"][1:3]
    x = _channels_first(x)
    sums = functional.avg_pool2d(_pad_same(x, window, attr), window, stride)
    return _channels_last(
        sums / functional.avg_pool2d(_pad_same(torch.ones_like(x[:1, :1]), window, attr), window, stride)
    )


def _pad(attr: Attributes, x: Tensor, pads: Value, fill: Value = 0.0) -> Tensor:
    flat = [int(i) for pair in np.asarray(pads)[::-1] for i in pair]
    return functional.pad(x, flat, value=float(fill))


def _reshape(attr: Attributes, x: Value, shape: Value) -> Value:
    sizes = _ints(shape)
    if isinstance(x, Tensor) and len(sizes) > 1 and sizes[0] == 1:
        return x.reshape(x.shape[0], *sizes[1:])
    return x.reshape(sizes)


def _bilinear(attr: Attributes, x: Tensor, size: Value) -> Tensor:
    corners = bool(attr.get("align_corners"))
    if not corners and not attr.get("half_pixel_centers"):
        raise ModelError("TensorFlow.js ResizeBilinear without half_pixel_centers or align_corners is not supported")
    x = functional.interpolate(
        _channels_first(x), **_resize_options(attr, size), mode="bilinear", align_corners=corners
    )
    return _channels_last(x)


def _nearest(attr: Attributes, x: Tensor, size: Value) -> Tensor:
    return _channels_last(functional.interpolate(_channels_first(x), **_resize_options(attr, size), mode="nearest"))


def _resize_options(attr: Attributes, size: Value) -> dict[str, Any]:
    """Return the size options of ``interpolate``: the scale factors if the graph has them, else the stored output
    size.
    """
    return {"scale_factor": attr["factors"]} if "factors" in attr else {"size": _ints(size)}


def _concat(attr: Attributes, *inputs: Value) -> Value:
    *parts, axis = inputs
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, int(axis))
    return torch.cat([_to_tensor_like(part, torch.empty(0)) for part in parts], int(axis))


def _sparse_to_dense(attr: Attributes, indices: Value, shape: Value, values: Value, default: Value) -> Value:
    dense = np.full(_ints(shape), default)
    dense[tuple(np.asarray(indices, np.int64).reshape(-1, dense.ndim).T)] = values
    return dense


def _mean(attr: Attributes, x: Tensor, axes: Value) -> Tensor:
    return x.mean(_ints(axes), keepdim=bool(attr.get("keep_dims")))


def _matmul(attr: Attributes, a: Tensor, b: Tensor) -> Tensor:
    return (a.T if attr.get("transpose_a") else a) @ (b.T if attr.get("transpose_b") else b)


def _bias(attr: Attributes, x: Tensor, bias: Tensor) -> Tensor:
    return x + bias


def _prelu(attr: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return functional.relu(x) - slope * functional.relu(-x)


def _fused(inner: Callable[[Attributes, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a convolution or product followed by a bias and an activation in one node."""

    def run(attr: Attributes, x: Tensor, weight: Tensor, bias: Tensor, *slope: Tensor) -> Tensor:
        x = inner(attr, x, weight) + bias
        for name in attr.get("fused_ops", [])[1:]:
            x = OPS[name]({"alpha": attr.get("leakyrelu_alpha", 0.2)}, x, *slope)
        return x

    return run


OPS: dict[str, Callable[..., Value]] = {
    "Add": _binary(lambda a, b: a + b),
    "AddV2": _binary(lambda a, b: a + b),
    "Sub": _binary(lambda a, b: a - b),
    "Mul": _binary(lambda a, b: a * b),
    "RealDiv": _binary(lambda a, b: a / b),
    "BiasAdd": _bias,
    "AvgPool": _average_pool,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Conv2D": _conv,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _matmul,
    "_FusedConv2D": _fused(_conv),
    "FusedDepthwiseConv2dNative": _fused(_depthwise),
    "_FusedMatMul": _fused(_matmul),
    "Relu": _unary(functional.relu),
    "Relu6": _unary(functional.relu6),
    "Elu": _unary(functional.elu),
    "LeakyRelu": lambda attr, x: functional.leaky_relu(x, attr.get("alpha", 0.2)),
    "Prelu": _prelu,
    "Sigmoid": _unary(torch.sigmoid),
    "Tanh": _unary(torch.tanh),
    "Softmax": lambda attr, x: x.softmax(-1),
    "ConcatV2": _concat,
    "SplitV": lambda attr, x, sizes, axis: x.split(_ints(sizes), int(axis)),
    "Identity": lambda attr, x: x,
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "Transpose": lambda attr, x, order: x.permute(_ints(order)),
    "Squeeze": lambda attr, x: x.squeeze(tuple(attr["squeeze_dims"])),
    "ResizeBilinear": _bilinear,
    "ResizeNearestNeighbor": _nearest,
    "SparseToDense": _sparse_to_dense,
}
"""Node type -> function; all that are supported."""
