"""What is done with the clips for validation while training: told, measured, and the best epoch found by them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from torch import nn

from kinoscope.core.metrics import classification
from kinoscope.models.formats.trained_model import TrainedModel
from kinoscope.training.classification.build import describe_model
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.state import TrainContext, TrainState
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.loader import Loader
from kinoscope.training.evaluation.evaluate import calibrate, truth
from kinoscope.training.evaluation.predictions import Predictions, clip_name, predict
from kinoscope.training.logging import Row


def validate(net: nn.Module, job: TrainContext, views: int | None = None) -> Predictions | None:
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


def measure(predictions: Predictions | None) -> Row:
    """Give the measures of an epoch; those of no clips have no value."""
    if predictions is None or not len(predictions.logits):
        return {}
    losses = classification.cross_entropy(predictions.logits, predictions.targets, predictions.multilabel)
    loss = float(losses.mean()) / (len(predictions.classes) if predictions.multilabel else 1)
    actual = truth(predictions)
    if predictions.multilabel:
        return {"val_loss": loss, "val_map": classification.mean_average_precision(predictions.logits, actual)}
    confusion = classification.confusion_matrix(predictions.logits.argmax(1), actual, len(predictions.classes))
    top1 = classification.top_k_accuracy(predictions.logits, actual)
    return {"val_loss": loss, "val_top1": top1, "val_balanced_accuracy": classification.balanced_accuracy(confusion)}


def is_better(state: TrainState, row: Row) -> bool:
    """Tell whether an epoch is the best so far, and note it. Without validation the last is.

    Of equal scores, that of the lower loss: few clips give many equal ones.
    """
    score = row.get("val_map", row.get("val_balanced_accuracy"))
    now = (math.inf, state.epoch) if score is None else (score, -row["val_loss"])
    if now <= state.score and state.best:
        return False
    state.best, state.score = state.epoch, now
    return True


def is_stale(state: TrainState, options: ClassificationOptions) -> bool:
    """Tell whether there has been no better epoch for as long as the options allow."""
    return bool(options.patience) and state.epoch - state.best >= options.patience


def describe(job: TrainContext, predictions: Predictions | None, row: Row) -> TrainedModel:
    """Give what ``model.json`` says of the weights of an epoch."""
    trained = describe_model(job.options, job.dataset)
    if predictions is None or not len(predictions.logits):
        return trained
    names = {"val_top1": "val top1", "val_map": "val map", "val_balanced_accuracy": "val balanced accuracy"}
    score = {name: round(row[key], 4) for key, name in names.items() if key in row}
    return replace(trained, temperature=calibrate(predictions), score=score)
