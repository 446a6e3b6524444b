"""Which process of a training this is, where a launcher such as ``torchrun`` started several."""

from __future__ import annotations

import os
from dataclasses import dataclass

REQUIRED_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR")
"""Variables that every launcher sets; one of them alone is something else's."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Number of this process among all (``rank``) and among those of this machine (``local``); how many there are."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0


def current_launch() -> Launch:
    """Return what the launcher says of this process; the only one where there is no launcher."""
    if not all(os.environ.get(name) for name in REQUIRED_VARIABLES):
        return Launch()
    try:
        rank, world, local = (int(os.environ.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except ValueError:
        return Launch()
    return Launch(rank, world, local) if 0 <= rank < world else Launch()
