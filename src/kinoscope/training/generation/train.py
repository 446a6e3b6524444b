"""Training of a video generator against a discriminator.

A step of both networks is ``GeneratorTrainer._losses``, an epoch ``train_epoch``. Latents are sampled, the generator
makes clips of the classes of the real batch, both are augmented alike, the discriminator learns to distinguish them,
and the generator learns from its gradient. The saved model is a moving average of the generator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

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
from kinoscope.training.checkpoint import Part
from kinoscope.training.data.streams import ClipStream, make_stream
from kinoscope.training.distributed import Processes, require_equal_shares
from kinoscope.training.generation.adversarial import MIN_STALL_STEPS, DiscriminatorTrainer, diagnose_balance
from kinoscope.training.generation.augment import make_augment
from kinoscope.training.generation.losses import GAN_LOSSES
from kinoscope.training.generation.options import GenerationOptions
from kinoscope.training.logging import Row
from kinoscope.training.optim import ExponentialMovingAverage, gradients
from kinoscope.training.trainer import PREVIEW_GIF, StepCallback, Trainer, TrainingSetup, start_epoch
from kinoscope.views.video.grid import grid, strips

MIN_DIVERSITY = 0.25
"""Minimum diversity of generated clips, as a share of that of real clips; below it they have collapsed."""

MIN_MOTION = 0.25
"""Minimum motion of generated clips, as a share of that of real clips; below it they are too static."""

WARMUP_STEPS = 100
"""Steps in which learning rates rise."""

PREVIEW_CLIPS = 16
"""Clips in a preview."""


class GeneratorTrainer(Trainer):
    """The training of a generator.

    Args:
        clips: to learn from.
        data: their name.
        processes: the processes that share the work.

    Attributes:
        net: the generator.
        adversary: the discriminator and its training.
        average: of the generator.
        augment: augmentation of the discriminator's inputs.
    """

    task = TASK
    options: GenerationOptions

    def __init__(
        self, options: GenerationOptions, clips: ClipStream, data: str = "", processes: Processes | None = None
    ) -> None:
        super().__init__(options, processes)
        require_equal_shares(options.batch, self.processes.world)
        self.clips, self.unreadable = clips, clips.unreadable
        self.device = self.processes.device
        self.model_metadata = new_metadata(options, clips.classes, data)
        torch.manual_seed(options.seed)
        self.net: Any = new_generator(self.model_metadata).to(self.device)
        discriminator = new_discriminator(self.model_metadata, options.disc_width, options.disc_frames).to(self.device)
        self.optimizer = self._adam(self.net, options.lr)
        self.adversary = DiscriminatorTrainer(
            discriminator, self._adam(discriminator, options.disc_lr), GAN_LOSSES[options.gan_loss],
            r1_weight=options.r1_weight, r1_interval=options.r1_interval,
            penalize_fake=True, processes=self.processes,
        )  # fmt: skip
        self.average = ExponentialMovingAverage(options.ema)
        self.average.start(self.net)
        self.augment = make_augment(options.augment, options.target, options.flip)
        self.examples = (len(clips), 0)

    @classmethod
    def build(cls, options: GenerationOptions, setup: TrainingSetup) -> Self:
        """Read the clips of a folder, or sample synthetic ones, and return the trainer."""
        clips = make_stream(
            setup.data, clip_sampling(options), classes=options.classes, allow_few=options.augment == "strong",
            seed=options.seed, workers=options.workers or None,
        )  # fmt: skip
        return cls(options, clips, setup.data, setup.processes)

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        return {
            "net": self.net,
            "discriminator": self.adversary.discriminator,
            "optimizer": self.optimizer,
            "discriminator_optimizer": self.adversary.optimizer,
            "average": self.average,
        }

    def state_values(self) -> dict[str, Any]:
        """Return the state of the discriminator's schedule and of the augmentation."""
        return {
            "discriminator_steps": self.adversary.steps,
            "disc_accuracy": self.adversary.accuracy,
            "augment_probability": self.augment.probability,
        }

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore what ``state_values`` returned."""
        self.adversary.steps, self.adversary.accuracy = values["discriminator_steps"], values["disc_accuracy"]
        self.augment.probability = values["augment_probability"]

    def _adam(self, net: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(net.parameters(), rate, betas=(self.options.momentum, 0.99))

    def dry_run_step(self) -> Row:
        """Take one step."""
        return self._train_steps(1)

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Take the steps of an epoch; return the means of the metrics.

        Raises:
            TrainingError: a loss is no longer finite.
        """
        return self._train_steps(self.options.steps, on_step)

    def _train_steps(self, steps: int, on_step: StepCallback | None = None) -> Row:
        options = self.options
        start_epoch(options.seed, self.epoch, self.processes.rank)
        self.net.train()
        self.adversary.discriminator.train()
        for pixels, labels in self.clips.batches(self.epoch, steps, options.batch, self.processes):
            self._set_schedules()
            loss = self._losses(from_pixels(pixels, self.device), torch.from_numpy(labels).to(self.device))
            if not math.isfinite(float(loss.detach())):
                raise TrainingError(
                    f"the generator's loss is no longer finite in step {self.step + 1}; the previous epochs are saved; "
                    f"restart with lr={options.lr / 4:g} disc_lr={options.disc_lr / 4:g}"
                )
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.processes.average(gradients(self.net))
            self.optimizer.step()
            if options.ema:
                self.average.update(self.net)
            self.augment.adapt(self.adversary.accuracy, options.batch)
            self.step += 1
            if on_step:
                on_step(self.step)
        return self.adversary.metrics.take_means() | {"augment_probability": self.augment.probability}

    def _set_schedules(self) -> None:
        """Set the learning rates of the warm-up, and anneal the gradient penalty to a tenth."""
        annealed = min(1.0, self.step / self.options.anneal) if self.options.anneal else 0.0
        self.adversary.r1_weight = self.options.r1_weight * 0.1**annealed
        share = min(1.0, (self.step + 1) / WARMUP_STEPS)
        for optimizer, rate in ((self.optimizer, self.options.lr), (self.adversary.optimizer, self.options.disc_lr)):
            optimizer.param_groups[0]["lr"] = share * rate

    def _losses(self, real: Tensor, labels: Tensor) -> Tensor:
        """Take a discriminator step, and return the generator's loss, for clips (N, T, 3, S, S) of classes (N,)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._in_bf16):
            generated = self.net(*self.sample_inputs(labels))
            self.adversary.discriminator_step(self.augment(real), self.augment(generated.detach()), labels)
            loss = self.adversary.generator_loss(self.augment(real), self.augment(generated), labels)
            if self.options.diversity_weight:
                loss = loss + self.options.diversity_weight * diversity_loss(real, generated, labels)
        self._log_statistics(real, generated.detach())
        return loss

    @property
    def _in_bf16(self) -> bool:
        return self.device.type == "cuda" if self.options.bf16 == "auto" else self.options.bf16 == "true"

    def sample_inputs(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample latents of content and motion for classes (N,), and frame times from random moments on."""
        options, count = self.options, len(labels)
        content_size, motion_size = GANS[options.net].latent_sizes
        steps = self.net.steps(options.frames / options.rate + MAX_START_SECONDS)
        begin = MAX_START_SECONDS * torch.rand(count, 1, device=self.device)
        times = begin + torch.arange(options.frames, device=self.device) / options.rate
        shapes = ((count, content_size), (count, steps, motion_size))
        latents = (torch.randn(*shape, device=self.device) for shape in shapes)
        return (*latents, labels, times)  # type: ignore[return-value]

    @torch.no_grad()
    def _log_statistics(self, real: Tensor, generated: Tensor) -> None:
        """Log diversity and motion of generated clips, as a share of those of real clips."""
        for name, measure in (("diversity", _clip_differences), ("motion", _frame_differences)):
            self.adversary.metrics.add(**{name: float(measure(generated) / (measure(real) + 1e-6))})

    @torch.no_grad()
    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels]:
        """Write the generator, and return a preview of fixed latents, each class in turn."""
        with self.average.applied_to(self.net) if self.options.ema else nullcontext():
            self.net.eval()
            save_generator(folder, self.net, self.model_metadata, half=False)
            clips = self.preview()
        save_clip(folder / PREVIEW_GIF, grid(clips), self.options.rate, "preview of a generator in training")
        return {}, strips(clips)

    def preview(self) -> Pixels:
        """Generate clips (N, T, H, W, 3) from latents that are the same each time."""
        rng_state = torch.get_rng_state()
        torch.manual_seed(self.options.seed)
        labels = torch.arange(PREVIEW_CLIPS, device=self.device) * max(1, len(self.clips.classes)) // PREVIEW_CLIPS
        content, motion, labels, times = self.sample_inputs(labels)
        torch.set_rng_state(rng_state)
        return to_pixels(self.net(content, motion, labels, times - times[:, :1]))

    def diagnose(self, row: Row) -> str | None:
        """Return a one-line diagnosis and fix, or None."""
        if self.step < MIN_STALL_STEPS:
            return None
        if row["diversity"] < MIN_DIVERSITY:
            return (
                f"the clips have collapsed: they differ {100 * row['diversity']:.0f} % as much as real ones; set "
                "diversity_weight=1, raise r1_weight or batch, or lower lr"
            )
        if row["motion"] < MIN_MOTION:
            return (
                f"generated clips move {100 * row['motion']:.0f} % as much as real ones; train longer, or lower rate "
                "so that more happens in a clip"
            )
        return diagnose_balance(row, GAN_LOSSES[self.options.gan_loss].chance)


