"""Options of the training of a sync model, given as ``key=value``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kinoscope.core.errors import OptionError
from kinoscope.core.options import option
from kinoscope.training.options import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class SyncOptions(TrainingOptions):
    """Options of the training of a sync model."""

    table: str = option(
        "", "CSV with the columns clip, person and offset (seconds by which the audio of a clip is late)"
    )
    align: Literal["auto", "none"] = option(
        "auto", "auto (without a table, clips are first aligned by the model that comes with kinoscope) or none"
    )
    pairs: tuple[str, ...] = option(
        ("points", "points", "pixels"),
        "input of each pair of streams: points or pixels of a mouth, separated by commas",
        choices=("points", "pixels"),
    )
    steps: int = option(500, "optimizer steps for each pair of streams", low=2)
    batch: int = option(24, "segments of clips in one step", low=2)
    val: float = option(0.2, "share of the people that is held out for validation; 0 learns from all", low=0, below=1)

    def check(self) -> None:
        """Check that there is a pair."""
        if not self.pairs:
            raise OptionError("pairs is empty; give one or more of points and pixels, separated by commas")
