"""Training of a classifier of clips: the loop, from top to bottom.

``train`` prepares, goes through the epochs and keeps the best; ``learn`` is one epoch: forward, loss, backward, step.

Everything random depends on the seed, the epoch and the process, and a checkpoint is written where an epoch ends. So a
run that was interrupted goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.errors import TrainingError
from kinoscope.core.files import atomic_write
from kinoscope.core.progress import ProgressCallback
from kinoscope.models.formats.trained_model import load_net, save_trained_model
from kinoscope.training.checkpoint import (
    PLACE,
    read_checkpoint,
)
from kinoscope.training.classification.build import build, describe_model, length_of, order_channels, own_files, resolve
from kinoscope.training.classification.checkpoint import restore_state, save_state
from kinoscope.training.classification.losses import make_loss
from kinoscope.training.classification.options import ClassificationOptions, save_options
from kinoscope.training.classification.state import TASK, ClassificationRun, TrainContext, TrainState
from kinoscope.training.classification.validation import describe, is_better, is_stale, measure, validate
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.loader import Batch, Loader
from kinoscope.training.data.splits import Splits, folds, read_splits, save_splits, split
from kinoscope.training.distributed import Processes, joined
from kinoscope.training.evaluation.evaluate import evaluate
from kinoscope.training.evaluation.plots import draw
from kinoscope.training.evaluation.predictions import clip_name
from kinoscope.training.logging import Log, Row
from kinoscope.training.optim import (
    ExponentialMovingAverage,
    freeze,
    make_optimizer,
    parameter_groups,
    set_rate,
    set_training,
)


def train(
    options: ClassificationOptions,
    dataset: Dataset,
    out: Path,
    *,
    resume: bool = False,
    dry_run: bool = False,
    splits: Splits | None = None,
    progress: ProgressCallback | None = None,
    told: Callable[[Row], None] | None = None,
) -> ClassificationRun:
    """Train a network, keep the weights of the best epoch in ``out``, and draw how it went.

    Args:
        options: what is left open is chosen to fit the network and the data.
        dataset: the labelled clips.
        out: folder of the run.
        resume: go on with the run in ``out``, which must have been started with the same options.
        dry_run: take one step and one look at validation, and write nothing.
        splits: which clips are for training and validation; by default as the data says, or drawn.
        progress: told of each step. told: told of the measures of each epoch.

    Raises:
        OptionError: the options do not fit.
        DatasetError: the data does not do, or cannot be read.
        ModelError: weights or a checkpoint cannot be used.
        OutputError: something cannot be written; what was kept before is still there.
        TrainingError: the loss is no longer a number; what was kept before is still there.
    """
    options = resolve(options, dataset)
    with joined(options.device) as processes:
        out = Path(processes.share(str(out)))
        splits = splits or _divide(options, dataset, out, resume)
        job, state = prepare(options, dataset, splits, processes, resume)
        job.run.folder = out
        if dry_run:
            return _try_out(job, state, progress)
        if resume:
            restore_state(out / PLACE, state, options, dataset)
        try:
            _go_through_epochs(job, state, out, progress, told)
        except KeyboardInterrupt:
            kept = f"what epoch {state.epoch} gave is kept" if state.epoch else "no epoch was done"
            raise KeyboardInterrupt(f"interrupted: {kept}; go on with --resume-from {out}") from None
        return _finish(job, out)


def _go_through_epochs(
    job: TrainContext,
    state: TrainState,
    out: Path,
    progress: ProgressCallback | None,
    told: Callable[[Row], None] | None,
) -> None:
    writes, options = job.processes.writes, job.options
    log = _open(job, state, out) if writes else None
    try:
        while state.epoch < options.epochs and not is_stale(state, options):
            began, waited = time.perf_counter(), job.loader.waited
            row = learn(job, state, state.epoch + 1, progress)
            _note_speed(job, began, waited)
            with state.average.inside(state.net) if state.average else nullcontext():
                predictions = validate(state.net, job)
                row |= measure(predictions) | {"seconds": round(time.perf_counter() - began, 3)}
                state.epoch += 1
                if is_better(state, row) and writes:
                    save_trained_model(out, state.net, describe(job, predictions, row))
            if writes and log:
                log.write(row)
                save_state(out / PLACE, state, job)
                job.run.rows = log.rows
            if told and writes:
                told(row)
    finally:
        if log:
            log.close()


def learn(job: TrainContext, state: TrainState, epoch: int, progress: ProgressCallback | None = None) -> Row:
    """Go once through all clips, and give the mean loss and the learning rate.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    options, processes, net = job.options, job.processes, state.net
    learned = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    autocast = torch.autocast(processes.device.type, torch.bfloat16, enabled=_in_bf16(options, processes))
    total, rate = 0.0, 0.0
    torch.manual_seed(_seed(options.seed, epoch, processes.rank))
    set_training(net, state.still)

    for batch in job.loader.epoch(epoch):
        state.optimizer.zero_grad()
        loss = torch.zeros((), device=processes.device)
        for pixels, targets, share in _parts(batch, options.accumulate, processes.device):
            with autocast:
                embeddings, logits = net(pixels)
            part = share * state.loss(*_all_rows(options, processes, embeddings.float(), logits.float(), targets))
            part.backward()
            loss += part.detach()

        gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
        processes.average([loss, *gradients])
        norm = nn.utils.clip_grad_norm_(learned, options.clip or math.inf)
        _demand_finite(loss, norm, batch, state.step, job)

        rate = set_rate(state.optimizer, options, state.step, job.steps)
        state.optimizer.step()
        if state.average:
            state.average.update(net)
        state.step += 1
        total += float(loss)
        if progress:
            progress(state.step, job.steps)
    return {"epoch": epoch, "train_loss": total / len(job.loader), "lr": rate}


