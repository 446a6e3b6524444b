"""Options of the training of a frame predictor, given as ``key=value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kinoscope.core.errors import OptionError
from kinoscope.core.options import option
from kinoscope.training.options import SplitOptions, StepOptions


def _networks() -> Iterable[str]:
    from kinoscope.models.trainable.predictors import NETWORKS  # not above: help on the options needs no torch

    return NETWORKS


@dataclass(frozen=True, kw_only=True)
class PredictionOptions(StepOptions, SplitOptions):
    """Options of the training of a frame predictor."""

    renamed: ClassVar[Mapping[str, str]] = {"before": "context", "after": "horizon"}

    net: str = option(
        "simvp", "simvp, a CNN that predicts all frames at once, or convlstm, which predicts one after another",
        choices=_networks,
    )  # fmt: skip
    context: int = option(10, "frames that are read", low=1)
    horizon: int = option(10, "frames that are predicted", low=1)
    rate: float = option(10.0, "frames per second", low=0.01)
    size: int = option(64, "side in pixels of the square that frames are scaled to, a multiple of 4", low=4)
    width: int = option(32, "channels of the network, even: 32 for a CPU, 64 or more for a GPU", low=1)
    lr: float = option(2e-3, "highest learning rate", low=0)
    flip: float = option(0.5, "share of clips that are mirrored; 0 where left and right mean something", low=0, high=1)

    def check(self) -> None:
        """Check that the network can divide frames and channels."""
        from kinoscope.models.trainable.predictors import PATCH_SIZE

        if self.size % PATCH_SIZE or self.width % 2:
            raise OptionError(f"size is {self.size} and width {self.width}; give multiples of {PATCH_SIZE} and of 2")
