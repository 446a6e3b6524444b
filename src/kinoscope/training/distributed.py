"""Distributed data-parallel training, started by ``torchrun``: each process takes its share of every batch.

Gradients are averaged, so that a step equals that of one process with the whole batch. (A BatchNorm that is trained
takes its statistics from the process's own share.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from kinoscope.core.errors import OptionError, TrainingError
from kinoscope.core.launcher import current_launch

CPU = torch.device("cpu")


def require_equal_shares(batch: int, world: int) -> None:
    """Require that a batch can be divided into equal shares for several processes.

    Raises:
        OptionError: it cannot.
    """
    if batch < 1 or batch % world:
        raise OptionError(
            f"a batch of {batch} clips cannot be divided into {world} equal parts; give a multiple of {world}"
        )


@dataclass(frozen=True, slots=True)
class Processes:
    """The rank of this process, the number of processes, and the device that this one computes on."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, in one all-reduce."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def gather_rows(self, tensor: Tensor) -> Tensor:
        """Return the rows (N, ...) of all processes, for losses that compare clips; gradients flow to own rows."""
        if self.world == 1:
            return tensor
        rows: Tensor = _AllGather.apply(tensor, self.rank, self.world)  # type: ignore[no-untyped-call]
        return rows

    def gather(self, item: Any) -> list[Any]:
        """Return the items of all processes, in the order of their ranks."""
        if self.world == 1:
            return [item]
        items: list[Any] = [None] * self.world
        dist.all_gather_object(items, item)
        return items

    def broadcast(self, item: Any) -> Any:
        """Return the item of the first process, in every process."""
        return self.gather(item if self.is_main else None)[0]


class _AllGather(torch.autograd.Function):
    """All-gather of rows; backward returns to a process the gradient of its own rows, times the number of processes.

    Each process computes the loss of all rows, and the gradients are averaged later: without the factor, each would
    count for only one share of the whole.
    """

    @staticmethod
    def forward(context: Any, tensor: Tensor, rank: int, world: int) -> Tensor:
        """Gather the rows of all processes."""
        context.own_rows, context.world = slice(rank * len(tensor), (rank + 1) * len(tensor)), world
        parts = [torch.empty_like(tensor) for _ in range(world)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        """Return the gradient of the rows of this process."""
        return gradients[0][context.own_rows] * context.world, None, None


@contextmanager
def process_group(device: str = "auto") -> Iterator[Processes]:
    """Join the process group, if ``torchrun`` has started several processes, while the block runs.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a GPU if there is one.

    Raises:
        OptionError: there is no GPU.
        TrainingError: another process has ended, so that this one cannot go on.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("device=cuda: torch finds no GPU; set device=cpu or device=auto")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    launch = current_launch()
    world, rank = launch.world_size, launch.rank
    placement = torch.device("cuda", launch.local_rank) if on_gpu else CPU
    if world == 1:
        yield Processes(device=placement)
        return
    if on_gpu:
        torch.cuda.set_device(placement)
    dist.init_process_group("nccl" if on_gpu else "gloo", rank=rank, world_size=world)
    try:
        yield Processes(rank, world, placement)
    except RuntimeError as error:  # gloo raises no class of its own
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise TrainingError("another process of this training has ended; see its message, and start again") from None
    finally:
        dist.destroy_process_group()
