"""Losses of two players: a maker of pictures or clips, and a judge who tells them from real ones by logits.

Each takes the judge's logits of real and of made examples, of any shape, high for real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits of real and of made examples to a number."""


@dataclass(frozen=True, slots=True)
class GanLoss:
    """What each player wants to be small.

    Attributes:
        judge, maker: their losses.
        chance: loss of a judge who cannot tell.
    """

    judge: Loss
    maker: Loss
    chance: float


def _non_saturating_judge(real: Tensor, made: Tensor) -> Tensor:
    return (functional.softplus(-real).mean() + functional.softplus(made).mean()) / 2


def _non_saturating_maker(real: Tensor, made: Tensor) -> Tensor:
    return functional.softplus(-made).mean()


def _relativistic_judge(real: Tensor, made: Tensor) -> Tensor:
    return functional.softplus(made - real).mean()


def _relativistic_maker(real: Tensor, made: Tensor) -> Tensor:
    return functional.softplus(real - made).mean()


def _hinge_judge(real: Tensor, made: Tensor) -> Tensor:
    return (functional.relu(1 - real).mean() + functional.relu(1 + made).mean()) / 2


def _hinge_maker(real: Tensor, made: Tensor) -> Tensor:
    return -made.mean()


LN2 = 0.693147
"""Loss of a guess between two."""

NON_SATURATING = GanLoss(_non_saturating_judge, _non_saturating_maker, LN2)
"""Goodfellow et al., "Generative adversarial nets", NeurIPS 2014."""

RELATIVISTIC = GanLoss(_relativistic_judge, _relativistic_maker, LN2)
"""Of pairs: is the real one more real? Jolicoeur-Martineau, ICLR 2019; Huang et al., "The GAN is dead; long live the
GAN! A modern GAN baseline", NeurIPS 2024, whose judge needs the gradient penalty below."""

HINGE = GanLoss(_hinge_judge, _hinge_maker, 1.0)
"""Lim and Ye, "Geometric GAN", 2017."""


GAN_LOSSES = {"relativistic": RELATIVISTIC, "non-saturating": NON_SATURATING, "hinge": HINGE}
"""Name -> game."""


def gradient_penalty(logits: Tensor, seen: Tensor) -> Tensor:
    """Give how steep a judge is where it looked: the mean over examples of the squared norm of its gradient.

    On real examples it is R1, on made ones R2 (Mescheder et al., "Which training methods for GANs do actually
    converge?", ICML 2018).

    Args:
        logits: (N, ...) of the judge; of a judge of patches, their mean is what counts, or it would be pressed down by
            the number of patches and never learn. seen: (N, ...) what it saw, with ``requires_grad``.
    """
    told = logits.reshape(len(logits), -1).mean(1).sum()
    (slope,) = torch.autograd.grad(told, seen, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()
