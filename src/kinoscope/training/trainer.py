"""The training loop: epochs, logging, previews, checkpoints.

A ``Trainer`` implements the steps of an epoch and the evaluation; ``fit`` is the loop of all trainings. All randomness
depends on the seed and the epoch, or is restored, and a checkpoint is written at the end of each epoch, so that a
resumed run continues exactly as if it had not been interrupted.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.core.media import Pixels
from kinoscope.models.formats.trained_model import METADATA_FILE, WEIGHTS_FILE
from kinoscope.results.train import RunDetails, TrainingRun
from kinoscope.training.checkpoint import (
    LAST_CHECKPOINT,
    Part,
    flatten_parts,
    read_checkpoint,
    restore_parts,
    save_checkpoint,
)
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Log, Row
from kinoscope.training.optim import ExponentialMovingAverage
from kinoscope.training.options import OPTIONS_FILE, EpochOptions, StepOptions, TrainingOptions, save_options
from kinoscope.views.video.contact_sheet import save_image

PREVIEW = "preview.png"
"""Preview of the last epoch, as an image."""

PREVIEW_GIF = "preview.gif"
"""Animated preview of the last epoch, for tasks whose preview moves."""

RUN_FILES = (
    OPTIONS_FILE, "splits.json", "log.jsonl", METADATA_FILE, WEIGHTS_FILE, "scores.json", PREVIEW, PREVIEW_GIF,
)  # fmt: skip
"""Files of a run that its result lists."""

MAX_COUNT = 2**53
"""Highest number of epochs, steps or updates in a checkpoint."""

StepCallback = Callable[[int], None]
"""Called with the number of finished steps."""

ProgressBars = Callable[[str], AbstractContextManager[ProgressCallback | None]]
"""Shows a progress bar with a title while a block runs, and returns its callback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetup:
    """The arguments from which a trainer is built, beside its options.

    Attributes:
        data: name of the data.
        processes: the processes that share the work.
        bars: shows the progress of reading the data.
        resume: folder of the run that is resumed; None for a new one.
    """

    data: str
    processes: Processes
    bars: ProgressBars
    resume: Path | None = None


