"""Reads tensors from files of weights. Nothing is unpickled that could run code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError


def read_torch(path: Path) -> list[Tensor]:
    """Give the tensors of a PyTorch state dict in their order."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return list(state.values())


def fill(net: nn.Module, tensors: Sequence[Tensor]) -> nn.Module:
    """Copy tensors into a network in the order in which it declares its own, each of the same shape.

    Raises:
        ModelError: the numbers or the shapes differ.
    """
    own = net.state_dict()
    if len(own) != len(tensors):
        raise ModelError(f"{type(net).__name__} has {len(own)} tensors, but its weights have {len(tensors)}")
    for (name, target), tensor in zip(own.items(), tensors, strict=True):
        if target.shape != tensor.shape:
            raise ModelError(f"{name} has shape {tuple(target.shape)}, but its weights have {tuple(tensor.shape)}")
        target.copy_(tensor)
    return net.eval()
