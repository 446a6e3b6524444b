"""Learning to make clips: a generator and a judge that play against each other.

A turn of both is ``GeneratorTrainer._turns``, a round of them ``learn``. Codes are drawn, the generator makes clips of
the classes of the real ones beside them, both are varied alike, the judge learns to tell them apart, and the generator
learns from what the judge says. What is kept is a moving average of the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import TrainingError
from kinoscope.core.media import Pixels
from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.generators import (
    GANS,
    MAX_START_SECONDS,
    TASK,
    GeneratorMetadata,
    from_pixels,
    new_discriminator,
    new_generator,
    save_generator,
    to_pixels,
)
from kinoscope.source.encode.save_clip import save_clip
from kinoscope.training.checkpoint import fill_optimizer, flatten_optimizer, joined, within
from kinoscope.training.data.streams import ClipStream
from kinoscope.training.distributed import Processes
from kinoscope.training.generation.adversarial import PATIENCE, DiscriminatorTrainer, advise
from kinoscope.training.generation.augment import make_augment
from kinoscope.training.generation.losses import GAN_LOSSES
from kinoscope.training.generation.options import FREE, GenerationOptions
from kinoscope.training.logging import Row
from kinoscope.training.optim import ExponentialMovingAverage
from kinoscope.training.trainer import MOVING, start_epoch
from kinoscope.views.video.grid import grid, strips

COLLAPSED = 0.25
"""Share of the differences between real clips below which made ones are too much alike."""

STILL = 0.25
"""Share of the motion of real clips below which made ones stand still."""

WARMUP = 100
"""Steps in which learning rates rise."""

SHOWN = 16
"""Clips in a preview."""


class GeneratorTrainer:
    """A generator that learns; see ``rounds.Learner``.

    Args:
        feed: clips to learn from. data: their name. processes: who shares the work.

    Attributes:
        net: the generator. match: the judge and its turns. average: of the generator.
        varying: what is done to clips before they are judged. step: how many are done.
    """

    task, free = TASK, FREE

    def __init__(
        self, options: GenerationOptions, feed: ClipStream, data: str = "", processes: Processes | None = None
    ) -> None:
        self.options, self.feed, self.processes = options, feed, processes or Processes()
        self.device = self.processes.device
        self.made_of = facts_of(options, feed.classes, data)
        torch.manual_seed(options.seed)
        self.net: Any = new_generator(self.made_of).to(self.device)
        judge = new_discriminator(self.made_of, options.judge_width, options.shown).to(self.device)
        self.optimizer = self._adam(self.net, options.lr)
        self.match = DiscriminatorTrainer(
            judge, self._adam(judge, options.judge_lr), GAN_LOSSES[options.game], options.penalty, options.lazy,
            both=True, processes=self.processes,
        )  # fmt: skip
        self.average = ExponentialMovingAverage(options.ema)
        self.average.start(self.net)
        self.varying = make_augment(options.augment, options.target, options.flip)
        self.epoch = self.step = 0
        self.examples = (len(feed), 0)
        self.parameters = sum(parameter.numel() for parameter in self.net.parameters())

    def _adam(self, net: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(net.parameters(), rate, betas=(self.options.momentum, 0.99))

    def try_out(self) -> Row:
        """Take one step."""
        return self._learn(1)

    def learn(self, told: Callable[[int], None] | None = None) -> Row:
        """Go through the steps of an epoch; give the means of what was measured.

        Raises:
            TrainingError: a loss is no longer a number.
        """
        return self._learn(self.options.steps, told)

    def _learn(self, steps: int, told: Callable[[int], None] | None = None) -> Row:
        options = self.options
        start_epoch(options.seed, self.epoch, self.processes.rank)
        self.net.train()
        self.match.judge.train()
        for pixels, labels in self.feed.batches(self.epoch, steps, options.batch, self.processes):
            self._set_rates()
            loss = self._turns(from_pixels(pixels, self.device), torch.from_numpy(labels).to(self.device))
            if not math.isfinite(float(loss.detach())):
                raise TrainingError(
                    f"the generator's loss is no longer a number in step {self.step + 1}; what the epochs before gave "
                    f"is kept; start anew with lr={options.lr / 4:g} judge_lr={options.judge_lr / 4:g}"
                )
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.processes.average([one.grad for one in self.net.parameters() if one.grad is not None])
            self.optimizer.step()
            if options.ema:
                self.average.update(self.net)
            self.varying.adapt(self.match.right, options.batch)
            self.step += 1
            if told:
                told(self.step)
        return self.match.balance.take() | {"varied": self.varying.share}

    def _set_rates(self) -> None:
        """Let learning rates rise in the first steps, and the penalty fall to a tenth."""
        fallen = min(1.0, self.step / self.options.anneal) if self.options.anneal else 0.0
        self.match.penalty = self.options.penalty * 0.1**fallen
        share = min(1.0, (self.step + 1) / WARMUP)
        for optimizer, rate in ((self.optimizer, self.options.lr), (self.match.optimizer, self.options.judge_lr)):
            optimizer.param_groups[0]["lr"] = share * rate

    def _turns(self, real: Tensor, labels: Tensor) -> Tensor:
        """Let the judge have its turn, and give the generator's loss, for clips (N, T, 3, S, S) of classes (N,)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._in_bf16):
            made = self.net(*self.draw(labels))
            self.match.teach(self.varying(real), self.varying(made.detach()), labels)
            loss = self.match.persuade(self.varying(real), self.varying(made), labels)
            if self.options.spread:
                loss = loss + self.options.spread * too_alike(real, made, labels)
        self._compare(real, made.detach())
        return loss

    @property
    def _in_bf16(self) -> bool:
        return self.device.type == "cuda" if self.options.bf16 == "auto" else self.options.bf16 == "true"

    def draw(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw codes of content and motion for classes (N,), and the times of a clip that begins at any moment."""
        options, count = self.options, len(labels)
        content, motion = GANS[options.net].latent_sizes
        steps = self.net.steps(options.frames / options.rate + MAX_START_SECONDS)
        begin = MAX_START_SECONDS * torch.rand(count, 1, device=self.device)
        times = begin + torch.arange(options.frames, device=self.device) / options.rate
        drawn = (torch.randn(*shape, device=self.device) for shape in ((count, content), (count, steps, motion)))
        return (*drawn, labels, times)  # type: ignore[return-value]

    @torch.no_grad()
    def _compare(self, real: Tensor, made: Tensor) -> None:
        """Note how much clips differ from each other, and how much they move, as a share of what real ones do."""
        for name, measure in (("diversity", _differences), ("motion", _moves)):
            self.match.balance.note(**{name: float(measure(made) / (measure(real) + 1e-6))})

    @torch.no_grad()
    def look(self, folder: Path, row: Row) -> tuple[Row, Pixels]:
        """Write the generator, and draw clips of fixed codes, each class in turn."""
        with self.average.inside(self.net) if self.options.ema else nullcontext():
            self.net.eval()
            save_generator(folder, self.net, self.made_of, half=False)
            clips = self.preview()
        save_clip(folder / MOVING, grid(clips), self.options.rate, "a generator while it learns")
        return {}, strips(clips)

    def preview(self) -> Pixels:
        """Make clips (N, T, H, W, 3) of codes that are the same each time."""
        drawn = torch.get_rng_state()
        torch.manual_seed(self.options.seed)
        labels = torch.arange(SHOWN, device=self.device) * max(1, len(self.feed.classes)) // SHOWN
        content, motion, labels, times = self.draw(labels)
        torch.set_rng_state(drawn)
        return to_pixels(self.net(content, motion, labels, times - times[:, :1]))

    def tensors(self) -> dict[str, Tensor]:
        """Give all that changes."""
        parts = {
            "net": self.net.state_dict(),
            "judge": self.match.judge.state_dict(),
            "optimizer": flatten_optimizer(self.optimizer),
            "judge_optimizer": flatten_optimizer(self.match.optimizer),
            "average": self.average.tensors,
        }
        return joined(parts)

    def facts(self) -> dict[str, Any]:
        """Give what else changes."""
        return {
            "step": self.step,
            "turn": self.match.turn,
            "right": self.match.right,
            "varied": self.varying.share,
            "averaged": self.average.steps,
        }

    def fill(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be as a checkpoint says."""
        self.net.load_state_dict(within(tensors, "net"))
        self.match.judge.load_state_dict(within(tensors, "judge"))
        fill_optimizer(self.optimizer, within(tensors, "optimizer"))
        fill_optimizer(self.match.optimizer, within(tensors, "judge_optimizer"))
        self.average.fill(within(tensors, "average"), facts["averaged"], self.device)
        self.step = facts["step"]
        self.match.turn, self.match.right, self.varying.share = facts["turn"], facts["right"], facts["varied"]

    def advise(self, row: Row) -> str | None:
        """Say what goes wrong, and its cure."""
        if self.step < PATIENCE:
            return None
        if row["diversity"] < COLLAPSED:
            return (
                f"the clips have collapsed: they differ {100 * row['diversity']:.0f} % as much as real ones; set "
                "spread=1, raise penalty or batch, or lower lr"
            )
        if row["motion"] < STILL:
            return (
                f"what is made moves {100 * row['motion']:.0f} % as much as real clips; train longer, or lower rate so "
                "that more happens in a clip"
            )
        return advise(row, GAN_LOSSES[self.options.game].chance)


def too_alike(real: Tensor, made: Tensor, labels: Tensor) -> Tensor:
    """Give how much less made clips (N, T, 3, S, S) of a class differ than real ones do, squared: 0 where they do not.

    What is compared are means over time, small: contents and not motions.
    """
    pairs = (labels[:, None] == labels[None]).float().triu(1)
    of_made, of_real = ((torch.cdist(one, one, 1) * pairs).sum() for one in (_glance(made), _glance(real)))
    return (functional.relu(of_real - of_made) / (of_real + 1e-6)).square()


def _glance(clips: Tensor) -> Tensor:
    """Give the mean over time of clips (N, T, 3, S, S), of 8 x 8 pixels, as rows."""
    return functional.adaptive_avg_pool2d(clips.float().mean(1), 8).flatten(1)


def _differences(clips: Tensor) -> Tensor:
    """Give the mean difference of each clip (N, T, 3, S, S) from the next."""
    return (clips - clips.roll(1, 0)).abs().mean()


def _moves(clips: Tensor) -> Tensor:
    """Give the mean difference of each picture from the next."""
    return (clips[:, 1:] - clips[:, :-1]).abs().mean()


def facts_of(options: GenerationOptions, classes: tuple[str, ...], data: str) -> GeneratorMetadata:
    """Give what ``model.json`` will say."""
    return GeneratorMetadata(
        network=options.net, width=options.width, size=options.size, frames=options.frames, rate=options.rate,
        classes=classes, spacing=options.spacing, backdrop=options.backdrop, rigid=options.rigid, data=Path(data).name,
    )  # fmt: skip


def sampling_of(options: GenerationOptions) -> Sampling:
    """Give what is taken of each clip."""
    return Sampling(options.frames, options.rate, (options.size, options.size))
