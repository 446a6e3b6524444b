"""Training of a classifier of clips; ``train_epoch`` is one epoch: forward, loss, backward, step."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError, TrainingError
from kinoscope.core.files import atomic_write
from kinoscope.models.formats.trained_model import load_net, save_trained_model
from kinoscope.results.train import TrainingRun
from kinoscope.training.checkpoint import Part
from kinoscope.training.classification.build import (
    build,
    describe_model,
    embedding_length,
    own_files,
    resolve,
    to_channels_last,
)
from kinoscope.training.classification.details import ClassificationDetails
from kinoscope.training.classification.losses import make_loss
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.validation import is_better, measure, model_metadata, validate
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.loader import Batch, Loader
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.data.splits import Splits, folds, read_splits, save_splits, split
from kinoscope.training.distributed import Processes
from kinoscope.training.evaluation.evaluate import evaluate
from kinoscope.training.evaluation.plots import draw
from kinoscope.training.evaluation.predictions import clip_name
from kinoscope.training.logging import Row
from kinoscope.training.optim import (
    ExponentialMovingAverage,
    freeze,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
    set_training,
)
from kinoscope.training.trainer import StepCallback, Trainer, TrainingSetup

SPLITS_FILE = "splits.json"
"""File of the training and validation clips of a run, in its folder."""


class ClassificationTrainer(Trainer):
    """The training of a classifier.

    Args:
        options: open ones are resolved to fit the network and the data.
        dataset: the labelled clips.
        processes: the processes that share the work.
        resume: folder of the run that is resumed, which must have been started with the same options.
        splits: the training and validation clips; by default as the data says, or sampled.

    Attributes:
        net, loss, optimizer, average: what has tensors; the average is None where there is none.
        frozen: modules that stay in evaluation mode.
        best: the best epoch so far; 0 before the first.
        score: of that epoch, for comparison; higher is better.

    Raises:
        OptionError: the options do not fit.
        DatasetError: the data cannot be used, or not be read.
        ModelError: weights cannot be used.
    """

    task = "classify"
    evaluates_in_every_process = True
    options: ClassificationOptions
    details: ClassificationDetails

    def __init__(
        self,
        options: ClassificationOptions,
        dataset: Dataset,
        processes: Processes | None = None,
        *,
        resume: Path | None = None,
        splits: Splits | None = None,
    ) -> None:
        super().__init__(resolve(options, dataset), processes)
        self.dataset = dataset
        splits = splits or _divide(self.options, dataset, resume)
        self.validation = splits["val"]
        self._build_parts(from_checkpoint=resume is not None)
        self.loader = self._training_loader(splits["train"])
        self.best, self.score = 0, (-math.inf, -math.inf)
        self.examples = (len(splits["train"]), len(splits["val"]))
        self.details = ClassificationDetails(clips=self.examples, parameters=_count(self.net), steps=len(self.loader))

    @classmethod
    def build(cls, options: ClassificationOptions, setup: TrainingSetup) -> Self:
        """Read the labelled clips, and return the trainer."""
        return cls(options, read_dataset(setup.data, options.group), setup.processes, resume=setup.resume)

    def _build_parts(self, from_checkpoint: bool) -> None:
        """Build what is trained; initial weights are not needed if a checkpoint is restored."""
        options, dataset, device = self.options, self.dataset, self.processes.device
        net = build(replace(options, start="none") if from_checkpoint else options, dataset.classes)
        self.net = to_channels_last(net).to(device)
        length = embedding_length(self.net, options)
        self.loss = make_loss(options, dataset.multilabel, length, len(dataset.classes)).to(device)
        self.frozen = freeze(self.net, options.unfreeze or 0.0, bool(options.freeze_norms))
        self.optimizer = make_optimizer(parameter_groups(self.net, self.loss, options), options)
        self.average = ExponentialMovingAverage(options.ema) if options.ema else None
        if self.average:
            self.average.start(self.net)

    def _training_loader(self, examples: list[Example]) -> Loader:
        options = self.options
        return Loader(
            examples,
            self.dataset.classes,
            options.sampling(describe_model(options, self.dataset).sampling),
            augment=options.augmentation,
            batch=options.batch,
            seed=options.seed,
            balance=options.balance,
            rank=self.processes.rank,
            world=self.processes.world,
            workers=options.workers,
        )

    @property
    def total_steps(self) -> int:
        """Number of optimizer steps of all epochs."""
        return len(self.loader) * self.options.epochs

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is done, or the epochs without a better score have reached the patience."""
        is_stale = bool(self.options.patience) and self.epoch - self.best >= self.options.patience
        return self.epoch >= self.options.epochs or is_stale

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        parts: dict[str, Part] = {"net": self.net, "loss": self.loss, "optimizer": self.optimizer}
        return parts | ({"average": self.average} if self.average else {})

    def state_values(self) -> dict[str, Any]:
        """Return the classes, and the best epoch so far."""
        score = [value if math.isfinite(value) else None for value in self.score]
        return {"classes": self.dataset.classes, "best": self.best, "score": score}

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore the best epoch so far.

        Raises:
            ModelError: the run has other classes.
        """
        if tuple(values["classes"]) != self.dataset.classes:
            theirs, ours = ", ".join(values["classes"]), ", ".join(self.dataset.classes)
            raise ModelError(f"the run has the classes {theirs}, and the data {ours}; give the data of the run")
        self.best = values["best"]
        if self.best:
            first, second = values["score"]
            self.score = (math.inf if first is None else first, second)

    def begin(self, folder: Path) -> None:
        """Write the splits, and copy the files that the network is built from."""
        save_splits(folder / SPLITS_FILE, self._splits(), self.dataset)
        for path in own_files(self.options):
            with atomic_write(folder / path.name) as temporary:
                shutil.copyfile(path, temporary)

    def _splits(self) -> Splits:
        known = {id(one) for one in (*self.loader.examples, *self.validation)}
        test = [one for one in self.dataset.examples if id(one) not in known]
        return {"train": list(self.loader.examples), "val": self.validation, "test": test}

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Train on all clips once; return the mean loss and the learning rate.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        options, processes, net = self.options, self.processes, self.net
        start, waited, epoch = time.perf_counter(), self.loader.waited, self.epoch + 1
        learned = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        autocast = torch.autocast(processes.device.type, torch.bfloat16, enabled=_in_bf16(options, processes))
        total, rate = 0.0, 0.0
        torch.manual_seed(_seed(options.seed, epoch, processes.rank))
        set_training(net, self.frozen)

        for batch in self.loader.epoch(epoch):
            self.optimizer.zero_grad()
            loss = torch.zeros((), device=processes.device)
            for pixels, targets, share in _parts(batch, options.accumulate, processes.device):
                with autocast:
                    embeddings, logits = net(pixels)
                part = share * self.loss(*_all_rows(options, processes, embeddings.float(), logits.float(), targets))
                part.backward()
                loss += part.detach()

            gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
            processes.average([loss, *gradients])
            norm = nn.utils.clip_grad_norm_(learned, options.clip or math.inf)
            _demand_finite(loss, norm, batch, self)

            rate = set_learning_rate(self.optimizer, options, self.step, self.total_steps)
            self.optimizer.step()
            if self.average:
                self.average.update(net)
            self.step += 1
            total += float(loss)
            if on_step:
                on_step(self.step)
        self._record_speed(start, waited)
        return {"train_loss": total / len(self.loader), "lr": rate}

    def _record_speed(self, start: float, waited: float) -> None:
        seconds = time.perf_counter() - start
        self.details.speed = len(self.loader) * self.options.batch / seconds
        self.details.waiting = (self.loader.waited - waited) / seconds

    def dry_run_step(self) -> Row:
        """Take two steps and validate a few clips, so that errors appear before a long training."""
        examples = self.loader.examples[: self.options.batch]
        self.loader = self._training_loader(list(examples))
        self.validation = self.validation[: self.options.batch]
        self.train_epoch()
        self.epoch += 1
        return {"epoch": self.epoch + 1} | self.train_epoch() | measure(validate(self))

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, None]:
        """Validate the averaged weights; if they are the best so far, write them."""
        with self.average.applied_to(self.net) if self.average else nullcontext():
            predictions = validate(self)
            metrics = measure(predictions)
            if is_better(self, metrics) and self.processes.is_main:
                save_trained_model(folder, self.net, model_metadata(self, predictions, metrics))
        return metrics, None

    def finish(self, run: TrainingRun) -> None:
        """Score the saved weights, and plot curves, confusion and the worst clips."""
        if run.folder is None:
            return
        self.processes.broadcast(None)  # the others wait until the last weights are written
        net, trained = load_net(run.folder)
        predictions = validate(self, net.to(self.processes.device))
        if not self.processes.is_main:
            return
        details, self.details.best = self.details, self.best
        if predictions is not None and len(predictions.logits):
            scores = evaluate(predictions, self.options.seed, trained.temperature)
            root, views = self.dataset.root, self.options.views
            details.scores = replace(scores, model=run.folder.name, data=root, split="val", views=views)
            details.scores.save(run.folder / "scores.json")
        run.written = draw(run.folder, run.rows, details.scores, self.validation, self.loader.sampling)


def _parts(batch: Batch, count: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Yield the clips of a batch in parts, their targets, and their share of the batch."""
    for indices in np.array_split(np.arange(len(batch)), min(count, len(batch))):
        part = slice(indices[0], indices[-1] + 1)
        pixels, targets = torch.from_numpy(batch.pixels[part]), torch.from_numpy(batch.targets[part])
        yield pixels.to(device, non_blocking=True), targets.to(device), len(indices) / len(batch)


