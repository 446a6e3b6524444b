"""Predictions of a torch network, and the form of all predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.training.data.dataset import Example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from kinoscope.training.data.loader import Loader


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model for N clips of K classes; D is the length of an embedding.

    Attributes:
        paths: of the clips that could be read; of a part of a video with its times.
        groups: of each clip; empty if unknown.
        logits: (N, K), the mean over a clip's views.
        embeddings: (N, D), likewise.
        targets: (N, K), 1 for the classes that a clip shows.
        classes: K names.
        multilabel: whether a clip may show several classes, or none.
        unreadable: path -> reason, of the clips that could not be read.
    """

    paths: tuple[str, ...]
    groups: tuple[str, ...]
    logits: Float32Array
    embeddings: Float32Array
    targets: Float32Array
    classes: tuple[str, ...]
    multilabel: bool
    unreadable: dict[str, str]


@dataclass
class ViewSum:
    """Sums over the views of one example: logits (K,), embedding (D,); its targets (K,)."""

    targets: Float32Array
    logits: Any = 0.0
    embedding: Any = 0.0
    views: int = 0

    def add(self, logits: Float32Array, embedding: Float32Array) -> None:
        """Add a view."""
        self.logits, self.embedding, self.views = self.logits + logits, self.embedding + embedding, self.views + 1


def predict(
    net: nn.Module,
    loader: Loader,
    device: str = "cpu",
    multilabel: bool | None = None,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Return a network's predictions of the examples of a loader; of several views of one, the mean.

    Args:
        net: a ``ClipNet``, on ``device``; it is in evaluation mode meanwhile.
        loader: one for evaluation; its unreadable examples are left out, and listed in ``unreadable``.
        multilabel: whether a clip may show several classes; by default, as in the examples.
        progress: called with the number of clips of each finished batch.
    """
    import torch

    sums: dict[int, ViewSum] = {}
    with _evaluating(net), torch.inference_mode():
        for batch in loader.epoch(0):
            embeddings, logits = net(torch.from_numpy(batch.pixels).to(device))
            rows = zip(batch.indices.tolist(), batch.targets, _plain(logits), _plain(embeddings), strict=True)
            for index, target, scores, embedding in rows:
                sums.setdefault(index, ViewSum(target)).add(scores, embedding)
            if progress:
                progress(len(batch))
    if multilabel is None:
        multilabel = any(len(example.labels) != 1 for example in loader.examples)
    return gather(loader, sums, multilabel)


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, and restore the mode of each of its modules afterwards."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _plain(tensor: Any) -> Float32Array:
    plain: Float32Array = tensor.float().cpu().numpy()
    return plain


def gather(loader: Loader, sums: dict[int, ViewSum], multilabel: bool) -> Predictions:
    """Return the means of sums over views, by index of the example, as predictions."""
    examples = [loader.examples[index] for index in sums]
    classes = loader.classes
    return Predictions(
        paths=tuple(map(clip_name, examples)),
        groups=tuple(example.group for example in examples),
        logits=_stack([view_sum.logits / view_sum.views for view_sum in sums.values()], len(classes)),
        embeddings=_stack([view_sum.embedding / view_sum.views for view_sum in sums.values()], 0),
        targets=_stack([view_sum.targets for view_sum in sums.values()], len(classes)),
        classes=classes,
        multilabel=multilabel,
        unreadable=dict(loader.unreadable),
    )


def clip_name(example: Example) -> str:
    """Return the path of a clip and, for a part of a video, its times: ``a.mp4#t=2,4.5`` as in a media fragment."""
    if example.start is None and example.end is None:
        return example.path
    end = "" if example.end is None else f",{example.end:g}"
    return f"{example.path}#t={example.start or 0:g}{end}"


def _stack(rows: Sequence[Float32Array], width: int) -> Float32Array:
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, width), np.float32)