class Trainer(ABC):
    """The part of a training that differs between tasks.

    Args:
        options: of the training.
        processes: the processes that share the work; the first of them writes files.

    Attributes:
        task: name of the training.
        evaluates_in_every_process: whether ``evaluate_and_save`` is called in every process, rather than in the first.
        epoch, step: numbers of finished ones.
        examples: numbers of training and validation examples; 0 for endless.
        unreadable: clip -> why it could not be used.
        details: what the training reports beside the metrics of its epochs.
    """

    task: ClassVar[str]
    evaluates_in_every_process: ClassVar[bool] = False

    options: TrainingOptions
    epoch: int
    step: int

    def __init__(self, options: TrainingOptions, processes: Processes | None = None) -> None:
        self.options = options
        self.processes = processes or Processes()
        self.epoch = self.step = 0
        self.examples = (0, 0)
        self.unreadable: dict[str, str] = {}
        self.details: RunDetails | None = None

    @classmethod
    def build(cls, options: Any, setup: TrainingSetup) -> Self:
        """Read the data, and return the trainer.

        Raises:
            DatasetError: the data cannot be used.
        """
        raise NotImplementedError(f"{cls.__name__} is built from its own data")

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return self.options.epochs if isinstance(self.options, EpochOptions) else 1

    @property
    def total_steps(self) -> int:
        """Number of optimizer steps of all epochs."""
        return self.epochs * (self.options.steps if isinstance(self.options, StepOptions) else 1)

    @property
    def is_finished(self) -> bool:
        """Whether the training has ended."""
        return self.epoch >= self.epochs

    @property
    def parameters(self) -> int:
        """Number of parameters of the saved model."""
        nets = [part for part in self.parts().values() if isinstance(part, torch.nn.Module)]
        return sum(parameter.numel() for net in nets[:1] for parameter in net.parameters())

    @abstractmethod
    def parts(self) -> Mapping[str, Part]:
        """Return the networks, optimizers and averages whose tensors change, by name; the saved network first."""

    def state_values(self) -> dict[str, Any]:
        """Return the rest of the state beside the step, as plain values for JSON."""
        return {}

    def restore_values(self, values: Mapping[str, Any]) -> None:  # noqa: B027, a hook
        """Restore what ``state_values`` returned.

        Raises:
            KinoscopeError: it does not fit the data.
        """

    def begin(self, folder: Path) -> None:  # noqa: B027, a hook
        """Write files of a new run that are not written again."""

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Take the steps of an epoch; return the means of the metrics.

        Raises:
            TrainingError: a loss is no longer finite.
        """
        rows = []
        for batch in self.batches():
            rows.append(self.train_step(batch))
            self.step += 1
            if on_step:
                on_step(self.step)
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def batches(self) -> Iterator[Any]:
        """Yield the batches of the next epoch; ``seed``, ``epoch`` and ``step`` alone determine them."""
        raise NotImplementedError(f"{type(self).__name__} has neither batches nor train_epoch")

    def train_step(self, batch: Any) -> Row:
        """Take an optimizer step, and return its metrics."""
        raise NotImplementedError(f"{type(self).__name__} has neither train_step nor train_epoch")

    def dry_run_step(self) -> Row:
        """Take one step with every loss enabled, and return its metrics."""
        return self.train_step(next(iter(self.batches())))

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels | None]:
        """Evaluate the weights after an epoch and write the model; return the metrics and a preview image."""
        return {}, None

    def finish(self, run: TrainingRun) -> None:  # noqa: B027, a hook
        """Complete the result of a finished training, in every process, and write what belongs to it."""

    def diagnose(self, row: Row) -> str | None:
        """Return a one-line diagnosis and fix, or None."""
        return None

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of the training: all tensors that change."""
        return flatten_parts(self.parts())

    def metadata(self) -> dict[str, Any]:
        """Return the rest of the state, as plain values for JSON."""
        averaged = max((average.steps for average in self._averages()), default=0)
        return {"step": self.step, "averaged": averaged} | self.state_values()

    def restore(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Restore state from a checkpoint; RuntimeError, ValueError or KeyError if it is of another network."""
        self.restore_values(metadata)
        restore_parts(self.parts(), tensors)
        self.step = metadata["step"]
        for average in self._averages():
            average.steps = metadata["averaged"]

    def _averages(self) -> list[ExponentialMovingAverage]:
        return [part for part in self.parts().values() if isinstance(part, ExponentialMovingAverage)]


def fit(
    trainer: Trainer,
    out: Path | None,
    *,
    data: str = "",
    resume: bool = False,
    dry_run: bool = False,
    progress: ProgressCallback | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> TrainingRun:
    """Train, and write the model, the log and the checkpoints to ``out``.

    Args:
        trainer: what is trained.
        out: folder of the run; None writes and evaluates nothing.
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
        source=data, task=trainer.task, folder=None if dry_run else out, options=trainer.options, dry_run=dry_run,
        examples=trainer.examples, parameters=trainer.parameters, unreadable=trainer.unreadable,
        details=trainer.details,
    )  # fmt: skip
    if dry_run:
        with _explain_memory_errors():
            run.rows = [trainer.dry_run_step()]
        return run
    if resume and out:
        load_checkpoint(out / LAST_CHECKPOINT, trainer)
    try:
        with _explain_memory_errors():
            _train_epochs(run, trainer, _Recorder(run, trainer, data), progress, on_epoch)
        trainer.finish(run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_describe_interrupt(trainer, out)) from None
    if out:
        run.written = [out / name for name in RUN_FILES if (out / name).exists()] + run.written
    return run


def _describe_interrupt(trainer: Trainer, out: Path | None) -> str:
    if out is None or not (out / OPTIONS_FILE).exists():
        return "interrupted: nothing is saved"
    saved = f"epoch {trainer.epoch} is saved" if trainer.epoch else "no epoch was finished"
    return f"interrupted: {saved}; resume with --resume-from {out}"


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
    recorder: _Recorder,
    progress: ProgressCallback | None,
    on_epoch: Callable[[Row], None] | None,
) -> None:
    """Train until the last epoch, and save after each."""
    total = float(trainer.total_steps)
    with recorder:
        while not trainer.is_finished:
            start = time.perf_counter()
            row = trainer.train_epoch((lambda step: progress(step, total)) if progress else None)
            trainer.epoch += 1
            row = {"epoch": trainer.epoch} | row | recorder.evaluate(row)
            recorder.save(row | {"seconds": round(time.perf_counter() - start, 3)})
            if on_epoch and trainer.processes.is_main:
                on_epoch(run.rows[-1])