def _all_rows(options: ClassificationOptions, processes: Processes, *tensors: Tensor) -> list[Tensor]:
    """Return the inputs of the loss: for losses that compare clips, those of all processes."""
    return (
        [processes.gather_rows(one) for one in tensors] if options.loss in ("triplet", "contrastive") else list(tensors)
    )


def _in_bf16(options: ClassificationOptions, processes: Processes) -> bool:
    return processes.device.type == "cuda" if options.bf16 is None else options.bf16


def _seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def _demand_finite(loss: Tensor, norm: Tensor, batch: Batch, trainer: ClassificationTrainer) -> None:
    """Stop before a step that would corrupt the weights.

    Raises:
        TrainingError: loss or gradient is not finite.
    """
    if bool(torch.isfinite(loss) & torch.isfinite(norm)):
        return
    examples, step = trainer.loader.examples, trainer.step
    names = [
        name for part in trainer.processes.gather([clip_name(examples[i]) for i in batch.indices]) for name in part
    ]
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    steps, options = len(trainer.loader), trainer.options
    position = f"epoch {step // steps + 1} of {options.epochs}, step {step % steps + 1} of {steps}, clips {listed}"
    what = "gradient" if bool(torch.isfinite(loss)) else "loss"
    fixes = [f"lr={(options.lr or 1e-3) / 10:g}"]
    fixes += ["clip=1"] * (not options.clip) + ["bf16=false"] * _in_bf16(options, trainer.processes)
    raise TrainingError(
        f"the {what} is no longer finite in {position}; the previous epochs are saved; "
        f"check these clips, or restart with {' '.join(fixes)}"
    )


def _divide(options: ClassificationOptions, dataset: Dataset, resume: Path | None) -> Splits:
    if resume:
        return read_splits(resume / SPLITS_FILE, dataset)
    if options.folds:
        number, count = options.folds
        return folds(dataset, count, options.seed)[number - 1]
    return split(dataset, options.val, seed=options.seed)


def _count(net: nn.Module) -> tuple[int, int]:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in net.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, learned in sizes if learned)
