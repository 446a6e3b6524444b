"""GAN losses of discriminator and generator.

Each takes the discriminator's logits of real and of generated examples, of any shape, high for real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits of real and of generated examples to a scalar."""


@dataclass(frozen=True, slots=True)
class GanLoss:
    """The losses of discriminator and generator.

    Attributes:
        discriminator, generator: their losses.
        chance: loss of a discriminator that guesses.
    """

    discriminator: Loss
    generator: Loss
    chance: float


def _non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return (functional.softplus(-real).mean() + functional.softplus(fake).mean()) / 2


def _non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    return functional.softplus(-fake).mean()


def _relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return functional.softplus(fake - real).mean()


def _relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    return functional.softplus(real - fake).mean()


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()) / 2


def _hinge_generator(real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean()


LN2 = 0.693147
"""Binary cross-entropy of random guessing."""

NON_SATURATING = GanLoss(_non_saturating_discriminator, _non_saturating_generator, LN2)
"""Goodfellow et al., "Generative adversarial nets", NeurIPS 2014."""

RELATIVISTIC = GanLoss(_relativistic_discriminator, _relativistic_generator, LN2)
"""Loss of pairs: whether the real example is the more real one. Jolicoeur-Martineau, ICLR 2019; Huang et al., "The GAN
is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024, whose discriminator needs the gradient penalty below.
"""

HINGE = GanLoss(_hinge_discriminator, _hinge_generator, 1.0)
"""Lim and Ye, "Geometric GAN", 2017."""


GAN_LOSSES = {"relativistic": RELATIVISTIC, "non-saturating": NON_SATURATING, "hinge": HINGE}
"""Name -> losses."""


def gradient_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean over examples of the squared gradient norm of a discriminator with respect to its inputs.

    On real examples it is R1, on generated ones R2 (Mescheder et al., "Which training methods for GANs do actually
    converge?", ICML 2018).

    Args:
        logits: (N, ...) of the discriminator. Those of patches are averaged; their sum would scale the penalty with the
            number of patches and suppress learning.
        inputs: (N, ...) of the discriminator, with ``requires_grad``.
    """
    total = logits.reshape(len(logits), -1).mean(1).sum()
    (gradient,) = torch.autograd.grad(total, inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
