"""Validation during training: predictions, metrics, and the choice of the best epoch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from kinoscope.core.metrics import classification
from kinoscope.models.formats.trained_model import TrainedModel
from kinoscope.training.classification.build import describe_model
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.loader import Loader
from kinoscope.training.evaluation.evaluate import calibrate, truth
from kinoscope.training.evaluation.predictions import Predictions, clip_name, predict
from kinoscope.training.logging import Row

if TYPE_CHECKING:
    from kinoscope.training.classification.train import ClassificationTrainer


def validate(trainer: ClassificationTrainer, net: nn.Module | None = None) -> Predictions | None:
    """Return predictions of the validation clips, each process for its share; None without such clips.

    Args:
        trainer: of the classifier.
        net: the network; that of the trainer if not given.
    """
    options, processes = trainer.options, trainer.processes
    if not trainer.validation:
        return None
    mine = trainer.validation[processes.rank :: processes.world]
    own = None
    if mine:
        loader = Loader(
            mine,
            trainer.dataset.classes,
            trainer.loader.sampling,
            batch=options.batch,
            views=options.views,
            workers=options.workers,
        )
        own = predict(net or trainer.net, loader, str(processes.device), trainer.dataset.multilabel)
    parts = [part for part in processes.gather(own) if part is not None]
    whole = parts[0] if len(parts) == 1 else _merge(parts, trainer.validation)
    trainer.unreadable |= whole.unreadable | trainer.loader.unreadable
    return whole


def _merge(parts: list[Predictions], examples: list[Example]) -> Predictions:
    """Merge the predictions of all processes in the order of the examples."""
    rank = {clip_name(example): index for index, example in enumerate(examples)}
    paths = [path for part in parts for path in part.paths]
    groups = [group for part in parts for group in part.groups]
    order = sorted(range(len(paths)), key=lambda index: rank[paths[index]])
    return replace(
        parts[0],
        paths=tuple(paths[index] for index in order),
        groups=tuple(groups[index] for index in order),
        logits=np.concatenate([part.logits for part in parts])[order],
        targets=np.concatenate([part.targets for part in parts])[order],
        embeddings=np.concatenate([part.embeddings for part in parts if len(part.paths)])[order],
        unreadable={path: reason for part in parts for path, reason in part.unreadable.items()},
    )


def measure(predictions: Predictions | None) -> Row:
    """Return the metrics of an epoch; none without validation clips."""
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


def is_better(trainer: ClassificationTrainer, row: Row) -> bool:
    """Return whether an epoch is the best so far, and record it. Without validation the last is.

    Equal scores are ordered by the loss, as a few clips yield many equal scores.
    """
    score = row.get("val_map", row.get("val_balanced_accuracy"))
    now = (math.inf, float(trainer.epoch)) if score is None else (score, -row["val_loss"])
    if now <= trainer.score and trainer.best:
        return False
    trainer.best, trainer.score = trainer.epoch, now
    return True


def model_metadata(trainer: ClassificationTrainer, predictions: Predictions | None, row: Row) -> TrainedModel:
    """Return the metadata for ``model.json`` of the weights of an epoch."""
    trained = describe_model(trainer.options, trainer.dataset)
    if predictions is None or not len(predictions.logits):
        return trained
    names = {"val_top1": "val top1", "val_map": "val map", "val_balanced_accuracy": "val balanced accuracy"}
    score = {name: round(row[key], 4) for key, name in names.items() if key in row}
    return replace(trained, temperature=calibrate(predictions), score=score)
