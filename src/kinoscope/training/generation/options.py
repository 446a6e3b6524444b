"""Options of the training of a video generator, given as ``key=value``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known, require_positive
from kinoscope.models.trainable.generators import GANS, SIZES
from kinoscope.training.options import DEVICES, demand_minimum

DESCRIPTIONS = {
    "net": "video-gan, or mocogan to compare with, which brings its own defaults",
    "size": "side of the frames in pixels: 64, 128 or 256",
    "frames": "frames of a clip in training; longer ones can be generated later",
    "rate": "frames per second of those clips; others can be requested later",
    "classes": "whether the folders of the clips are classes that can be requested",
    "width": "channels of the generator's finest scale: 16 for a CPU, 64 or more for a GPU",
    "disc_width": "channels of the discriminator's finest scale",
    "disc_frames": "frames of a clip that the discriminator also sees one by one",
    "spacing": "seconds between the steps of the motion, which flows between them",
    "backdrop": "whether a static background is generated once for a clip, and the moving foreground composed over it",
    "rigid": "whether motion only translates the foreground: for things, not people",
    "epochs": "how many; after each, measures, a preview and a checkpoint are written",
    "steps": "optimizer steps of an epoch",
    "batch": "clips of one step, over all processes",
    "lr": "learning rate of the generator",
    "disc_lr": "learning rate of the discriminator",
    "momentum": "of both optimizers (Adam's beta 1), 0 to under 1",
    "gan_loss": "adversarial loss: relativistic, non-saturating or hinge",
    "r1_weight": "weight of the gradient penalty (R1, R2): higher where the discriminator wins, lower where it guesses",
    "anneal": "steps in which the penalty falls to a tenth; 0 keeps it as it is",
    "diversity_weight": "weight of the diversity loss, which keeps clips of a class as diverse as real ones; 0: none",
    "r1_interval": "steps between two computations of the penalty, which is scaled by as much",
    "augment": "augmentation for the discriminator: adaptive (as much as overfitting asks for), strong or none",
    "target": "share of clips the discriminator may distinguish before adaptive augments more, above 0.5 and under 1",
    "flip": "whether augmentation may mirror clips; false where left and right mean something",
    "ema": "decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves",
    "bf16": "whether to compute in bfloat16: auto (on a GPU), true or false",
    "seed": "of everything random",
    "workers": "threads that load clips; 0: one for each core",
    "device": "auto, cpu or cuda",
}
"""Description of each option, in a line."""

CHANGEABLE_OPTIONS = ("epochs", "workers", "device")
"""Options that may change when a run is resumed."""

GAN_LOSS_NAMES = ("relativistic", "non-saturating", "hinge")
"""Names of ``training.generation.losses.GAN_LOSSES``; not imported, since that loads torch, and help should not."""

AUGMENTS = ("adaptive", "strong", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """Options of the training of a video generator; see ``ABOUT``.

    Raises:
        OptionError: a value cannot be used.
    """

    net: str = "video-gan"
    size: int = 64
    frames: int = 16
    rate: float = 25.0
    classes: bool = True
    width: int = 16
    disc_width: int = 24
    disc_frames: int = 2
    spacing: float = 0.32
    backdrop: bool = True
    rigid: bool = False
    epochs: int = 20
    steps: int = 200
    batch: int = 8
    lr: float = 4e-4
    disc_lr: float = 4e-4
    momentum: float = 0.0
    gan_loss: str = "relativistic"
    r1_weight: float = 4.0
    anneal: int = 5000
    diversity_weight: float = 0.0
    r1_interval: int = 8
    augment: str = "adaptive"
    target: float = 0.9
    flip: bool = True
    ema: float = 0.995
    bf16: str = "auto"
    seed: int = 0
    workers: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        counts = ("width", "disc_width", "disc_frames", "epochs", "steps", "batch", "r1_interval")
        demand_minimum(self, dict.fromkeys(counts, 1) | {"frames": 2})
        require_known(self.net, GANS, "net")
        require_known(self.gan_loss, GAN_LOSS_NAMES, "gan_loss")
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
        """Return a dictionary for JSON."""
        return asdict(self)


def default_options(words: tuple[str, ...]) -> GenerationOptions:
    """Return the default options of the network that the words name."""
    networks = [word.partition("=")[2] for word in words if word.startswith("net=")]
    net = networks[-1] if networks else GenerationOptions().net
    require_known(net, GANS, "net")
    return GenerationOptions(net=net, **GANS[net].options)
