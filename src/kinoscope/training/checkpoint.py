"""What a run needs to go on as if it had never been interrupted: one safetensors file, with JSON in its header.

One file, so that tensors and facts are of one moment whenever the machine stops; it is replaced only when it is whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinoscope.core.errors import ModelError
from kinoscope.core.untrusted import parse_json
from kinoscope.models.formats.trained_model import write_tensors

SCHEMA = 1
PLACE = Path("checkpoints") / "last.safetensors"
"""Of the last checkpoint, in the folder of a run."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts, whole or not at all.

    Raises:
        OutputError: they cannot be written; the checkpoint before is as it was.
    """
    header = {"kinoscope": json.dumps({"schema": SCHEMA} | dict(facts), allow_nan=False)}
    write_tensors(path, tensors, header)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save_checkpoint`` wrote.

    Raises:
        ModelError: there is no checkpoint, or it is damaged, or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path} is missing, so there is nothing to resume; start the training anew")
    try:
        with safe_open(path, "pt") as stream:
            facts = parse_json((stream.metadata() or {})["kinoscope"], allow_nan=True)
            schema = int(facts.pop("schema"))
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118, it is no mapping
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path} is no checkpoint, or damaged ({first}); start the training anew") from None
    if schema > SCHEMA:
        raise ModelError(f"{path} has schema {schema}, and this version reads up to {SCHEMA}; update kinoscope")
    return tensors, facts


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Give the tensors of an optimizer's state as ``<number of the parameter>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put such tensors back, each in the memory order of its parameter: fused optimizers go by place, not by axes."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        own = parameters[int(number)]
        ordered = torch.empty_like(own).copy_(value) if value.shape == own.shape else value
        state.setdefault(int(number), {})[name] = ordered
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def joined(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Give the tensors of several parts as one, each named ``<part>.<name>``; ``within`` takes them apart."""
    return {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}


def within(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Give the tensors whose names begin with ``prefix.``, without it."""
    return {name.removeprefix(f"{prefix}."): one for name, one in tensors.items() if name.startswith(f"{prefix}.")}
