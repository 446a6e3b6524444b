"""Options of the training of a frame predictor, given as ``key=value``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known
from kinoscope.training.options import DEVICES, demand_minimum

DESCRIPTIONS = {
    "net": "simvp, a CNN that predicts all frames at once, or convlstm, which predicts one after another",
    "context": "frames that are read",
    "horizon": "frames that are predicted",
    "rate": "frames per second",
    "size": "side in pixels of the square that frames are scaled to, a multiple of 4",
    "width": "channels of the network, even: 32 for a CPU, 64 or more for a GPU",
    "epochs": "how many; after each, measures, a preview and a checkpoint are written",
    "steps": "optimizer steps of an epoch",
    "batch": "clips of one step",
    "lr": "highest learning rate",
    "flip": "share of clips that are mirrored; 0 where left and right mean something",
    "val": "share of the clips that is held out for validation",
    "group": "what stays on one side of a split: index//24, number//8 or a pattern such as (person\\d+)",
    "ema": "decay of the moving average of the weights, which is what is saved",
    "seed": "of everything random",
    "device": "auto, cpu or cuda",
}
"""Description of each option, in a line."""

CHANGEABLE_OPTIONS = ("epochs", "device")
"""Options that may change when a run is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionOptions:
    """Options of the training of a frame predictor; see ``DESCRIPTIONS``.

    Raises:
        OptionError: a value cannot be used.
    """

    net: str = "simvp"
    context: int = 10
    horizon: int = 10
    rate: float = 10.0
    size: int = 64
    width: int = 32
    epochs: int = 20
    steps: int = 100
    batch: int = 16
    lr: float = 2e-3
    flip: float = 0.5
    val: float = 0.2
    group: str = ""
    ema: float = 0.995
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        from kinoscope.models.trainable.predictors import (  # not above: help on the options needs no torch
            NETWORKS,
            PATCH_SIZE,
        )

        require_known(self.net, NETWORKS, "network that predicts frames")
        require_known(self.device, DEVICES, "device")
        counts = ("context", "horizon", "width", "epochs", "steps", "batch")
        demand_minimum(self, dict.fromkeys(counts, 1) | {"rate": 0.01, "size": PATCH_SIZE})
        if self.size % PATCH_SIZE or self.width % 2:
            raise OptionError(f"size is {self.size} and width {self.width}; give multiples of {PATCH_SIZE} and of 2")
        if not (self.val < 1 and self.ema < 1 and self.flip <= 1):
            raise OptionError(f"val is {self.val:g}, ema {self.ema:g}, flip {self.flip:g}; give less than 1")

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)
