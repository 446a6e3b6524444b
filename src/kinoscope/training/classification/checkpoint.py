"""Checkpoints of the training of a classifier: all that changes, written at the end of each epoch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.training.checkpoint import (
    flatten_optimizer,
    join_parts,
    read_checkpoint,
    restore_optimizer,
    save_checkpoint,
    select_part,
)
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.state import TASK, TrainContext, TrainState
from kinoscope.training.data.dataset import Dataset
from kinoscope.training.options import rename_saved

CHANGEABLE_OPTIONS = ("device", "workers")
"""Options that may change when a run is resumed: they do not change the result."""


def save_state(path: Path, state: TrainState, context: TrainContext) -> None:
    """Write a checkpoint; the previous one is unchanged if it cannot be written.

    Raises:
        OutputError: it cannot be written.
    """
    parts = {
        "net": state.net.state_dict(),
        "loss": state.loss.state_dict(),
        "optimizer": flatten_optimizer(state.optimizer),
        "average": state.average.tensors if state.average else {},
    }
    metadata = {
        "task": TASK,
        "classes": context.dataset.classes,
        "options": context.options.to_dict(),
        "epoch": state.epoch,
        "step": state.step,
        "best": state.best,
        "score": [value if math.isfinite(value) else None for value in state.score],
        "averaged": state.average.steps if state.average else 0,
    }
    save_checkpoint(path, join_parts(parts), metadata)


def restore_state(path: Path, state: TrainState, options: ClassificationOptions, dataset: Dataset) -> None:
    """Restore state from a checkpoint.

    Raises:
        ModelError: the checkpoint is damaged, or of another task, other classes or other options.
        OptionError: the options are not those of the run.
    """
    tensors, metadata = read_checkpoint(path)
    _demand_same(path, metadata, options, dataset)
    try:
        state.net.load_state_dict(select_part(tensors, "net"))
        state.loss.load_state_dict(select_part(tensors, "loss"))
        restore_optimizer(state.optimizer, select_part(tensors, "optimizer"))
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} is of another network ({reason}); restart the training") from None
    if state.average:
        device = next(state.net.parameters()).device
        state.average.restore(select_part(tensors, "average"), metadata["averaged"], device)
    state.epoch, state.step, state.best = metadata["epoch"], metadata["step"], metadata["best"]
    if state.best:
        first, second = metadata["score"]
        state.score = (math.inf if first is None else first, second)


def _demand_same(path: Path, metadata: dict[str, Any], options: ClassificationOptions, dataset: Dataset) -> None:
    if metadata["task"] != TASK:
        raise ModelError(f"{path} is of task {metadata['task']}, not {TASK}; resume it with that task")
    if tuple(metadata["classes"]) != dataset.classes:
        theirs, ours = ", ".join(metadata["classes"]), ", ".join(dataset.classes)
        raise ModelError(f"{path} has the classes {theirs}, and the data {ours}; give the data of the run")
    current = json.loads(json.dumps(options.to_dict()))
    for name, value in rename_saved(TASK, metadata["options"]).items():
        if name not in CHANGEABLE_OPTIONS and current.get(name) != value:
            raise OptionError(
                f"the run has {name}={value}, not {current.get(name)}; leave {name} out, or start a new run"
            )
