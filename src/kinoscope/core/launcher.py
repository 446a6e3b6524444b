"""The rank of this process in distributed training, where a launcher such as ``torchrun`` started several."""

from __future__ import annotations

import os
from dataclasses import dataclass

REQUIRED_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR")
"""Environment variables that every launcher sets; one of them alone is set by something else."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The rank of a process among all processes, the number of processes, and its rank on its machine."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0


def current_launch() -> Launch:
    """Return the launch of this process as its launcher states it; a single process where there is no launcher."""
    if not all(os.environ.get(name) for name in REQUIRED_VARIABLES):
        return Launch()
    try:
        rank, world_size, local_rank = (int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except ValueError:
        return Launch()
    return Launch(rank, world_size, local_rank) if 0 <= rank < world_size else Launch()
