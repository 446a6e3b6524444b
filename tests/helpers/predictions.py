"""Predictions with known answers."""

import numpy as np

from kinoscope.training.evaluation.predictions import Predictions


def predictions(logits, actual, groups=None, classes=None, unreadable=None):
    """Return predictions of clips named 0.mp4, 1.mp4...; ``actual`` are indices, or 0/1 targets of multi-label data."""
    logits, actual = np.asarray(logits, np.float32), np.asarray(actual)
    count, multilabel = logits.shape[1], actual.ndim == 2
    targets = actual if multilabel else np.eye(count)[actual]
    return Predictions(
        paths=tuple(f"{i}.mp4" for i in range(len(logits))),
        groups=tuple(groups or [""] * len(logits)),
        logits=logits,
        embeddings=np.zeros((len(logits), 1), np.float32),
        targets=targets.astype(np.float32),
        classes=tuple(classes or "abcdefgh"[:count]),
        multilabel=multilabel,
        unreadable=unreadable or {},
    )
