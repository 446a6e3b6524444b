"""Training of a classifier of clips: the loop, from top to bottom.

``train`` prepares, runs the epochs and saves the best; ``train_epoch`` is one epoch: forward, loss, backward, step.

All randomness depends on the seed, the epoch and the process, and a checkpoint is written at the end of each epoch. So
a resumed run continues exactly as if it had not been interrupted.
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

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import TrainingError
from kinoscope.core.files import atomic_write
from kinoscope.models.formats.trained_model import load_net, save_trained_model
from kinoscope.training.checkpoint import (
    LAST_CHECKPOINT,
    read_checkpoint,
)
from kinoscope.training.classification.build import (
    build,
    describe_model,
    embedding_length,
    own_files,
    resolve,
    to_channels_last,
)
from kinoscope.training.classification.checkpoint import restore_state, save_state
from kinoscope.training.classification.losses import make_loss
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.state import TASK, ClassificationRun, TrainContext, TrainState
from kinoscope.training.classification.validation import is_better, is_stale, measure, model_metadata, validate
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.loader import Batch, Loader
from kinoscope.training.data.splits import Splits, folds, read_splits, save_splits, split
from kinoscope.training.distributed import Processes, process_group
from kinoscope.training.evaluation.evaluate import evaluate
from kinoscope.training.evaluation.plots import draw
from kinoscope.training.evaluation.predictions import clip_name
from kinoscope.training.logging import Log, Row
from kinoscope.training.optim import (
    ExponentialMovingAverage,
    freeze,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
    set_training,
)
from kinoscope.training.options import save_options


def train(
    options: ClassificationOptions,
    dataset: Dataset,
    out: Path,
    *,
    resume: bool = False,
    dry_run: bool = False,
    splits: Splits | None = None,
    progress: ProgressCallback | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> ClassificationRun:
    """Train a network, and write the weights of the best epoch, scores and plots to ``out``.

    Args:
        options: open ones are resolved to fit the network and the data.
        dataset: the labelled clips.
        out: folder of the run.
        resume: continue the run in ``out``, which must have been started with the same options.
        dry_run: take one step and validate a batch, and write nothing.
        splits: the training and validation clips; by default as the data says, or sampled.
        progress: called after each step.
        on_epoch: called with the metrics of each epoch.

    Raises:
        OptionError: the options do not fit.
        DatasetError: the data cannot be used, or not be read.
        ModelError: weights or a checkpoint cannot be used.
        OutputError: something cannot be written; what was saved before is still there.
        TrainingError: the loss is no longer finite; what was saved before is still there.
    """
    options = resolve(options, dataset)
    with process_group(options.device) as processes:
        out = Path(processes.broadcast(str(out)))
        splits = splits or _divide(options, dataset, out, resume)
        context, state = prepare(options, dataset, splits, processes, resume)
        context.run.folder = out
        if dry_run:
            return _dry_run(context, state, progress)
        if resume:
            restore_state(out / LAST_CHECKPOINT, state, options, dataset)
        try:
            _train_epochs(context, state, out, progress, on_epoch)
        except KeyboardInterrupt:
            saved = f"epoch {state.epoch} is saved" if state.epoch else "no epoch was finished"
            raise KeyboardInterrupt(f"interrupted: {saved}; resume with --resume-from {out}") from None
        return _finish(context, out)


def _train_epochs(
    context: TrainContext,
    state: TrainState,
    out: Path,
    progress: ProgressCallback | None,
    on_epoch: Callable[[Row], None] | None,
) -> None:
    is_main, options = context.processes.is_main, context.options
    log = _open_log(context, state, out) if is_main else None
    try:
        while state.epoch < options.epochs and not is_stale(state, options):
            start, waited = time.perf_counter(), context.loader.waited
            row = train_epoch(context, state, state.epoch + 1, progress)
            _record_speed(context, start, waited)
            with state.average.applied_to(state.net) if state.average else nullcontext():
                predictions = validate(state.net, context)
                row |= measure(predictions) | {"seconds": round(time.perf_counter() - start, 3)}
                state.epoch += 1
                if is_better(state, row) and is_main:
                    save_trained_model(out, state.net, model_metadata(context, predictions, row))
            if is_main and log:
                log.write(row)
                save_state(out / LAST_CHECKPOINT, state, context)
                context.run.rows = log.rows
            if on_epoch and is_main:
                on_epoch(row)
    finally:
        if log:
            log.close()


def train_epoch(context: TrainContext, state: TrainState, epoch: int, progress: ProgressCallback | None = None) -> Row:
    """Train on all clips once; return the mean loss and the learning rate.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    options, processes, net = context.options, context.processes, state.net
    learned = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    autocast = torch.autocast(processes.device.type, torch.bfloat16, enabled=_in_bf16(options, processes))
    total, rate = 0.0, 0.0
    torch.manual_seed(_seed(options.seed, epoch, processes.rank))
    set_training(net, state.frozen)

    for batch in context.loader.epoch(epoch):
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
        _demand_finite(loss, norm, batch, state.step, context)

        rate = set_learning_rate(state.optimizer, options, state.step, context.steps)
        state.optimizer.step()
        if state.average:
            state.average.update(net)
        state.step += 1
        total += float(loss)
        if progress:
            progress(state.step, context.steps)
    return {"epoch": epoch, "train_loss": total / len(context.loader), "lr": rate}


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


