"""Readers of weight tensors. Nothing is unpickled that could run code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError
from kinoscope.core.untrusted import read_json
from kinoscope.models.formats.tfjs import read_weights

AXIS_ORDERS = {4: (3, 2, 0, 1), 2: (1, 0)}
"""Number of axes -> order of axes in PyTorch of what TensorFlow stores as (H, W, in, out) and (in, out)."""


def read_torch(path: Path) -> list[Tensor]:
    """Return the tensors of a PyTorch state dict in their order."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return list(state.values())


def read_safetensors(path: Path, names: Iterable[str]) -> list[Tensor]:
    """Return the tensors of these names in their order.

    Raises:
        ModelError: a name is missing, or the file is not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return [file.get_tensor(name) for name in names]
    except SafetensorError as error:
        raise ModelError(f"{path} cannot be read ({error}); remove it, and it will be downloaded again") from None


def read_tfjs(manifest: Path) -> list[Tensor]:
    """Return the tensors of a TensorFlow.js manifest in their order, kernels transposed to PyTorch's axis order."""
    arrays = read_weights(read_json(manifest), manifest.parent).values()
    return [torch.from_numpy(array.transpose(AXIS_ORDERS.get(array.ndim, range(array.ndim)))) for array in arrays]


def fill(net: nn.Module, tensors: Sequence[Tensor]) -> nn.Module:
    """Copy tensors into a network in the order of its state dict, each of the same shape.

    Raises:
        ModelError: the number of tensors or a shape differs.
    """
    state = net.state_dict()
    if len(state) != len(tensors):
        raise ModelError(f"{type(net).__name__} has {len(state)} tensors, but its weights have {len(tensors)}")
    for (name, target), tensor in zip(state.items(), tensors, strict=True):
        if target.shape != tensor.shape:
            raise ModelError(f"{name} has shape {tuple(target.shape)}, but its weights have {tuple(tensor.shape)}")
        target.copy_(tensor)
    return net.eval()
