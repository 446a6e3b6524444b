"""Checkpoints of a training: all that changes, written where an epoch ends and read to go on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.training.checkpoint import (
    fill_optimizer,
    flatten_optimizer,
    joined,
    read_checkpoint,
    save_checkpoint,
    within,
)
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.state import TASK, TrainContext, TrainState
from kinoscope.training.data.dataset import Dataset

FREE = ("device", "workers")
"""Options that change nothing that is computed."""


def save_state(path: Path, state: TrainState, job: TrainContext) -> None:
    """Write a checkpoint; what was there before stays if it cannot be written.

    Raises:
        OutputError: it cannot be written.
    """
    parts = {
        "net": state.net.state_dict(),
        "loss": state.loss.state_dict(),
        "optimizer": flatten_optimizer(state.optimizer),
        "average": state.average.tensors if state.average else {},
    }
    facts = {
        "task": TASK,
        "classes": job.dataset.classes,
        "options": job.options.to_dict(),
        "epoch": state.epoch,
        "step": state.step,
        "best": state.best,
        "score": [value if math.isfinite(value) else None for value in state.score],
        "averaged": state.average.steps if state.average else 0,
    }
    save_checkpoint(path, joined(parts), facts)


def restore_state(path: Path, state: TrainState, options: ClassificationOptions, dataset: Dataset) -> None:
    """Bring a state to where a checkpoint was.

    Raises:
        ModelError: the checkpoint is damaged, or of another task, other classes or other options.
        OptionError: the options are not those of the run.
    """
    tensors, facts = read_checkpoint(path)
    _demand_same(path, facts, options, dataset)
    try:
        state.net.load_state_dict(within(tensors, "net"))
        state.loss.load_state_dict(within(tensors, "loss"))
        fill_optimizer(state.optimizer, within(tensors, "optimizer"))
    except (RuntimeError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{path} is of another network ({first}); start the training anew") from None
    if state.average:
        device = next(state.net.parameters()).device
        state.average.fill(within(tensors, "average"), facts["averaged"], device)
    state.epoch, state.step, state.best = facts["epoch"], facts["step"], facts["best"]
    if state.best:
        first, second = facts["score"]
        state.score = (math.inf if first is None else first, second)


def _demand_same(path: Path, facts: dict[str, Any], options: ClassificationOptions, dataset: Dataset) -> None:
    if facts["task"] != TASK:
        raise ModelError(f"{path} is of task {facts['task']}, not {TASK}; resume it with that task")
    if tuple(facts["classes"]) != dataset.classes:
        theirs, ours = ", ".join(facts["classes"]), ", ".join(dataset.classes)
        raise ModelError(f"{path} tells the classes {theirs}, and the data has {ours}; give the data it began with")
    now = json.loads(json.dumps(options.to_dict()))
    for name, value in facts["options"].items():
        if name not in FREE and now.get(name) != value:
            raise OptionError(f"the run has {name}={value}, not {now.get(name)}; leave {name} out, or start a new run")
