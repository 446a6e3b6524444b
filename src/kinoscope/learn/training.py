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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core import metrics
from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.learn.checkpoints import (
    PLACE,
    fill_optimizer,
    flatten_optimizer,
    read_checkpoint,
    save_checkpoint,
    within,
)
from kinoscope.learn.evaluation import calibrate, evaluate, truth
from kinoscope.learn.examples import Dataset, Example
from kinoscope.learn.loading import Batch, Loader
from kinoscope.learn.log import Log, Row
from kinoscope.learn.losses import make_loss
from kinoscope.learn.optimizing import Average, freeze, make_optimizer, parameter_groups, set_rate, set_training
from kinoscope.learn.options import Options, save_options
from kinoscope.learn.pictures import draw
from kinoscope.learn.predicting import Predictions, clip_name, predict
from kinoscope.learn.processes import Processes, joined
from kinoscope.learn.scores import Scores
from kinoscope.learn.splits import Splits, read_splits, save_splits, split
from kinoscope.learn.starting import build, describe_model, length_of, order_channels, own_files, resolve
from kinoscope.models.trained import Trained, load_net, save

TASK = "classify"

Progress = Callable[[float, float], None]
"""Told how many of how many steps are done."""


@dataclass(kw_only=True)
class Run:
    """What a training came to.

    Attributes:
        folder: where all of it lies; None of a dry run.
        options: with nothing left open.
        rows: the measures of each epoch, as in ``log.jsonl``.
        best: the epoch whose weights were kept.
        scores: of the kept weights on the clips for validation; None without such clips.
        clips: how many there are to learn from, and to validate.
        parameters: how many numbers the network has, and how many of them are learned.
        steps: of an epoch.
        speed: clips learned from per second; of this call alone.
        waiting: share of that time that was spent waiting for data.
        broken: path -> reason, of the clips that could not be read.
        written: the files.
    """

    folder: Path | None
    options: Options
    rows: list[Row] = field(default_factory=list)
    best: int = 0
    scores: Scores | None = None
    clips: tuple[int, int] = (0, 0)
    parameters: tuple[int, int] = (0, 0)
    steps: int = 0
    speed: float = 0.0
    waiting: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)


@dataclass(kw_only=True)
class State:
    """All that changes while training, which a checkpoint holds.

    Attributes:
        net, loss, optimizer, average: what has tensors; the average is None where there is none.
        still: modules that stay in evaluation mode.
        epoch, step: how many are done.
        best: the best epoch so far; 0 before the first.
        score: of that epoch: what is compared, higher for better.
    """

    net: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average | None
    still: list[nn.Module]
    epoch: int = 0
    step: int = 0
    best: int = 0
    score: tuple[float, float] = (-math.inf, -math.inf)


def train(
    options: Options,
    dataset: Dataset,
    out: Path,
    *,
    resume: bool = False,
    dry_run: bool = False,
    splits: Splits | None = None,
    progress: Progress | None = None,
    told: Callable[[Row], None] | None = None,
) -> Run:
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
            _restore(out / PLACE, state, options, dataset)
        try:
            _go_through_epochs(job, state, out, progress, told)
        except KeyboardInterrupt:
            kept = f"what epoch {state.epoch} gave is kept" if state.epoch else "no epoch was done"
            raise KeyboardInterrupt(f"interrupted: {kept}; go on with --resume {out}") from None
        return _finish(job, out)


@dataclass(slots=True)
class Job:
    """What stays the same while training, and the report on it."""

    options: Options
    dataset: Dataset
    validation: list[Example]
    processes: Processes
    loader: Loader
    run: Run

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return len(self.loader) * self.options.epochs


def _go_through_epochs(
    job: Job, state: State, out: Path, progress: Progress | None, told: Callable[[Row], None] | None
) -> None:
    writes, options = job.processes.writes, job.options
    log = _open(job, state, out) if writes else None
    try:
        while state.epoch < options.epochs and not _is_stale(state, options):
            began, waited = time.perf_counter(), job.loader.waited
            row = learn(job, state, state.epoch + 1, progress)
            _note_speed(job, began, waited)
            with state.average.inside(state.net) if state.average else nullcontext():
                predictions = _predict(state.net, job)
                row |= _measure(predictions) | {"seconds": round(time.perf_counter() - began, 3)}
                state.epoch += 1
                if _is_better(state, row) and writes:
                    save(out, state.net, _facts(job, predictions, row))
            if writes and log:
                log.write(row)
                _save(out / PLACE, state, job)
                job.run.rows = log.rows
            if told and writes:
                told(row)
    finally:
        if log:
            log.close()


