"""Checkpoints of a training run: one safetensors file with JSON metadata in its header.

Tensors and metadata are in one file, so that they belong to the same moment whenever the machine stops; the file is
replaced atomically.
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
from kinoscope.training.optim import ExponentialMovingAverage

SCHEMA = 1
RENAMED_PARTS: Mapping[str, str] = {"judge": "discriminator", "judge_optimizer": "discriminator_optimizer"}
"""Part of a checkpoint of an earlier release -> its present name."""
RENAMED_KEYS: Mapping[str, str] = {
    "varied": "augment_probability",
    "turn": "discriminator_steps",
    "right": "disc_accuracy",
    "synced": "sync_losses",
}
"""Key in the metadata of a checkpoint of an earlier release -> its present name."""
LAST_CHECKPOINT = Path("checkpoints") / "last.safetensors"
"""Path of the last checkpoint, below the folder of a run."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and metadata atomically.

    Raises:
        OutputError: the file cannot be written; the previous checkpoint is unchanged.
    """
    header = {"kinoscope": json.dumps({"schema": SCHEMA} | dict(metadata), allow_nan=False)}
    write_tensors(path, tensors, header)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata that ``save_checkpoint`` wrote.

    Parts and keys that earlier releases named differently are returned under their present names.

    Raises:
        ModelError: there is no checkpoint, or it is damaged, or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path} is missing, so there is nothing to resume; restart the training")
    try:
        with safe_open(path, "pt") as stream:
            metadata = parse_json((stream.metadata() or {})["kinoscope"], allow_nan=True)
            schema = int(metadata.pop("schema"))
            names = list(stream.keys())
            tensors = {_present_name(name): stream.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path} is no checkpoint, or damaged ({first}); restart the training") from None
    if schema > SCHEMA:
        raise ModelError(f"{path} has schema {schema}, and this version reads up to {SCHEMA}; update kinoscope")
    return tensors, {RENAMED_KEYS.get(key, key): value for key, value in metadata.items()}


def _present_name(name: str) -> str:
    """Return the name of a tensor with the present name of its part."""
    part, dot, rest = name.partition(".")
    return f"{RENAMED_PARTS.get(part, part)}{dot}{rest}"


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the tensors of an optimizer's state, named ``<index of the parameter>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load the tensors of ``flatten_optimizer`` into an optimizer.

    Each tensor gets the memory layout of its parameter: fused optimizers go by memory order, not by axes.

    Raises:
        ValueError: they are those of other parameters.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        text, _, name = key.partition(".")
        index = int(text)
        if not 0 <= index < len(parameters) or (value.ndim and value.shape != parameters[index].shape):
            raise ValueError(f"the optimizer has no tensor {key} of shape {list(value.shape)}")
        ordered = torch.empty_like(parameters[index]).copy_(value) if value.ndim else value
        state.setdefault(index, {})[name] = ordered
    if len({frozenset(values) for values in state.values()}) > 1:
        raise ValueError("the state of the optimizer lacks tensors")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


Part = torch.nn.Module | torch.optim.Optimizer | ExponentialMovingAverage
"""Part of the state of a training."""


def flatten_parts(parts: Mapping[str, Part]) -> dict[str, Tensor]:
    """Return the tensors of several parts in one mapping, each named ``<part>.<name>``."""
    return {f"{part}.{name}": tensor for part, item in parts.items() for name, tensor in _flatten(item).items()}


def _flatten(part: Part) -> Mapping[str, Tensor]:
    if isinstance(part, ExponentialMovingAverage):
        return part.tensors
    return flatten_optimizer(part) if isinstance(part, torch.optim.Optimizer) else part.state_dict()


def restore_parts(parts: Mapping[str, Part], tensors: Mapping[str, Tensor]) -> None:
    """Load the tensors of ``flatten_parts`` into the parts.

    Raises:
        RuntimeError, ValueError, KeyError: they are of other parts.
    """
    for name, part in parts.items():
        own = select_part(tensors, name)
        if isinstance(part, ExponentialMovingAverage):
            part.restore(own)
        elif isinstance(part, torch.optim.Optimizer):
            restore_optimizer(part, own)
        else:
            part.load_state_dict(own)


def select_part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix.``, without the prefix."""
    return {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")
    }
