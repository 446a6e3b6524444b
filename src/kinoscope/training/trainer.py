"""Generic training loop: epochs, logging, previews, checkpoints.

A ``Trainer`` implements the steps of an epoch and the evaluation; the rest is the same for all tasks but
classification. All randomness depends on the seed and the epoch, and a checkpoint is written at the end of each epoch,
so that a resumed run continues exactly as if it had not been interrupted.
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

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.core.media import Pixels
from kinoscope.models.formats.trained_model import METADATA_FILE, WEIGHTS_FILE
from kinoscope.training.checkpoint import LAST_CHECKPOINT, read_checkpoint, save_checkpoint
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Log, Row
from kinoscope.training.options import rename_saved, save_options
from kinoscope.views.video.contact_sheet import save_image

PREVIEW = "preview.png"
"""Preview of the last epoch, as an image."""

PREVIEW_GIF = "preview.gif"
"""Animated preview of the last epoch, for tasks whose preview moves."""


class TrainerOptions(Protocol):
    """Options that every trainer has."""

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        ...

    @property
    def steps(self) -> int:
        """Number of optimizer steps in an epoch."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        ...


class Trainer(Protocol):
    """The part of a training that differs between tasks.

    Attributes:
        processes: the processes that share the work; the first of them writes files.
        epoch: number of finished epochs.
    """

    processes: Processes
    epoch: int

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    @property
    def changeable_options(self) -> Sequence[str]:
        """Names of the options that may change when a run is resumed."""
        ...

    @property
    def options(self) -> TrainerOptions:
        """Options of the training."""
        ...

    @property
    def examples(self) -> tuple[int, int]:
        """Numbers of training and validation examples."""
        ...

    @property
    def parameters(self) -> int:
        """Number of parameters of the saved model."""
        ...

    def dry_run_step(self) -> Row:
        """Take one step with every loss enabled, and return its metrics."""
        ...

    def train_epoch(self, on_epoch: Callable[[int], None] | None = None) -> Row:
        """Take the steps of an epoch; return the means of the metrics. ``on_step`` receives the number of finished
        steps.
        """
        ...

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels | None]:
        """Evaluate the averaged weights and write the model; return the metrics and a preview image."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of the training: all tensors that change."""
        ...

    def metadata(self) -> dict[str, Any]:
        """Return the rest of the state, as plain values for JSON."""
        ...

    def restore(self, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
        """Restore state from a checkpoint; RuntimeError, ValueError or KeyError if it is of another network."""
        ...

    def diagnose(self, row: Row) -> str | None:
        """Return a one-line diagnosis and fix, or None."""
        ...


@dataclass(kw_only=True)
class TrainingRun:
    """The result of a training.

    Attributes:
        task: name of the task.
        folder: of the run; None for a dry run.
        rows: metrics of each epoch.
        examples: numbers of training and validation examples.
        parameters: of the saved model.
        unreadable: clip -> why it could not be used.
        advice: one-line diagnosis and fix; None if nothing is wrong.
        written: the files.
    """

    task: str
    folder: Path | None
    options: TrainerOptions
    rows: list[Row] = field(default_factory=list)
    examples: tuple[int, int] = (0, 0)
    parameters: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    advice: str | None = None
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "dry_run": self.folder is None,
            "examples": {"train": self.examples[0], "val": self.examples[1]},
            "parameters": self.parameters,
            "epochs": len(self.rows),
            "log": self.rows,
            "unreadable": self.unreadable,
            "advice": self.advice,
            "options": self.options.to_dict(),
            "written": [str(path) for path in self.written],
        }


