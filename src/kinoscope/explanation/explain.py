"""Explain why a network takes a clip for what it does, and say how far to trust the explanation.

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
from kinoscope.core.errors import OptionError
from kinoscope.core.explanation import Explanation, Heatmap, TimeSeries
from kinoscope.core.media import Pixels
from kinoscope.core.progress import ProgressCallback
from kinoscope.core.validation import require_known
from kinoscope.explanation.attribution import integrated_gradients, occlusion
from kinoscope.explanation.cam import attention_weights, coverage, grad_cam, grad_cam_plus_plus
from kinoscope.explanation.faithfulness import DeletionInsertion, rank_correlation
from kinoscope.explanation.perturbation import temporal_importance
from kinoscope.explanation.target import Target

Method = Callable[[Target, Tensor], Tensor]
"""Gives the (T, H, W) map of a clip (T, H, W, 3), float in [0, 255]; what speaks for the class is above 0."""

METHODS: dict[str, Method] = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
}
"""How a map can be made. A new way is a function and a row here."""

DEFAULT_METHODS = ("grad-cam", "grad-cam++")
RANDOM_ORDERS = 4
"""Random orders that each map is compared with."""
WEIGHT_SHUFFLES = 2
"""Networks with shuffled weights whose maps each map is compared with."""


Result = TypeVar("Result")


class ExplainableModel(Protocol):
    """What must be known of a network: a ``Trained`` says it, and so does a ``Card``."""

    @property
    def classes(self) -> str | tuple[str, ...]:
        """Names of its classes, by index; or of a list of them, whose content ``labels`` gives."""

    @property
    def multilabel(self) -> bool:
        """Whether each class has a probability of its own."""

    @property
    def temperature(self) -> float:
        """What logits are divided by."""


def explain(
    net: nn.Module,
    known: ExplainableModel,
    frames: Pixels,
    times: Float64Array,
    *,
    name: str = "",
    target: str | None = None,
    methods: Sequence[str] = DEFAULT_METHODS,
    progress: ProgressCallback | None = None,
) -> Explanation:
    """Explain why a network gives a clip the probability of a class that it gives.

    Args:
        net: of clips, ready to infer; see ``models.trainable.classifiers.ClipNet``.
        known: what is known of it: a ``Trained`` or a ``Card``.
        frames: the clip (T, H, W, 3), as the network takes it.
        times: (T,) seconds of its pictures.
        name: of the model.
        target: name of the class to explain; the likeliest if not given.
        methods: names of ``METHODS``.
        progress: told of what is done so far and of all that is to do.

    Raises:
        OptionError: there is no such class or method; the message offers the nearest.
        ModelError: the network has no feature maps for a method that needs them.
        MissingExtra: a method needs a package that is not installed.
    """
    if not methods:
        raise OptionError(f"no method is given; choose from {', '.join(METHODS)}")
    chosen = {method: METHODS[require_known(method, METHODS, "method")] for method in dict.fromkeys(methods)}
    classes = class_names(known)
    index = None if target is None else classes.index(require_known(target, classes, "class"))
    with frozen_inference(net):
        aim = Target(net, 0, known.multilabel, known.temperature)
        likely = aim.probabilities([frames])[0]
        aim = replace(aim, index=int(likely.argmax()) if index is None else index)
        return _explain(aim, name, classes, likely, frames, times, chosen, progress or (lambda done, total: None))


def _explain(
    target: Target,
    name: str,
    classes: tuple[str, ...],
    likely: Float64Array,
    frames: Pixels,
    times: Float64Array,
    methods: Mapping[str, Method],
    progress: ProgressCallback,
) -> Explanation:
    total = len(methods) * (2 + WEIGHT_SHUFFLES) + 1 + RANDOM_ORDERS
    step = count(1)

    def done(result: Result) -> Result:
        progress(next(step), total)
        return result

    shuffled = [target.shuffled(seed) for seed in range(WEIGHT_SHUFFLES)]
    maps = {key: done(normalized_map(target, method, frames)) for key, method in methods.items()}
    trial, part = DeletionInsertion(target, frames), coverage_map(target, frames)
    return Explanation(
        model=name,
        classes=classes,
        target=target.index,
        probabilities=likely,
        times=times,
        maps=maps,
        curve=done(temporal_importance(target, frames)),
        attention=frame_attention(target, frames),
        faithfulness={key: done(trial.run_map(one)) for key, one in maps.items()},
        random=tuple(done(trial.run_random(seed)) for seed in range(RANDOM_ORDERS)),
        blank=trial.nothing,
        sanity={
            key: tuple(
                done(map_similarity(trial, part, maps[key], normalized_map(other, method, frames)))
                for other in shuffled
            )
            for key, method in methods.items()
        },
    )


def normalized_map(target: Target, method: Method, frames: Pixels) -> Heatmap:
    """Give a method's map of a clip (T, H, W, 3), with 1 at its strongest; all 0 where nothing speaks for the class."""
    values = method(target, target.tensor(frames)).float().cpu().numpy()
    most = float(values.max(initial=0.0))
    return np.asarray(values / most if most > 0 else np.zeros_like(values), np.float32)


def coverage_map(target: Target, frames: Pixels) -> Heatmap:
    """Give how much the network sees of each place of a clip (T, H, W, 3): float32 (T, H, W) in [0, 1]."""
    return np.asarray(coverage(target, target.tensor(frames)).float().cpu(), np.float32)


def map_similarity(trial: DeletionInsertion, part: Heatmap, first: Heatmap, second: Heatmap) -> float:
    """Give the rank correlation of two maps (T, H, W) over those cells of a trial that the network sees.

    Args:
        part: how much it sees of each place (T, H, W). Where it sees nothing, all maps are cold, and so alike.
    """
    share = trial.means(part)
    inside = share > 0
    return rank_correlation(*(trial.means(one)[inside] / share[inside] for one in (first, second)))


def frame_attention(target: Target, frames: Pixels) -> TimeSeries | None:
    """Give how much the network itself weighs each of the T pictures, adding up to 1; None where it does not."""
    weights = attention_weights(target, target.tensor(frames))
    return None if weights is None or len(weights) != len(frames) else np.asarray(weights.float().cpu(), np.float32)


def class_names(known: ExplainableModel) -> tuple[str, ...]:
    """Give the names of a network's classes: a card may name a list of them, or hold them."""
    return tuple(getattr(known, "labels", None) or known.classes)


@contextmanager
def frozen_inference(net: nn.Module) -> Iterator[None]:
    """Have a network infer, with its weights fixed; it is as it was at the end."""
    was = net.training
    fixed = [weight for weight in net.parameters() if weight.requires_grad]
    net.eval()
    for weight in fixed:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        net.train(was)
        for weight in fixed:
            weight.requires_grad_(True)
