"""Explain a network's prediction for a clip by maps, and measure how faithful they are.

explanation = explain(net, trained, frames, times)
explanation.maps["grad-cam"]          # float32 (T, H, W) in [0, 1]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor, nn

from kinoscope.core.arrays import Float64Array
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import OptionError
from kinoscope.core.explanation import Explanation, Heatmap, TimeSeries
from kinoscope.core.media import Pixels
from kinoscope.core.validation import require_known
from kinoscope.explanation.attribution import integrated_gradients, occlusion
from kinoscope.explanation.cam import attention_weights, coverage, grad_cam, grad_cam_plus_plus
from kinoscope.explanation.faithfulness import DeletionInsertion, rank_correlation
from kinoscope.explanation.perturbation import temporal_importance
from kinoscope.explanation.target import Target

Method = Callable[[Target, Tensor], Tensor]
"""Returns the map (T, H, W) of a clip (T, H, W, 3), float in [0, 255]; regions that support the class are above 0."""

METHODS: dict[str, Method] = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
}
"""Attribution methods by name. A new method is a function and a row here."""

DEFAULT_METHODS = ("grad-cam", "grad-cam++")
RANDOM_ORDERS = 4
"""Random orders of cells with which the faithfulness of each map is compared."""
WEIGHT_SHUFFLES = 2
"""Networks with shuffled weights with whose maps each map is compared."""


Result = TypeVar("Result")


class ExplainableModel(Protocol):
    """Metadata of a network that an explanation needs; ``TrainedModel`` and ``Card`` have it."""

    @property
    def classes(self) -> str | tuple[str, ...]:
        """Names of its classes, by index; or the name of a list of labels, whose content is in ``labels``."""

    @property
    def multilabel(self) -> bool:
        """Whether the classes are independent (sigmoid) rather than exclusive (softmax)."""

    @property
    def temperature(self) -> float:
        """Divisor of the logits that calibrates probabilities."""


def explain(
    net: nn.Module,
    metadata: ExplainableModel,
    frames: Pixels,
    times: Float64Array,
    *,
    name: str = "",
    target: str | None = None,
    methods: Sequence[str] = DEFAULT_METHODS,
    progress: ProgressCallback | None = None,
) -> Explanation:
    """Explain the probability that a network predicts for one class of a clip.

    Args:
        net: a network of clips; see ``models.trainable.classifiers.ClipNet``.
        metadata: its classes and calibration: a ``TrainedModel`` or a ``Card``.
        frames: the clip (T, H, W, 3), sampled and resized as the network expects it.
        times: (T,) in seconds, of its frames.
        name: of the model.
        target: name of the class to explain; the most probable if None.
        methods: keys of ``METHODS``.
        progress: called with the steps done and the number of steps.

    Raises:
        OptionError: the class or the method is not known; the message offers the nearest name.
        ModelError: the network has no feature maps for a method that needs them.
        MissingExtra: a method needs a package that is not installed.
    """
    if not methods:
        raise OptionError(f"no method is given; choose from {', '.join(METHODS)}")
    chosen = {method: METHODS[require_known(method, METHODS, "method")] for method in dict.fromkeys(methods)}
    classes = class_names(metadata)
    index = None if target is None else classes.index(require_known(target, classes, "class"))
    with frozen_inference(net):
        aim = Target(net, 0, metadata.multilabel, metadata.temperature)
        probabilities = aim.probabilities([frames])[0]
        aim = replace(aim, index=int(probabilities.argmax()) if index is None else index)
        report = progress or (lambda done, total: None)
        return _explain(aim, name, classes, probabilities, frames, times, chosen, report)


def _explain(
    target: Target,
    name: str,
    classes: tuple[str, ...],
    probabilities: Float64Array,
    frames: Pixels,
    times: Float64Array,
    methods: Mapping[str, Method],
    progress: ProgressCallback,
) -> Explanation:
    total = len(methods) * (2 + WEIGHT_SHUFFLES) + 1 + RANDOM_ORDERS
    steps = count(1)

    def report(result: Result) -> Result:
        progress(next(steps), total)
        return result

    shuffled = [target.shuffled(seed) for seed in range(WEIGHT_SHUFFLES)]
    maps = {key: report(normalized_map(target, method, frames)) for key, method in methods.items()}
    metric, covered = DeletionInsertion(target, frames), coverage_map(target, frames)
    return Explanation(
        model=name,
        classes=classes,
        target=target.index,
        probabilities=probabilities,
        times=times,
        maps=maps,
        curve=report(temporal_importance(target, frames)),
        attention=frame_attention(target, frames),
        faithfulness={key: report(metric.run_map(heatmap)) for key, heatmap in maps.items()},
        random=tuple(report(metric.run_random(seed)) for seed in range(RANDOM_ORDERS)),
        blank=metric.nothing,
        sanity={
            key: tuple(
                report(map_similarity(metric, covered, maps[key], normalized_map(other, method, frames)))
                for other in shuffled
            )
            for key, method in methods.items()
        },
    )


def normalized_map(target: Target, method: Method, frames: Pixels) -> Heatmap:
    """Return a method's map (T, H, W) of a clip (T, H, W, 3), scaled to a maximum of 1, or all 0 if none is above 0."""
    values = method(target, target.tensor(frames)).float().cpu().numpy()
    maximum = float(values.max(initial=0.0))
    return np.asarray(values / maximum if maximum > 0 else np.zeros_like(values), np.float32)


def coverage_map(target: Target, frames: Pixels) -> Heatmap:
    """Return the weight with which the network sees each pixel of a clip (T, H, W, 3): float32 (T, H, W) in [0, 1]."""
    return np.asarray(coverage(target, target.tensor(frames)).float().cpu(), np.float32)


def map_similarity(metric: DeletionInsertion, covered: Heatmap, first: Heatmap, second: Heatmap) -> float:
    """Return the rank correlation of two maps (T, H, W) over the cells that the network sees.

    Args:
        metric: defines the cells.
        covered: weight with which the network sees each pixel (T, H, W). Where it sees nothing, all maps are 0, which
            would raise the correlation.
        first, second: the maps.
    """
    weights = metric.means(covered)
    inside = weights > 0
    return rank_correlation(*(metric.means(heatmap)[inside] / weights[inside] for heatmap in (first, second)))


def frame_attention(target: Target, frames: Pixels) -> TimeSeries | None:
    """Return the network's attention weights (T,), which sum to 1; None if it has no attention over frames."""
    weights = attention_weights(target, target.tensor(frames))
    return None if weights is None or len(weights) != len(frames) else np.asarray(weights.float().cpu(), np.float32)


def class_names(metadata: ExplainableModel) -> tuple[str, ...]:
    """Return the names of a network's classes; a card may hold them, or the name of a list of labels."""
    return tuple(getattr(metadata, "labels", None) or metadata.classes)


@contextmanager
def frozen_inference(net: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, its parameters frozen; restore both at the end."""
    training = net.training
    trainable = [weight for weight in net.parameters() if weight.requires_grad]
    net.eval()
    for weight in trainable:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        net.train(training)
        for weight in trainable:
            weight.requires_grad_(True)