@dataclass
class _Recorder:
    """Record of a run: its options at the beginning, and model, log and checkpoint after each epoch.

    Only the first process writes, and none if the run has no folder; the rows are then collected in memory.
    """

    run: TrainingRun
    trainer: Trainer
    data: str
    log: Log | None = None
    preview: Pixels | None = None

    @property
    def folder(self) -> Path | None:
        """The folder to write to; None if this process writes nothing."""
        return self.run.folder if self.trainer.processes.is_main else None

    def __enter__(self) -> None:
        trainer, folder = self.trainer, self.folder
        if folder is None:
            return
        if trainer.epoch == 0:
            trainer.begin(folder)
            self._save_checkpoint(folder)
            # Last, as a folder with options is that of a run that can be resumed.
            save_options(folder / OPTIONS_FILE, trainer.options, {"task": trainer.task, "data": self.data})
        self.log = Log(folder, trainer.epoch)
        self.run.rows = self.log.rows

    def __exit__(self, *exception: object) -> None:
        if self.log:
            self.log.close()

    def evaluate(self, row: Row) -> Row:
        """Evaluate an epoch, where this process has to; return the metrics."""
        out = self.run.folder if self.trainer.evaluates_in_every_process else self.folder
        if out is None:
            return {}
        metrics, self.preview = self.trainer.evaluate_and_save(out, row)
        return metrics

    def save(self, row: Row) -> None:
        """Save the results of an epoch; the checkpoint last, as it stands for all of them."""
        folder = self.folder
        if folder is None or self.log is None:
            self.run.rows.append(row)
            return
        if self.preview is not None:
            save_image(folder / PREVIEW, self.preview)
            self.log.add_image("preview", self.preview, row["epoch"])
        self.log.write(row)
        self._save_checkpoint(folder)
        self.run.advice = self.trainer.diagnose(row)

    def _save_checkpoint(self, folder: Path) -> None:
        trainer = self.trainer
        metadata = {"task": trainer.task, "options": trainer.options.to_dict(), "epoch": trainer.epoch}
        save_checkpoint(folder / LAST_CHECKPOINT, trainer.tensors(), metadata | trainer.metadata())


def load_checkpoint(path: Path, trainer: Trainer) -> None:
    """Restore a trainer from a checkpoint.

    Raises:
        ModelError: the checkpoint is damaged, or of another task or network.
        OptionError: the options are not those of the run.
    """
    tensors, metadata = read_checkpoint(path)
    _check_metadata(path, metadata)
    if metadata["task"] != trainer.task:
        raise ModelError(f"{path} is of task {metadata['task']}, not {trainer.task}; resume it with that task")
    current: Mapping[str, Any] = json.loads(json.dumps(trainer.options.to_dict()))
    for name, value in trainer.options.rename(metadata["options"]).items():
        if name not in trainer.options.changeable and current.get(name) != value:
            raise OptionError(
                f"the run has {name}={value}, not {current.get(name)}; leave {name} out, or start a new run"
            )
    try:
        trainer.restore(tensors, metadata)
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} is of another network, or damaged ({reason}); restart the training") from None
    trainer.epoch = metadata["epoch"]


def _check_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Check the metadata of a checkpoint that every training has.

    Raises:
        ModelError: it is none that ``fit`` wrote.
    """
    numbers = [metadata.get(name) for name in ("epoch", "step", "averaged")]
    are_counts = all(isinstance(number, int) and 0 <= number <= MAX_COUNT for number in numbers)
    if not are_counts or not isinstance(metadata.get("task"), str) or not isinstance(metadata.get("options"), dict):
        raise ModelError(f"{path} is no checkpoint, or damaged (its metadata is none of a run); restart the training")


def start_epoch(seed: int, *key: int) -> np.random.Generator:
    """Initialize torch from a seed and a key (epoch, rank), and return a NumPy generator of the same."""
    torch.manual_seed(int(np.random.SeedSequence([seed, *key]).generate_state(1)[0]))
    return np.random.default_rng([seed, *key])
