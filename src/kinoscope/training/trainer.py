"""What surrounds the loop of a training of no classifier: epochs, measures, previews, checkpoints, the model.

A learner says how it learns for an epoch and what it has come to; the rest is the same for all. Everything random
depends on the seed and the epoch, and a checkpoint is written where an epoch ends; so a run that was interrupted goes
on exactly as if it had not been.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.core.media import Pixels
from kinoscope.core.progress import ProgressCallback
from kinoscope.models.formats.trained_model import METADATA_FILE, WEIGHTS_FILE
from kinoscope.training.checkpoint import PLACE, read_checkpoint, save_checkpoint
from kinoscope.training.classification.options import save_options
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Log, Row
from kinoscope.views.video.contact_sheet import save_image

PREVIEW = "preview.png"
"""What the last epoch came to, as a picture."""

MOVING = "preview.gif"
"""The same as it moves, where it does."""


class TrainerOptions(Protocol):
    """Options of such a training."""

    @property
    def epochs(self) -> int:
        """How many there are."""
        ...

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        ...


class Trainer(Protocol):
    """What is trained.

    Attributes:
        processes: who shares the work; the first of them writes.
        epoch: how many are done.
    """

    processes: Processes
    epoch: int

    @property
    def task(self) -> str:
        """Name of what is learned."""
        ...

    @property
    def free(self) -> Sequence[str]:
        """Names of options that may change when a run goes on."""
        ...

    @property
    def options(self) -> TrainerOptions:
        """How it is trained."""
        ...

    @property
    def examples(self) -> tuple[int, int]:
        """How many there are to learn from, and to measure on."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers there are in what is kept."""
        ...

    def try_out(self) -> Row:
        """Take one step with all that a step can have."""
        ...

    def learn(self, told: Callable[[int], None] | None = None) -> Row:
        """Go through the steps of an epoch; give the means of what was measured."""
        ...

    def look(self, folder: Path, row: Row) -> tuple[Row, Pixels | None]:
        """Measure with the averaged weights, write the model, and draw what it has come to."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Give all that changes."""
        ...

    def facts(self) -> dict[str, Any]:
        """Give what else changes, in plain form."""
        ...

    def fill(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be as such tensors and facts say; RuntimeError, ValueError or KeyError where they are of another network."""
        ...

    def advise(self, row: Row) -> str | None:
        """Say in one line what goes wrong, and its cure."""
        ...


@dataclass(kw_only=True)
class TrainingRun:
    """What a training came to.

    Attributes:
        task: what was learned.
        folder: where all of it lies; None of a dry run.
        rows: the measures of each epoch.
        examples: how many there are to learn from, and to measure on. parameters: of what is kept.
        broken: clips that could not be used, and why.
        advice: what goes wrong, and its cure; None where nothing does.
        written: the files.
    """

    task: str
    folder: Path | None
    options: TrainerOptions
    rows: list[Row] = field(default_factory=list)
    examples: tuple[int, int] = (0, 0)
    parameters: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    advice: str | None = None
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "dry_run": self.folder is None,
            "examples": {"train": self.examples[0], "val": self.examples[1]},
            "parameters": self.parameters,
            "epochs": len(self.rows),
            "log": self.rows,
            "broken": self.broken,
            "advice": self.advice,
            "options": self.options.to_dict(),
            "written": [str(path) for path in self.written],
        }


def fit(
    learner: Trainer,
    out: Path,
    *,
    data: str = "",
    resume: bool = False,
    dry_run: bool = False,
    progress: ProgressCallback | None = None,
    told: Callable[[Row], None] | None = None,
) -> TrainingRun:
    """Train, and keep what it comes to in ``out``.

    Args:
        data: name of the clips. resume: go on with the run in ``out``. dry_run: take one step and write nothing.
        progress: told of each step. told: told of the measures of each epoch.

    Raises:
        ModelError: the checkpoint cannot be used.
        OptionError: the options are not those of the run.
        OutputError: something cannot be written; what was kept before is still there.
        TrainingError: a loss is no longer a number; what was kept before is still there.
    """
    run = TrainingRun(
        task=learner.task, folder=out, options=learner.options, examples=learner.examples,
        parameters=learner.parameters,
    )  # fmt: skip
    if dry_run:
        with _enough_memory():
            run.folder, run.rows = None, [learner.try_out()]
        return run
    if resume:
        restore(out / PLACE, learner)
    try:
        with _enough_memory():
            _go(run, learner, out, data, progress, told)
    except KeyboardInterrupt:
        kept = f"what epoch {learner.epoch} gave is kept" if learner.epoch else "no epoch was done"
        raise KeyboardInterrupt(f"interrupted: {kept}; go on with --resume-from {out}") from None
    names = ("options.json", "log.jsonl", METADATA_FILE, WEIGHTS_FILE, PREVIEW, MOVING)
    run.written = [out / name for name in names if (out / name).exists()]
    return run


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Tell in one line which knobs to turn where memory runs out.

    Raises:
        TrainingError: it has.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own error of a GPU is a RuntimeError, as that of a CPU
        text = str(error)
        if not isinstance(error, MemoryError) and "out of memory" not in text and "allocate memory" not in text:
            raise
        raise TrainingError(
            "out of memory; give a smaller batch, then a smaller width or size; what the epochs before gave is kept"
        ) from None


def _go(
    run: TrainingRun,
    learner: Trainer,
    out: Path,
    data: str,
    progress: ProgressCallback | None,
    told: Callable[[Row], None] | None,
) -> None:
    """Go through the epochs."""
    options, writes = learner.options, learner.processes.writes
    if learner.epoch == 0 and writes:
        save_options(out / "options.json", options, {"task": learner.task, "data": data})
    log = Log(out, learner.epoch) if writes else None
    total = float(options.epochs * options.steps)
    try:
        while learner.epoch < options.epochs:
            began = time.perf_counter()
            row = learner.learn((lambda step: progress(step, total)) if progress else None)
            learner.epoch += 1
            if log:
                _keep(run, learner, out, log, row, began)
                if told:
                    told(run.rows[-1])
    finally:
        if log:
            log.close()


def _keep(run: TrainingRun, learner: Trainer, out: Path, log: Log, row: Row, began: float) -> None:
    """Write down what an epoch came to; the checkpoint last, so that it stands for all of it."""
    measures, shown = learner.look(out, row)
    row = {"epoch": learner.epoch} | row | measures | {"seconds": round(time.perf_counter() - began, 3)}
    if shown is not None:
        save_image(out / PREVIEW, shown)
        log.picture("preview", shown, learner.epoch)
    log.write(row)
    facts = {"task": learner.task, "options": learner.options.to_dict(), "epoch": learner.epoch} | learner.facts()
    save_checkpoint(out / PLACE, learner.tensors(), facts)
    run.rows, run.advice = log.rows, learner.advise(row)


def restore(path: Path, learner: Trainer) -> None:
    """Bring a learner to where a checkpoint was.

    Raises:
        ModelError: the checkpoint is damaged, or of another task or network.
        OptionError: the options are not those of the run.
    """
    tensors, facts = read_checkpoint(path)
    if facts["task"] != learner.task:
        raise ModelError(f"{path} is of task {facts['task']}, not {learner.task}; resume it with that task")
    now: Mapping[str, Any] = json.loads(json.dumps(learner.options.to_dict()))
    for name, value in facts["options"].items():
        if name not in learner.free and now.get(name) != value:
            raise OptionError(f"the run has {name}={value}, not {now.get(name)}; leave {name} out, or start a new run")
    try:
        learner.fill(tensors, facts)
    except (RuntimeError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise ModelError(f"{path} is of another network ({why}); start the training anew") from None
    learner.epoch = facts["epoch"]


def start_epoch(seed: int, *key: int) -> np.random.Generator:
    """Let all that is drawn from here on depend on a seed, an epoch and, as wanted, a process."""
    torch.manual_seed(int(np.random.SeedSequence([seed, *key]).generate_state(1)[0]))
    return np.random.default_rng([seed, *key])