def _demand_finite(loss: Tensor, norm: Tensor, batch: Batch, step: int, context: TrainContext) -> None:
    """Stop before a step that would corrupt the weights.

    Raises:
        TrainingError: loss or gradient is not finite.
    """
    if bool(torch.isfinite(loss) & torch.isfinite(norm)):
        return
    examples = context.loader.examples
    names = [
        name for part in context.processes.gather([clip_name(examples[i]) for i in batch.indices]) for name in part
    ]
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    steps, options = len(context.loader), context.options
    position = f"epoch {step // steps + 1} of {options.epochs}, step {step % steps + 1} of {steps}, clips {listed}"
    what = "gradient" if bool(torch.isfinite(loss)) else "loss"
    fixes = [f"lr={(options.lr or 1e-3) / 10:g}"]
    fixes += ["clip=1"] * (not options.clip) + ["bf16=false"] * _in_bf16(options, context.processes)
    raise TrainingError(
        f"the {what} is no longer finite in {position}; the previous epochs are saved; "
        f"check these clips, or restart with {' '.join(fixes)}"
    )


# Around the loop: preparation, validation, saving.


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
    """Return context and state before the first epoch; the options must be resolved."""
    state = _build(options, dataset, processes, resume)
    loader = _training_loader(options, dataset, splits["train"], processes)
    run = ClassificationRun(
        folder=None, options=options, clips=(len(splits["train"]), len(splits["val"])), steps=len(loader)
    )
    run.parameters = _count(state.net)
    return TrainContext(options, dataset, splits["val"], processes, loader, run), state


def _build(options: ClassificationOptions, dataset: Dataset, processes: Processes, resume: bool) -> TrainState:
    """Build what is trained; initial weights are not needed if a checkpoint is restored."""
    net = build(replace(options, start="none") if resume else options, dataset.classes)
    net = to_channels_last(net).to(processes.device)
    loss = make_loss(options, dataset.multilabel, embedding_length(net, options), len(dataset.classes)).to(
        processes.device
    )
    frozen = freeze(net, options.unfreeze or 0.0, bool(options.freeze_norms))
    optimizer = make_optimizer(parameter_groups(net, loss, options), options)
    average = ExponentialMovingAverage(options.ema) if options.ema else None
    if average:
        average.start(net)
    return TrainState(net=net, loss=loss, optimizer=optimizer, average=average, frozen=frozen)


def _training_loader(
    options: ClassificationOptions, dataset: Dataset, examples: list[Example], processes: Processes
) -> Loader:
    sampling = options.sampling(describe_model(options, dataset).sampling)
    return Loader(
        examples,
        dataset.classes,
        sampling,
        augment=options.augmentation,
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


def _open_log(context: TrainContext, state: TrainState, out: Path) -> Log:
    """Write the description of a run before the first step; return its log."""
    if state.epoch == 0:
        save_options(out / "options.json", context.options, {"task": TASK, "data": context.dataset.root})
        save_splits(out / "splits.json", _splits(context), context.dataset)
        for path in own_files(context.options):
            with atomic_write(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
        save_state(out / LAST_CHECKPOINT, state, context)
    return Log(out, state.epoch)


def _splits(context: TrainContext) -> Splits:
    known = {id(one) for one in (*context.loader.examples, *context.validation)}
    test = [one for one in context.dataset.examples if id(one) not in known]
    return {"train": list(context.loader.examples), "val": context.validation, "test": test}


def _record_speed(context: TrainContext, start: float, waited: float) -> None:
    seconds = time.perf_counter() - start
    context.run.speed = len(context.loader) * context.options.batch / seconds
    context.run.waiting = (context.loader.waited - waited) / seconds


def _dry_run(context: TrainContext, state: TrainState, progress: ProgressCallback | None) -> ClassificationRun:
    """Take two steps and validate a few clips, so that errors appear before a long training."""
    examples = context.loader.examples[: context.options.batch]
    context.loader = _training_loader(context.options, context.dataset, list(examples), context.processes)
    context.validation = context.validation[: context.options.batch]
    train_epoch(context, state, 1)
    start, waited = time.perf_counter(), context.loader.waited
    context.run.rows = [train_epoch(context, state, 2, progress)]
    _record_speed(context, start, waited)
    context.run.rows[0] |= measure(validate(state.net, context))
    context.run.folder = None
    return context.run


def _finish(context: TrainContext, out: Path) -> ClassificationRun:
    """Score the saved weights, and plot curves, confusion and the worst clips."""
    run, processes = context.run, context.processes
    processes.broadcast(None)  # the others wait until the last weights are written
    net, trained = load_net(out)
    predictions = validate(net.to(processes.device), context)
    if not processes.is_main:
        return run
    _, metadata = read_checkpoint(out / LAST_CHECKPOINT)
    run.best, run.rows = metadata["best"], Log(out, metadata["epoch"], tensorboard=False).rows
    if predictions is not None and len(predictions.logits):
        run.scores = evaluate(predictions, context.options.seed, trained.temperature)
        run.scores = replace(
            run.scores, model=out.name, data=context.dataset.root, split="val", views=context.options.views
        )
        run.scores.save(out / "scores.json")
    names = ("options.json", "splits.json", "log.jsonl", "model.json", "model.safetensors", "scores.json")
    run.written = [out / name for name in names if (out / name).exists()]
    run.written += draw(out, run.rows, run.scores, context.validation, context.loader.sampling)
    return run