def _parts(batch: Batch, count: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Yield the clips of a batch in parts, their targets, and the share of the batch that they are."""
    for places in np.array_split(np.arange(len(batch)), min(count, len(batch))):
        part = slice(places[0], places[-1] + 1)
        pixels, targets = torch.from_numpy(batch.pixels[part]), torch.from_numpy(batch.targets[part])
        yield pixels.to(device, non_blocking=True), targets.to(device), len(places) / len(batch)


def _all_rows(options: ClassificationOptions, processes: Processes, *tensors: Tensor) -> list[Tensor]:
    """Give what the loss sees: where it compares clips, those of all processes."""
    return [processes.rows(one) for one in tensors] if options.loss in ("triplet", "contrastive") else list(tensors)


def _in_bf16(options: ClassificationOptions, processes: Processes) -> bool:
    return processes.device.type == "cuda" if options.bf16 is None else options.bf16


def _seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def _demand_finite(loss: Tensor, norm: Tensor, batch: Batch, step: int, job: TrainContext) -> None:
    """Stop before a step that would spoil the weights.

    Raises:
        TrainingError: loss or gradient is no number.
    """
    if bool(torch.isfinite(loss) & torch.isfinite(norm)):
        return
    examples = job.loader.examples
    names = [name for part in job.processes.gather([clip_name(examples[i]) for i in batch.indices]) for name in part]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    steps, options = len(job.loader), job.options
    place = f"epoch {step // steps + 1} of {options.epochs}, step {step % steps + 1} of {steps}, clips {shown}"
    what = "gradient" if bool(torch.isfinite(loss)) else "loss"
    cures = [f"lr={(options.lr or 1e-3) / 10:g}"]
    cures += ["clip=1"] * (not options.clip) + ["bf16=false"] * _in_bf16(options, job.processes)
    raise TrainingError(
        f"the {what} is no longer a number in {place}; what the epochs before gave is kept; "
        f"look at these clips, or start anew with {' '.join(cures)}"
    )


# What surrounds the loop: preparing, measuring, keeping.


def _divide(options: ClassificationOptions, dataset: Dataset, out: Path, resume: bool) -> Splits:
    if resume:
        return read_splits(out / "splits.json", dataset)
    if options.folds:
        number, count = options.folds
        return folds(dataset, count, options.seed)[number - 1]
    return split(dataset, options.val, seed=options.seed)


def prepare(
    options: ClassificationOptions, dataset: Dataset, splits: Splits, processes: Processes, resume: bool = False
) -> tuple[TrainContext, TrainState]:
    """Give what ``learn`` takes, before the first epoch; resolved options are needed."""
    state = _build(options, dataset, processes, resume)
    loader = _training_loader(options, dataset, splits["train"], processes)
    run = ClassificationRun(
        folder=None, options=options, clips=(len(splits["train"]), len(splits["val"])), steps=len(loader)
    )
    run.parameters = _count(state.net)
    return TrainContext(options, dataset, splits["val"], processes, loader, run), state


def _build(options: ClassificationOptions, dataset: Dataset, processes: Processes, resume: bool) -> TrainState:
    """Build what is trained; weights to start from are not needed where a checkpoint follows."""
    net = build(replace(options, start="none") if resume else options, dataset.classes)
    net = order_channels(net).to(processes.device)
    loss = make_loss(options, dataset.multilabel, length_of(net, options), len(dataset.classes)).to(processes.device)
    still = freeze(net, options.unfreeze or 0.0, bool(options.freeze_norms))
    optimizer = make_optimizer(parameter_groups(net, loss, options), options)
    average = ExponentialMovingAverage(options.ema) if options.ema else None
    if average:
        average.start(net)
    return TrainState(net=net, loss=loss, optimizer=optimizer, average=average, still=still)


def _training_loader(
    options: ClassificationOptions, dataset: Dataset, examples: list[Example], processes: Processes
) -> Loader:
    sampling = options.sampling(describe_model(options, dataset).sampling)
    return Loader(
        examples,
        dataset.classes,
        sampling,
        augment=options.variation,
        batch=options.batch,
        seed=options.seed,
        balance=options.balance,
        rank=processes.rank,
        world=processes.world,
        workers=options.workers,
    )


def _count(net: nn.Module) -> tuple[int, int]:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in net.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, learned in sizes if learned)


def _open(job: TrainContext, state: TrainState, out: Path) -> Log:
    """Write down what the run is, before the first step; give its log."""
    if state.epoch == 0:
        save_options(out / "options.json", job.options, {"task": TASK, "data": job.dataset.root})
        save_splits(out / "splits.json", _splits(job), job.dataset)
        for path in own_files(job.options):
            with atomic_write(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
        save_state(out / PLACE, state, job)
    return Log(out, state.epoch)


def _splits(job: TrainContext) -> Splits:
    known = {id(one) for one in (*job.loader.examples, *job.validation)}
    test = [one for one in job.dataset.examples if id(one) not in known]
    return {"train": list(job.loader.examples), "val": job.validation, "test": test}


def _note_speed(job: TrainContext, began: float, waited: float) -> None:
    seconds = time.perf_counter() - began
    job.run.speed = len(job.loader) * job.options.batch / seconds
    job.run.waiting = (job.loader.waited - waited) / seconds


def _try_out(job: TrainContext, state: TrainState, progress: ProgressCallback | None) -> ClassificationRun:
    """Take one step and look at a few clips for validation, so that what cannot work fails now."""
    examples = job.loader.examples[: job.options.batch]
    job.loader = _training_loader(job.options, job.dataset, list(examples), job.processes)
    job.validation = job.validation[: job.options.batch]
    learn(job, state, 1)
    began, waited = time.perf_counter(), job.loader.waited
    job.run.rows = [learn(job, state, 2, progress)]
    _note_speed(job, began, waited)
    job.run.rows[0] |= measure(validate(state.net, job))
    job.run.folder = None
    return job.run


def _finish(job: TrainContext, out: Path) -> ClassificationRun:
    """Score the weights that were kept, and draw curves, confusion and the worst clips."""
    run, processes = job.run, job.processes
    processes.share(None)  # the others wait until the last weights are written
    net, trained = load_net(out)
    predictions = validate(net.to(processes.device), job)
    if not processes.writes:
        return run
    _, facts = read_checkpoint(out / PLACE)
    run.best, run.rows = facts["best"], Log(out, facts["epoch"], tensorboard=False).rows
    if predictions is not None and len(predictions.logits):
        run.scores = evaluate(predictions, job.options.seed, trained.temperature)
        run.scores = replace(run.scores, model=out.name, data=job.dataset.root, split="val", views=job.options.views)
        run.scores.save(out / "scores.json")
    names = ("options.json", "splits.json", "log.jsonl", "model.json", "model.safetensors", "scores.json")
    run.written = [out / name for name in names if (out / name).exists()]
    run.written += draw(out, run.rows, run.scores, job.validation, job.loader.sampling)
    return run