def learn(job: Job, state: State, epoch: int, progress: Progress | None = None) -> Row:
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


def _all_rows(options: Options, processes: Processes, *tensors: Tensor) -> list[Tensor]:
    """Give what the loss sees: where it compares clips, those of all processes."""
    return [processes.rows(one) for one in tensors] if options.loss in ("triplet", "contrastive") else list(tensors)


def _in_bf16(options: Options, processes: Processes) -> bool:
    return processes.device.type == "cuda" if options.bf16 is None else options.bf16


def _seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def _demand_finite(loss: Tensor, norm: Tensor, batch: Batch, step: int, job: Job) -> None:
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


def _divide(options: Options, dataset: Dataset, out: Path, resume: bool) -> Splits:
    return read_splits(out / "splits.json", dataset) if resume else split(dataset, options.val, seed=options.seed)


def prepare(
    options: Options, dataset: Dataset, splits: Splits, processes: Processes, resume: bool = False
) -> tuple[Job, State]:
    """Give what ``learn`` takes, before the first epoch; resolved options are needed."""
    state = _build(options, dataset, processes, resume)
    loader = _training_loader(options, dataset, splits["train"], processes)
    run = Run(folder=None, options=options, clips=(len(splits["train"]), len(splits["val"])), steps=len(loader))
    run.parameters = _count(state.net)
    return Job(options, dataset, splits["val"], processes, loader, run), state


def _build(options: Options, dataset: Dataset, processes: Processes, resume: bool) -> State:
    """Build what is trained; weights to start from are not needed where a checkpoint follows."""
    net = build(replace(options, start="none") if resume else options, dataset.classes)
    net = order_channels(net).to(processes.device)
    loss = make_loss(options, dataset.multilabel, length_of(net, options), len(dataset.classes)).to(processes.device)
    still = freeze(net, options.unfreeze or 0.0, bool(options.freeze_norms))
    optimizer = make_optimizer(parameter_groups(net, loss, options), options)
    average = Average(options.ema) if options.ema else None
    if average:
        average.start(net)
    return State(net=net, loss=loss, optimizer=optimizer, average=average, still=still)


def _training_loader(options: Options, dataset: Dataset, examples: list[Example], processes: Processes) -> Loader:
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


def _open(job: Job, state: State, out: Path) -> Log:
    """Write down what the run is, before the first step; give its log."""
    if state.epoch == 0:
        save_options(out / "options.json", job.options, {"task": TASK, "data": job.dataset.root})
        save_splits(out / "splits.json", _splits(job), job.dataset)
        for path in own_files(job.options):
            shutil.copyfile(path, out / path.name)
        _save(out / PLACE, state, job)
    return Log(out, state.epoch)


def _splits(job: Job) -> Splits:
    known = {id(one) for one in (*job.loader.examples, *job.validation)}
    test = [one for one in job.dataset.examples if id(one) not in known]
    return {"train": list(job.loader.examples), "val": job.validation, "test": test}


def _note_speed(job: Job, began: float, waited: float) -> None:
    seconds = time.perf_counter() - began
    job.run.speed = len(job.loader) * job.options.batch / seconds
    job.run.waiting = (job.loader.waited - waited) / seconds


def _predict(net: nn.Module, job: Job, views: int | None = None) -> Predictions | None:
    """Give what the network says of the clips for validation, each process for its part; None if there are none."""
    options, processes = job.options, job.processes
    if not job.validation:
        return None
    mine = job.validation[processes.rank :: processes.world]
    told = None
    if mine:
        loader = Loader(
            mine,
            job.dataset.classes,
            job.loader.sampling,
            batch=options.batch,
            views=views or options.views,
            workers=options.workers,
        )
        told = predict(net, loader, str(processes.device), job.dataset.multilabel)
    parts = [part for part in processes.gather(told) if part is not None]
    whole = parts[0] if len(parts) == 1 else _merge(parts, job.validation)
    job.run.broken |= whole.broken | job.loader.broken
    return whole


def _merge(parts: list[Predictions], examples: list[Example]) -> Predictions:
    """Put the predictions of all processes together in the order of the examples."""
    rank = {clip_name(example): place for place, example in enumerate(examples)}
    paths = [path for part in parts for path in part.paths]
    groups = [group for part in parts for group in part.groups]
    order = sorted(range(len(paths)), key=lambda place: rank[paths[place]])
    return replace(
        parts[0],
        paths=tuple(paths[place] for place in order),
        groups=tuple(groups[place] for place in order),
        logits=np.concatenate([part.logits for part in parts])[order],
        targets=np.concatenate([part.targets for part in parts])[order],
        embeddings=np.concatenate([part.embeddings for part in parts if len(part.paths)])[order],
        broken={path: why for part in parts for path, why in part.broken.items()},
    )


