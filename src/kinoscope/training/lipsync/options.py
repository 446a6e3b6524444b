"""Options of the training of a lip-sync generator, given as ``key=value``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kinoscope.core.errors import OptionError
from kinoscope.core.options import option
from kinoscope.training.options import StepOptions


@dataclass(frozen=True, kw_only=True)
class LipSyncOptions(StepOptions):
    """Options of the training of a lip-sync generator."""

    changeable: ClassVar[tuple[str, ...]] = (*StepOptions.changeable, "expert")
    renamed: ClassVar[Mapping[str, str]] = {
        "judge": "gan_weight", "judge_lr": "disc_lr", "penalty": "r1_weight", "alone": "warmup_epochs",
    }  # fmt: skip

    batch: int = option(4, "frames generated in one step", low=1)
    lr: float = option(1e-3, "highest learning rate of the audio network and the generator", low=0)
    width: int = option(32, "channels of the generator at its finest scale: 32 for a CPU, 64 or more for a GPU", low=8)
    val: float = option(0.25, "share at the end of each clip that is held out for validation", low=0, below=1)
    paint: str = option("", "names of clips, separated by commas, that the generator learns from; all if empty")
    l1: float = option(10.0, "weight of the difference of colours (L1 loss)", low=0)
    features: float = option(
        1.0, "weight of the difference of EfficientNet-Lite0 features, which keeps edges; 0 disables it", low=0
    )
    gan_weight: float = option(
        0.05, "weight of the discriminator (adversarial loss), which brings texture; 0 disables it", low=0
    )
    warmup_epochs: int = option(10, "epochs of training without the discriminator, at the beginning", low=0)
    disc_lr: float = option(2e-4, "learning rate of the discriminator", low=0)
    r1_weight: float = option(
        1.0, "weight of the discriminator's gradient penalty (R1): higher where it wins, lower where it guesses", low=0
    )
    sync: float = option(
        0.0, "weight of the sync loss: a frozen model scores whether the lips match another voice; 0 disables it", low=0
    )
    expert: str = option(
        "auto", "that model: auto (the one that comes with kinoscope), or a folder that train sync wrote"
    )
    offsets: str = option(
        "", "CSV with the columns clip and offset: seconds by which the audio of a clip is late, which is corrected"
    )

    def check(self) -> None:
        """Check that the generator can divide its channels."""
        if self.width % 8:
            raise OptionError(f"width={self.width} is not possible; give a multiple of 8")
