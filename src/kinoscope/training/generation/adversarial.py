"""Adversarial training: alternate discriminator and generator steps.

It works for any generator of images or clips: the real and the generated examples are tensors of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import TrainingError
from kinoscope.training.distributed import Processes
from kinoscope.training.generation.losses import RELATIVISTIC, GanLoss, gradient_penalty
from kinoscope.training.optim import gradients

CHANCE_LOSS_TOLERANCE = 0.015
"""Distance from the loss of random guessing within which the discriminator counts as guessing."""

MIN_STALL_STEPS = 300
"""Steps at the loss of random guessing after which a training counts as stalled."""

MAX_DISC_ACCURACY = 0.98
"""Accuracy above which the discriminator has won, and the generator learns little from it."""


@dataclass
class MeanMetrics:
    """Means of the metrics logged since ``take_means``."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        """Add the metrics of a step."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def take_means(self) -> dict[str, float]:
        """Return the means, and reset."""
        means = {name: self.sums[name] / self.counts[name] for name in self.sums}
        self.sums, self.counts = {}, {}
        return means


@dataclass
class DiscriminatorTrainer:
    """A discriminator, its optimizer, and the losses of discriminator and generator.

    Attributes:
        discriminator: returns logits for (N, ...) examples, given also the conditions, such as labels. It may return
            class logits (N, K) besides, or None; both networks then minimize their cross-entropy (Odena et al.,
            "AC-GAN", ICML 2017).
        optimizer: of the discriminator's parameters.
        gan_loss: losses of both networks.
        r1_weight: weight of the gradient penalty, times half the squared gradient norm; 0 disables it.
        r1_interval: steps between two computations of the penalty, which is scaled by as much (lazy regularization;
            Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020).
        penalize_fake: whether to penalize the gradient on generated examples, too (R2), as Huang et al. do.
        processes: the processes that share the work.
        steps: number of discriminator steps so far.
        accuracy: moving average of the share of pairs that it ranks correctly.
        metrics: for the log.
    """

    discriminator: nn.Module
    optimizer: torch.optim.Optimizer
    gan_loss: GanLoss = RELATIVISTIC
    r1_weight: float = 1.0
    r1_interval: int = 8
    penalize_fake: bool = False
    processes: Processes = field(default_factory=Processes)
    steps: int = 0
    accuracy: float = 0.5
    metrics: MeanMetrics = field(default_factory=MeanMetrics)

    def discriminator_step(self, real: Tensor, fake: Tensor, *conditions: Tensor) -> float:
        """Take one discriminator step on real and generated examples (N, ...) and their conditions; return its loss.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        self.discriminator.requires_grad_(True)
        real, fake = real.detach(), fake.detach()
        penalized = self.r1_weight > 0 and self.steps % self.r1_interval == 0
        if penalized:
            real.requires_grad_(True)
            fake.requires_grad_(self.penalize_fake)
        (real_logits, class_logits), (fake_logits, _) = self._logits(real, conditions), self._logits(fake, conditions)
        loss = self.gan_loss.discriminator(real_logits, fake_logits)
        total = loss + self._class_loss(class_logits, conditions)
        if penalized:
            squared_norm = gradient_penalty(real_logits, real) + (
                gradient_penalty(fake_logits, fake) if self.penalize_fake else 0
            )
            total = total + 0.5 * self.r1_weight * self.r1_interval * squared_norm
            self.metrics.add(gradient_penalty=float(squared_norm.detach()))
        self._update(total)
        self._log(loss, real_logits, fake_logits)
        return float(loss.detach())

    def _logits(self, examples: Tensor, conditions: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
        """Return the logits of examples, and the class logits if the discriminator classifies."""
        outputs = self.discriminator(examples, *conditions)
        return outputs if isinstance(outputs, tuple) else (outputs, None)

    def _class_loss(self, class_logits: Tensor | None, conditions: tuple[Tensor, ...]) -> Tensor | float:
        """Return the cross-entropy of the class logits, 0 if there are none; the labels are the first condition."""
        return 0.0 if class_logits is None else functional.cross_entropy(class_logits, conditions[0])

    def _update(self, total: Tensor) -> None:
        if not math.isfinite(float(total.detach())):
            raise TrainingError(f"the discriminator's loss is no longer finite in step {self.steps + 1}; lower disc_lr")
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.processes.average(gradients(self.discriminator))
        self.optimizer.step()
        self.steps += 1

    def _log(self, loss: Tensor, real: Tensor, fake: Tensor) -> None:
        accuracy = (real.detach().flatten() > fake.detach().flatten()).float().mean()
        self.accuracy += 0.1 * (float(accuracy) - self.accuracy)
        gap = real.detach().mean() - fake.detach().mean()
        self.metrics.add(disc_loss=float(loss.detach()), disc_accuracy=float(accuracy), disc_gap=float(gap))

    def generator_loss(self, real: Tensor, fake: Tensor, *conditions: Tensor) -> Tensor:
        """Return the generator's loss; the discriminator stays fixed. The real examples serve losses that compare
        pairs.
        """
        self.discriminator.requires_grad_(False)
        with torch.no_grad():
            real_logits, _ = self._logits(real, conditions)
        fake_logits, class_logits = self._logits(fake, conditions)
        loss = self.gan_loss.generator(real_logits, fake_logits)
        self.metrics.add(gen_loss=float(loss.detach()))
        return loss + self._class_loss(class_logits, conditions)


def find_stall(losses: Sequence[float], chance: float = math.log(2), patience: int = MIN_STALL_STEPS) -> int | None:
    """Return the step since which a binary loss has stayed at that of random guessing (0.69), or None.

    Only a plateau that lasts to the end, and for ``patience`` steps, is a stall: every run begins at this loss.
    """
    since = len(losses)
    while since and abs(losses[since - 1] - chance) < CHANCE_LOSS_TOLERANCE:
        since -= 1
    return since if len(losses) - since >= patience else None


def diagnose_balance(metrics: dict[str, float], chance: float = math.log(2)) -> str | None:
    """Return a one-line diagnosis of the balance of both networks and its fix, or None.

    Args:
        metrics: means over many steps: ``disc_loss`` and ``disc_accuracy``.
        chance: loss of a discriminator that guesses.
    """
    if "disc_loss" not in metrics:
        return None
    if abs(metrics["disc_loss"] - chance) < CHANCE_LOSS_TOLERANCE:
        return (
            f"the discriminator's loss is {metrics['disc_loss']:.2f}, that of random guessing: it cannot distinguish "
            "generated from real; lower r1_weight, or raise disc_lr"
        )
    if metrics["disc_accuracy"] > MAX_DISC_ACCURACY:
        return (
            f"the discriminator's accuracy is {100 * metrics['disc_accuracy']:.0f} %, and the generator learns little "
            "from it; raise r1_weight, or lower disc_lr"
        )
    return None
