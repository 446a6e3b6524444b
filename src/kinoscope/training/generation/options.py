"""What can be chosen when a generator of clips is trained: words ``key=value``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known, require_positive
from kinoscope.models.trainable.generators import GANS, SIZES
from kinoscope.training.options import DEVICES, demand_least

ABOUT = {
    "net": "video-gan, or mocogan to compare with, which brings its own defaults",
    "size": "side of the frames in pixels: 64, 128 or 256",
    "frames": "frames of a clip in training; longer ones can be generated later",
    "rate": "frames per second of those clips; others can be asked for later",
    "classes": "whether the folders of the clips are classes that can be asked for",
    "width": "channels of the generator's finest scale: 16 for a CPU, 64 or more for a GPU",
    "judge_width": "channels of the discriminator's finest scale",
    "shown": "frames of a clip that the discriminator also sees one by one",
    "spacing": "seconds between the steps of the motion, which flows between them",
    "backdrop": "whether what stands still is painted once for a clip, and what moves laid over it",
    "rigid": "whether motion shifts what moves, and changes nothing else of it: for things, not people",
    "epochs": "how many; after each, measures, a preview and a checkpoint are written",
    "steps": "optimizer steps of an epoch",
    "batch": "clips of one step, over all processes",
    "lr": "learning rate of the generator",
    "judge_lr": "learning rate of the discriminator",
    "momentum": "of both optimizers (Adam's beta 1), 0 to under 1",
    "game": "adversarial loss: relativistic, non-saturating or hinge",
    "penalty": "weight of the gradient penalty (R1, R2): higher where the discriminator wins, lower where it guesses",
    "anneal": "steps in which the penalty falls to a tenth; 0 keeps it as it is",
    "spread": "weight of the diversity loss: clips of a class are to differ as much as real ones; 0 disables it",
    "lazy": "steps between two computations of the penalty, which is so many times stronger",
    "augment": "augmentation for the discriminator: adaptive (as much as overfitting asks for), strong or none",
    "target": "share of clips the discriminator may distinguish before adaptive augments more, above 0.5 and under 1",
    "flip": "whether augmentation may mirror clips; false where left and right mean something",
    "ema": "decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves",
    "bf16": "whether to compute in bfloat16: auto (on a GPU), true or false",
    "seed": "of everything random",
    "workers": "threads that load clips; 0: one for each core",
    "device": "auto, cpu or cuda",
}
"""Each option in a line."""

FREE = ("epochs", "workers", "device")
"""Options that may change when a run goes on."""

GAN_LOSS_NAMES = ("relativistic", "non-saturating", "hinge")
"""Those of ``training.generation.losses``, which is not read here: it loads torch, and help should not."""

AUGMENTS = ("adaptive", "strong", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """How a generator is trained; see ``ABOUT``.

    Raises:
        OptionError: a value cannot be used.
    """

    net: str = "video-gan"
    size: int = 64
    frames: int = 16
    rate: float = 25.0
    classes: bool = True
    width: int = 16
    judge_width: int = 24
    shown: int = 2
    spacing: float = 0.32
    backdrop: bool = True
    rigid: bool = False
    epochs: int = 20
    steps: int = 200
    batch: int = 8
    lr: float = 4e-4
    judge_lr: float = 4e-4
    momentum: float = 0.0
    game: str = "relativistic"
    penalty: float = 4.0
    anneal: int = 5000
    spread: float = 0.0
    lazy: int = 8
    augment: str = "adaptive"
    target: float = 0.9
    flip: bool = True
    ema: float = 0.995
    bf16: str = "auto"
    seed: int = 0
    workers: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        least = dict.fromkeys(("width", "judge_width", "shown", "epochs", "steps", "batch", "lazy"), 1)
        demand_least(self, least | {"frames": 2})
        require_known(self.net, GANS, "net")
        require_known(self.game, GAN_LOSS_NAMES, "game")
        require_known(self.augment, AUGMENTS, "augment")
        require_known(self.bf16, ("auto", "true", "false"), "bf16")
        require_known(self.device, DEVICES, "device")
        require_positive("rate", self.rate, 25)
        require_positive("spacing", self.spacing, 0.32)
        if self.size not in SIZES:
            raise OptionError(f"size is {self.size}; choose 64, 128 or 256 (16 and 32 are for trying out)")
        if not (self.ema < 1 and self.momentum < 1 and 0.5 < self.target < 1):
            raise OptionError(
                f"ema is {self.ema:g}, momentum {self.momentum:g} and target {self.target:g}; give less than 1 of "
                "each, and a target above 0.5"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return asdict(self)


def defaults_of(words: tuple[str, ...]) -> GenerationOptions:
    """Give the defaults of the network that words name."""
    named = [word.partition("=")[2] for word in words if word.startswith("net=")]
    net = named[-1] if named else GenerationOptions().net
    require_known(net, GANS, "net")
    return GenerationOptions(net=net, **GANS[net].options)
