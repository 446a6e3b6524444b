"""Two players that learn by turns: a maker, and a judge who tells what it makes from what is real.

Anything that makes pictures or clips can be trained so: give the real and the made, as tensors of one shape.
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

NEAR_CHANCE = 0.015
"""Distance from the loss of a guess within which nothing has been learned."""

PATIENCE = 300
"""Steps of that after which it is called a stall."""

ONE_SIDED = 0.98
"""Share of right answers from which a judge has won, and its maker learns little from it."""


@dataclass
class Balance:
    """How the two stand against each other: sums over the turns since ``take``."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, **values: float) -> None:
        """Take in measures of a turn."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Give the means, and begin anew."""
        means = {name: self.sums[name] / self.counts[name] for name in self.sums}
        self.sums, self.counts = {}, {}
        return means


@dataclass
class DiscriminatorTrainer:
    """A judge, how it learns, and how the two are told apart.

    Attributes:
        judge: gives logits for (N, ...) examples, and what else it is given of them, such as labels. It may give logits
            of classes (N, K) besides, or None; both players then want them right (Odena et al., "AC-GAN", ICML 2017).
        optimizer: of the judge's parameters.
        game: the losses of both.
        penalty: weight of the gradient penalty, half of it times the squared slope; 0 for none.
        lazy: it is computed in every so many turns, so much the stronger (Karras et al., "Analyzing and improving the
            image quality of StyleGAN", CVPR 2020).
        both: whether it is of made examples, too (R2), as Huang et al. have it.
        processes: who shares the work.
        turn: how many the judge has had. right: share of pairs that it told right lately.
        balance: what is logged.
    """

    judge: nn.Module
    optimizer: torch.optim.Optimizer
    game: GanLoss = RELATIVISTIC
    penalty: float = 1.0
    lazy: int = 8
    both: bool = False
    processes: Processes = field(default_factory=Processes)
    turn: int = 0
    right: float = 0.5
    balance: Balance = field(default_factory=Balance)

    def teach(self, real: Tensor, made: Tensor, *given: Tensor) -> float:
        """Let the judge learn from real and made examples (N, ...), and what is ``given`` of both; give its loss.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        self.judge.requires_grad_(True)
        real, made = real.detach(), made.detach()
        steep = self.penalty > 0 and self.turn % self.lazy == 0
        if steep:
            real.requires_grad_(True)
            made.requires_grad_(self.both)
        (of_real, kinds), (of_made, _) = self._ask(real, given), self._ask(made, given)
        loss = self.game.judge(of_real, of_made)
        total = loss + self._wrong(kinds, given)
        if steep:
            slope = gradient_penalty(of_real, real) + (gradient_penalty(of_made, made) if self.both else 0)
            total = total + 0.5 * self.penalty * self.lazy * slope
            self.balance.note(slope=float(slope.detach()))
        self._step(total)
        self._note(loss, of_real, of_made)
        return float(loss.detach())

    def _ask(self, seen: Tensor, given: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
        """Give the logits of examples, and those of classes if the judge tells them."""
        told = self.judge(seen, *given)
        return told if isinstance(told, tuple) else (told, None)

    def _wrong(self, kinds: Tensor | None, given: tuple[Tensor, ...]) -> Tensor | float:
        """Give how wrong classes are told, where they are; labels are the first that is given."""
        return 0.0 if kinds is None else functional.cross_entropy(kinds, given[0])

    def _step(self, total: Tensor) -> None:
        if not math.isfinite(float(total.detach())):
            raise TrainingError(f"the judge's loss is no longer a number at turn {self.turn + 1}; lower its lr")
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.processes.average([one.grad for one in self.judge.parameters() if one.grad is not None])
        self.optimizer.step()
        self.turn += 1

    def _note(self, loss: Tensor, real: Tensor, made: Tensor) -> None:
        right = (real.detach().flatten() > made.detach().flatten()).float().mean()
        self.right += 0.1 * (float(right) - self.right)
        gap = real.detach().mean() - made.detach().mean()
        self.balance.note(judge_loss=float(loss.detach()), judge_right=float(right), judge_gap=float(gap))

    def persuade(self, real: Tensor, made: Tensor, *given: Tensor) -> Tensor:
        """Give the maker's loss; the judge stays as it is. Needs the real ones where the game compares pairs."""
        self.judge.requires_grad_(False)
        with torch.no_grad():
            of_real, _ = self._ask(real, given)
        of_made, kinds = self._ask(made, given)
        loss = self.game.maker(of_real, of_made)
        self.balance.note(maker_loss=float(loss.detach()))
        return loss + self._wrong(kinds, given)


def stall(losses: Sequence[float], chance: float = math.log(2), patience: int = PATIENCE) -> int | None:
    """Tell since which step a loss of telling two apart has stayed at that of a guess (0.69), or None.

    Only one that is there to the end, and for ``patience`` steps, is a stall: every run begins there.
    """
    since = len(losses)
    while since and abs(losses[since - 1] - chance) < NEAR_CHANCE:
        since -= 1
    return since if len(losses) - since >= patience else None


def advise(measures: dict[str, float], chance: float = math.log(2)) -> str | None:
    """Say in one line what is wrong with the balance of the two, and its cure; None where nothing is.

    Args:
        measures: means over many turns: ``judge_loss`` and ``judge_right``.
        chance: loss of a judge who cannot tell.
    """
    if "judge_loss" not in measures:
        return None
    if abs(measures["judge_loss"] - chance) < NEAR_CHANCE:
        return (
            f"the judge's loss stands at {measures['judge_loss']:.2f}, that of a guess: it cannot tell made from real; "
            "lower penalty, or raise judge_lr"
        )
    if measures["judge_right"] > ONE_SIDED:
        return (
            f"the judge is right {100 * measures['judge_right']:.0f} % of the time, and what is made learns little "
            "from it; raise penalty, or lower judge_lr"
        )
    return None
