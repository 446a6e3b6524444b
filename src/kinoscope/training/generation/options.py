"""Options of the training of a video generator, given as ``key=value``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from kinoscope.core.errors import OptionError
from kinoscope.core.options import option
from kinoscope.models.trainable.generators import GANS, SIZES
from kinoscope.training.options import StepOptions


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(StepOptions):
    """Options of the training of a video generator."""

    changeable: ClassVar[tuple[str, ...]] = (*StepOptions.changeable, "workers")
    renamed: ClassVar[Mapping[str, str]] = {
        "shown": "disc_frames", "judge_width": "disc_width", "judge_lr": "disc_lr", "penalty": "r1_weight",
        "lazy": "r1_interval", "spread": "diversity_weight", "game": "gan_loss",
    }  # fmt: skip

    net: str = option(
        "video-gan", "video-gan, or mocogan to compare with, which brings its own defaults", choices=lambda: GANS
    )
    size: int = option(64, "side of the frames in pixels: 64, 128 or 256")
    frames: int = option(16, "frames of a clip in training; longer ones can be generated later", low=2)
    rate: float = option(25.0, "frames per second of those clips; others can be requested later", above=0)
    classes: bool = option(True, "whether the folders of the clips are classes that can be requested")
    width: int = option(16, "channels of the generator's finest scale: 16 for a CPU, 64 or more for a GPU", low=1)
    disc_width: int = option(24, "channels of the discriminator's finest scale", low=1)
    disc_frames: int = option(2, "frames of a clip that the discriminator also sees one by one", low=1)
    spacing: float = option(0.32, "seconds between the steps of the motion, which flows between them", above=0)
    backdrop: bool = option(
        True, "whether a static background is generated once for a clip, and the moving foreground composed over it"
    )
    rigid: bool = option(False, "whether motion only translates the foreground: for things, not people")
    steps: int = option(200, "optimizer steps of an epoch", low=1)
    batch: int = option(8, "clips of one step, over all processes", low=1)
    lr: float = option(4e-4, "learning rate of the generator", low=0)
    disc_lr: float = option(4e-4, "learning rate of the discriminator", low=0)
    momentum: float = option(0.0, "of both optimizers (Adam's beta 1), 0 to under 1", low=0, below=1)
    gan_loss: Literal["relativistic", "non-saturating", "hinge"] = option(
        "relativistic", "adversarial loss: relativistic, non-saturating or hinge"
    )
    r1_weight: float = option(
        4.0, "weight of the gradient penalty (R1, R2): higher where the discriminator wins, lower where it guesses",
        low=0,
    )  # fmt: skip
    anneal: int = option(5000, "steps in which the penalty falls to a tenth; 0 keeps it as it is", low=0)
    diversity_weight: float = option(
        0.0, "weight of the diversity loss, which keeps clips of a class as diverse as real ones; 0: none", low=0
    )
    r1_interval: int = option(8, "steps between two computations of the penalty, which is scaled by as much", low=1)
    augment: Literal["adaptive", "strong", "none"] = option(
        "adaptive", "augmentation for the discriminator: adaptive (as much as overfitting asks for), strong or none"
    )
    target: float = option(
        0.9, "share of clips the discriminator may distinguish before adaptive augments more, above 0.5 and under 1",
        above=0.5, below=1,
    )  # fmt: skip
    flip: bool = option(True, "whether augmentation may mirror clips; false where left and right mean something")
    bf16: Literal["auto", "true", "false"] = option(
        "auto", "whether to compute in bfloat16: auto (on a GPU), true or false"
    )
    workers: int = option(0, "threads that load clips; 0: one for each core", low=0)

    def check(self) -> None:
        """Check that the networks make frames of this size."""
        if self.size not in SIZES:
            raise OptionError(f"size is {self.size}; choose 64, 128 or 256 (16 and 32 are for trying out)")

    @classmethod
    def defaults(cls, pairs: Sequence[str]) -> Self:
        """Return the default options of the network that the pairs name."""
        net = cls.parse([pair for pair in pairs if pair.startswith("net=")]).net
        return cls(net=net, **GANS[net].options)
