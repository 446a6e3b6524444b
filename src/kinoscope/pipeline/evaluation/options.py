"""Options of an evaluation: the clips that are scored, and how they are sampled and grouped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinoscope.core.validation import require_known, require_number

ClaimScores = Callable[[], Path | None]
"""Claims the folder of the files until the evaluation ends, and returns it; None where nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredClipOptions:
    """The clips that are scored, and how they are sampled and grouped.

    Attributes:
        split: train, val, test or all of the clips; if not given, the test split of the data (else the validation
            split), or all if it has no splits.
        views: number of clips that are taken of each video, spread evenly over it; their probabilities are averaged.
        group: rule that groups clips by their names (see `kinoscope train classify --help`), by default that of the
            model's run; clips of a group are not independent, and intervals allow for that.
        batch: maximum number of clips of one inference.
        n: number of clips that a generator generates (-n), and about as many real ones that are read.
        seed: of the random numbers for confidence intervals and for the clips of a generator.
    """

    split: str | None = None
    views: int = 3
    group: str = ""
    batch: int = 16
    n: int = 256
    seed: int = 0

    def check(self) -> None:
        """Raise OptionError if one cannot be used, whatever the model and the data are."""
        from kinoscope.training.data.grouping import check_group
        from kinoscope.training.evaluation.held_out import SPLITS

        if self.split is not None:
            require_known(self.split, SPLITS, "split")
        for option, value in (("views", self.views), ("batch", self.batch), ("n", self.n)):
            require_number(option, value, 1, 100_000)
        require_number("seed", self.seed, 0, 2**31 - 1)
        check_group(self.group)


TEST_CLIPS = ScoredClipOptions()
"""The default: clips that a model was not trained on, where the data or the model tells them apart."""