def fit(
    trainer: Trainer,
    out: Path,
    *,
    data: str = "",
    resume: bool = False,
    dry_run: bool = False,
    progress: ProgressCallback | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> TrainingRun:
    """Train, and write the model, the log and the checkpoints to ``out``.

    Args:
        data: name of the clips.
        resume: continue the run in ``out``.
        dry_run: take one step and write nothing.
        progress: called after each step.
        on_epoch: called with the metrics of each epoch.

    Raises:
        ModelError: the checkpoint cannot be used.
        OptionError: the options are not those of the run.
        OutputError: something cannot be written; what was saved before is still there.
        TrainingError: a loss is no longer finite; what was saved before is still there.
    """
    run = TrainingRun(
        task=trainer.task, folder=out, options=trainer.options, examples=trainer.examples,
        parameters=trainer.parameters,
    )  # fmt: skip
    if dry_run:
        with _explain_memory_errors():
            run.folder, run.rows = None, [trainer.dry_run_step()]
        return run
    if resume:
        load_checkpoint(out / LAST_CHECKPOINT, trainer)
    try:
        with _explain_memory_errors():
            _train_epochs(run, trainer, out, data, progress, on_epoch)
    except KeyboardInterrupt:
        saved = f"epoch {trainer.epoch} is saved" if trainer.epoch else "no epoch was finished"
        raise KeyboardInterrupt(f"interrupted: {saved}; resume with --resume-from {out}") from None
    names = ("options.json", "log.jsonl", METADATA_FILE, WEIGHTS_FILE, PREVIEW, PREVIEW_GIF)
    run.written = [out / name for name in names if (out / name).exists()]
    return run


@contextmanager
def _explain_memory_errors() -> Iterator[None]:
    """Raise a one-line error that names the options to lower when memory runs out.

    Raises:
        TrainingError: memory has run out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own error of a GPU is a RuntimeError, as that of a CPU
        text = str(error)
        if not isinstance(error, MemoryError) and "out of memory" not in text and "allocate memory" not in text:
            raise
        raise TrainingError(
            "out of memory; give a smaller batch, then a smaller width or size; the previous epochs are saved"
        ) from None


def _train_epochs(
    run: TrainingRun,
    trainer: Trainer,
    out: Path,
    data: str,
    progress: ProgressCallback | None,
    on_epoch: Callable[[Row], None] | None,
) -> None:
    """Train until the last epoch, and save after each."""
    options, is_main = trainer.options, trainer.processes.is_main
    if trainer.epoch == 0 and is_main:
        save_options(out / "options.json", options, {"task": trainer.task, "data": data})
    log = Log(out, trainer.epoch) if is_main else None
    total = float(options.epochs * options.steps)
    try:
        while trainer.epoch < options.epochs:
            start = time.perf_counter()
            row = trainer.train_epoch((lambda step: progress(step, total)) if progress else None)
            trainer.epoch += 1
            if log:
                _save_epoch(run, trainer, out, log, row, start)
                if on_epoch:
                    on_epoch(run.rows[-1])
    finally:
        if log:
            log.close()


def _save_epoch(run: TrainingRun, trainer: Trainer, out: Path, log: Log, row: Row, start: float) -> None:
    """Save the results of an epoch; the checkpoint last, as it stands for all of them."""
    metrics, preview = trainer.evaluate_and_save(out, row)
    row = {"epoch": trainer.epoch} | row | metrics | {"seconds": round(time.perf_counter() - start, 3)}
    if preview is not None:
        save_image(out / PREVIEW, preview)
        log.add_image("preview", preview, trainer.epoch)
    log.write(row)
    metadata = {"task": trainer.task, "options": trainer.options.to_dict(), "epoch": trainer.epoch} | trainer.metadata()
    save_checkpoint(out / LAST_CHECKPOINT, trainer.tensors(), metadata)
    run.rows, run.advice = log.rows, trainer.diagnose(row)


def load_checkpoint(path: Path, trainer: Trainer) -> None:
    """Restore a trainer from a checkpoint.

    Raises:
        ModelError: the checkpoint is damaged, or of another task or network.
        OptionError: the options are not those of the run.
    """
    tensors, metadata = read_checkpoint(path)
    if metadata["task"] != trainer.task:
        raise ModelError(f"{path} is of task {metadata['task']}, not {trainer.task}; resume it with that task")
    current: Mapping[str, Any] = json.loads(json.dumps(trainer.options.to_dict()))
    for name, value in rename_saved(trainer.task, metadata["options"]).items():
        if name not in trainer.changeable_options and current.get(name) != value:
            raise OptionError(
                f"the run has {name}={value}, not {current.get(name)}; leave {name} out, or start a new run"
            )
    try:
        trainer.restore(tensors, metadata)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} is of another network ({reason}); restart the training") from None
    trainer.epoch = metadata["epoch"]


def start_epoch(seed: int, *key: int) -> np.random.Generator:
    """Initialize torch from a seed and a key (epoch, rank), and return a NumPy generator of the same."""
    torch.manual_seed(int(np.random.SeedSequence([seed, *key]).generate_state(1)[0]))
    return np.random.default_rng([seed, *key])