def _measure(predictions: Predictions | None) -> Row:
    """Give the measures of an epoch; those of no clips have no value."""
    if predictions is None or not len(predictions.logits):
        return {}
    losses = metrics.cross_entropy(predictions.logits, predictions.targets, predictions.multilabel)
    loss = float(losses.mean()) / (len(predictions.classes) if predictions.multilabel else 1)
    actual = truth(predictions)
    if predictions.multilabel:
        return {"val_loss": loss, "val_map": metrics.mean_average_precision(predictions.logits, actual)}
    confusion = metrics.confusion(predictions.logits.argmax(1), actual, len(predictions.classes))
    top1 = metrics.top_k(predictions.logits, actual)
    return {"val_loss": loss, "val_top1": top1, "val_balanced_accuracy": metrics.balanced_accuracy(confusion)}


def _is_better(state: State, row: Row) -> bool:
    """Tell whether an epoch is the best so far, and note it. Without validation the last is.

    Of equal scores, that of the lower loss: few clips give many equal ones.
    """
    score = row.get("val_map", row.get("val_balanced_accuracy"))
    now = (math.inf, state.epoch) if score is None else (score, -row["val_loss"])
    if now <= state.score and state.best:
        return False
    state.best, state.score = state.epoch, now
    return True


def _is_stale(state: State, options: Options) -> bool:
    return bool(options.patience) and state.epoch - state.best >= options.patience


def _facts(job: Job, predictions: Predictions | None, row: Row) -> Trained:
    """Give what ``model.json`` says of the weights of an epoch."""
    trained = describe_model(job.options, job.dataset)
    if predictions is None or not len(predictions.logits):
        return trained
    names = {"val_top1": "val top1", "val_map": "val map", "val_balanced_accuracy": "val balanced accuracy"}
    score = {name: round(row[key], 4) for key, name in names.items() if key in row}
    return replace(trained, temperature=calibrate(predictions), score=score)


def _save(path: Path, state: State, job: Job) -> None:
    tensors = {f"net.{name}": tensor for name, tensor in state.net.state_dict().items()}
    tensors |= {f"loss.{name}": tensor for name, tensor in state.loss.state_dict().items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in flatten_optimizer(state.optimizer).items()}
    if state.average:
        tensors |= {f"average.{name}": tensor for name, tensor in state.average.tensors.items()}
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
    save_checkpoint(path, tensors, facts)


def _restore(path: Path, state: State, options: Options, dataset: Dataset) -> None:
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
        state.average.tensors = {name: one.to(device) for name, one in within(tensors, "average").items()}
        state.average.steps = facts["averaged"]
    state.epoch, state.step, state.best = facts["epoch"], facts["step"], facts["best"]
    if state.best:
        first, second = facts["score"]
        state.score = (math.inf if first is None else first, second)


FREE = ("device", "workers")
"""Options that change nothing that is computed."""


def _demand_same(path: Path, facts: dict[str, Any], options: Options, dataset: Dataset) -> None:
    import json

    if facts["task"] != TASK:
        raise ModelError(f"{path} is of task {facts['task']}, not {TASK}; resume it with that task")
    if tuple(facts["classes"]) != dataset.classes:
        theirs, ours = ", ".join(facts["classes"]), ", ".join(dataset.classes)
        raise ModelError(f"{path} tells the classes {theirs}, and the data has {ours}; give the data it began with")
    now = json.loads(json.dumps(options.to_dict()))
    for name, value in facts["options"].items():
        if name not in FREE and now.get(name) != value:
            raise OptionError(f"the run has {name}={value}, not {now.get(name)}; leave {name} out, or start a new run")


def _try_out(job: Job, state: State, progress: Progress | None) -> Run:
    """Take one step and look at a few clips for validation, so that what cannot work fails now."""
    examples = job.loader.examples[: job.options.batch]
    job.loader = _training_loader(job.options, job.dataset, list(examples), job.processes)
    job.validation = job.validation[: job.options.batch]
    learn(job, state, 1)
    began, waited = time.perf_counter(), job.loader.waited
    job.run.rows = [learn(job, state, 2, progress)]
    _note_speed(job, began, waited)
    job.run.rows[0] |= _measure(_predict(state.net, job))
    job.run.folder = None
    return job.run


def _finish(job: Job, out: Path) -> Run:
    """Score the weights that were kept, and draw curves, confusion and the worst clips."""
    run, processes = job.run, job.processes
    processes.share(None)  # the others wait until the last weights are written
    net, trained = load_net(out)
    predictions = _predict(net.to(processes.device), job)
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