def diversity_loss(real: Tensor, generated: Tensor, labels: Tensor) -> Tensor:
    """Return by how much generated clips (N, T, 3, S, S) of a class differ less than real ones, squared; 0 if they do
    not.

    Small images of the mean over time are compared: content and not motion.
    """
    pairs = (labels[:, None] == labels[None]).float().triu(1)
    fake, actual = (
        (torch.cdist(rows, rows, 1) * pairs).sum() for rows in (_mean_frames(generated), _mean_frames(real))
    )
    return (functional.relu(actual - fake) / (actual + 1e-6)).square()


def _mean_frames(clips: Tensor) -> Tensor:
    """Return the mean over time of clips (N, T, 3, S, S), of 8 x 8 pixels, as rows."""
    return functional.adaptive_avg_pool2d(clips.float().mean(1), 8).flatten(1)


def _clip_differences(clips: Tensor) -> Tensor:
    """Return the mean absolute difference of each clip (N, T, 3, S, S) from the next."""
    return (clips - clips.roll(1, 0)).abs().mean()


def _frame_differences(clips: Tensor) -> Tensor:
    """Return the mean absolute difference of each frame from the next."""
    return (clips[:, 1:] - clips[:, :-1]).abs().mean()


def new_metadata(options: GenerationOptions, classes: tuple[str, ...], data: str) -> GeneratorMetadata:
    """Return the metadata for ``model.json``."""
    return GeneratorMetadata(
        network=options.net, width=options.width, size=options.size, frames=options.frames, rate=options.rate,
        classes=classes, spacing=options.spacing, backdrop=options.backdrop, rigid=options.rigid, data=Path(data).name,
    )  # fmt: skip


def clip_sampling(options: GenerationOptions) -> Sampling:
    """Return the sampling of training clips."""
    return Sampling(options.frames, options.rate, (options.size, options.size))
