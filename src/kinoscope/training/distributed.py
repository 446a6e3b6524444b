"""Training by several processes, as ``torchrun`` starts them: each takes its part of every batch.

Gradients are averaged, so that a step is that of one process with the whole batch. (BatchNorm that is learned takes its
statistics from the process's own part.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from kinoscope.core.errors import OptionError
from kinoscope.core.launcher import current_launch

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Processes:
    """Which process of how many this is, and what it computes on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def writes(self) -> bool:
        """Whether this is the one that writes files and talks."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes into each tensor, in one exchange."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def rows(self, tensor: Tensor) -> Tensor:
        """Give the rows (N, ...) of all processes, for a loss that compares clips; gradients flow to the own ones."""
        if self.world == 1:
            return tensor
        rows: Tensor = _Rows.apply(tensor, self.rank, self.world)  # type: ignore[no-untyped-call]
        return rows

    def gather(self, item: Any) -> list[Any]:
        """Give what each process has, in the order of ranks."""
        if self.world == 1:
            return [item]
        items: list[Any] = [None] * self.world
        dist.all_gather_object(items, item)
        return items

    def share(self, item: Any) -> Any:
        """Give all processes what the first has."""
        return self.gather(item if self.writes else None)[0]


class _Rows(torch.autograd.Function):
    """Rows of all processes; backward gives a process the gradient of its own, times their number.

    Each process computes the loss of all rows, and the gradients are averaged later: without the factor, each would
    count for one part of the whole only.
    """

    @staticmethod
    def forward(context: Any, tensor: Tensor, rank: int, world: int) -> Tensor:
        """Exchange the rows."""
        context.place, context.world = slice(rank * len(tensor), (rank + 1) * len(tensor)), world
        parts = [torch.empty_like(tensor) for _ in range(world)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        """Give the gradient of the own rows."""
        return gradients[0][context.place] * context.world, None, None


@contextmanager
def joined(device: str = "auto") -> Iterator[Processes]:
    """Join the other processes, if ``torchrun`` has started some, while the block runs.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a GPU where there is one.

    Raises:
        OptionError: there is no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("device=cuda: no GPU is here that torch can use; set device=cpu or device=auto")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    launch = current_launch()
    world, rank = launch.world_size, launch.rank
    where = torch.device("cuda", launch.local_rank) if on_gpu else CPU
    if world == 1:
        yield Processes(device=where)
        return
    if on_gpu:
        torch.cuda.set_device(where)
    dist.init_process_group("nccl" if on_gpu else "gloo", rank=rank, world_size=world)
    try:
        yield Processes(rank, world, where)
    finally:
        dist.destroy_process_group()
