"""Torch modules around a network that is exported: they bring its inputs and outputs into the form of the file."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class TupleOutput(nn.Module):
    """A network that returns a tuple of float32 tensors, whether it returned one tensor or several."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.eval().requires_grad_(False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs."""
        found = self.net(*inputs)
        return tuple(one.float() for one in ((found,) if isinstance(found, Tensor) else found))


class FramesLast(nn.Module):
    """A generator of clips (N, T, 3, H, W) around [-1, 1] that returns them as (N, T, H, W, 3) in [0, 1]."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, *latents: Tensor) -> Tensor:
        """Return clips (N, T, H, W, 3) in [0, 1]."""
        clips: Tensor = (self.generator(*latents).clamp(-1, 1) + 1) / 2
        return clips.movedim(2, 4)


class SideBySide(nn.Module):
    """Several networks as one, with an input and an output of each."""

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the first output of each network for its own input."""
        return tuple(net(one)[0] for net, one in zip(self.nets, inputs, strict=True))
