"""What can be chosen when a predictor of frames is trained: words ``key=value``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.core.errors import OptionError
from kinoscope.core.names import demand
from kinoscope.learn.choices import DEVICES, demand_least

ABOUT = {
    "net": "simvp, a CNN that tells all frames at once, or convlstm, which tells one after another",
    "before": "frames that are read",
    "after": "frames that are told",
    "rate": "frames a second",
    "size": "side in pixels of the square that frames are scaled to, a multiple of 4",
    "width": "of the network's maps: 32 for a CPU, 64 or more for a GPU",
    "epochs": "rounds; after each there are measures, a preview and a checkpoint",
    "steps": "of an epoch",
    "batch": "clips learned from at once",
    "lr": "largest learning rate",
    "flip": "share of clips that are mirrored; 0 where left and right mean something",
    "val": "share of the clips that is never learned from, but measured",
    "group": "rule by which clips that belong together are not split, as in train classify",
    "ema": "decay of the moving average of the weights, which is what is kept",
    "seed": "of all drawings",
    "device": "auto, cpu or cuda",
}
"""Each option in a line."""

FREE = ("epochs", "device")
"""Options that may change when a run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextFramesOptions:
    """How a predictor of frames is trained; see ``ABOUT``.

    Raises:
        OptionError: a value cannot be used.
    """

    net: str = "simvp"
    before: int = 10
    after: int = 10
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
        from kinoscope.models.predictors import NETWORKS, SIDE  # not above: help on the options needs no torch

        demand(self.net, NETWORKS, "network that predicts frames")
        demand(self.device, DEVICES, "device")
        counts = ("before", "after", "width", "epochs", "steps", "batch")
        demand_least(self, dict.fromkeys(counts, 1) | {"rate": 0.01, "size": SIDE})
        if self.size % SIDE or self.width % 2:
            raise OptionError(f"size is {self.size} and width {self.width}; give multiples of {SIDE} and of 2")
        if not (self.val < 1 and self.ema < 1 and self.flip <= 1):
            raise OptionError(f"val is {self.val:g}, ema {self.ema:g}, flip {self.flip:g}; give less than 1")

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return asdict(self)
