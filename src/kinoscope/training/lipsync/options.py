"""Options of the training of a lip-sync generator, given as ``key=value``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known
from kinoscope.training.options import DEVICES, demand_minimum

DESCRIPTIONS = {
    "epochs": "how many; after each, measures, a preview and a checkpoint are written",
    "steps": "optimizer steps of an epoch",
    "batch": "frames generated in one step",
    "lr": "highest learning rate of the audio network and the generator",
    "width": "channels of the generator at its finest scale: 32 for a CPU, 64 or more for a GPU",
    "val": "share at the end of each clip that is held out for validation",
    "paint": "names of clips, separated by commas, that the generator learns from; all if empty",
    "l1": "weight of the difference of colours (L1 loss)",
    "features": "weight of the difference of EfficientNet-Lite0 features, which keeps edges; 0 disables it",
    "gan_weight": "weight of the discriminator (adversarial loss), which brings texture; 0 disables it",
    "warmup_epochs": "epochs of training without the discriminator, at the beginning",
    "disc_lr": "learning rate of the discriminator",
    "r1_weight": "weight of the discriminator's gradient penalty (R1): higher where it wins, lower where it guesses",
    "sync": "weight of the sync loss: a frozen model scores whether the lips match another voice; 0 disables it",
    "expert": "that model: auto (the one that comes with kinoscope), or a folder that train sync wrote",
    "offsets": "CSV with the columns clip and offset: seconds by which the audio of a clip is late, which is corrected",
    "ema": "decay of the moving average of the weights, which is what is saved",
    "seed": "of everything random",
    "device": "auto, cpu or cuda",
}
"""Description of each option, in a line."""

CHANGEABLE_OPTIONS = ("epochs", "expert", "device")
"""Options that may change when a run is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LipSyncOptions:
    """Options of the training of a lip-sync generator; see ``DESCRIPTIONS``.

    Raises:
        OptionError: a value cannot be used.
    """

    epochs: int = 20
    steps: int = 100
    batch: int = 4
    lr: float = 1e-3
    width: int = 32
    val: float = 0.25
    paint: str = ""
    l1: float = 10.0
    features: float = 1.0
    gan_weight: float = 0.05
    warmup_epochs: int = 10
    disc_lr: float = 2e-4
    r1_weight: float = 1.0
    sync: float = 0.0
    expert: str = "auto"
    offsets: str = ""
    ema: float = 0.995
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        demand_minimum(self, {"epochs": 1, "steps": 1, "batch": 1, "width": 8})
        require_known(self.device, DEVICES, "device")
        if self.width % 8:
            raise OptionError(f"width is {self.width}; give a multiple of 8")
        if not (self.val < 1 and self.ema < 1):
            raise OptionError(f"val is {self.val:g} and ema {self.ema:g}; give less than 1")

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)
