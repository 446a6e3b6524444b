"""Results of the training of a classifier beside the metrics of its epochs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinoscope.results.train import RunDetails
from kinoscope.training.evaluation.scores import Scores


@dataclass(kw_only=True)
class ClassificationDetails(RunDetails):
    """Results of the training of a classifier.

    Attributes:
        clips: numbers of training and validation clips.
        parameters: number of parameters, and of those that are trained.
        steps: of an epoch.
        best: the epoch whose weights were saved.
        scores: of the saved weights on the validation clips; None without such clips.
        speed: training clips per second; of this call alone.
        waiting: share of that time that was spent waiting for data.
    """

    clips: tuple[int, int]
    parameters: tuple[int, int]
    steps: int
    best: int = 0
    scores: Scores | None = None
    speed: float = 0.0
    waiting: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "clips": {"train": self.clips[0], "val": self.clips[1]},
            "parameters": {"all": self.parameters[0], "learned": self.parameters[1]},
            "best": self.best,
            "measures": {name: asdict(one) for name, one in self.scores.measures.items()} if self.scores else {},
            "clips_per_second": round(self.speed, 2),
            "waiting": round(self.waiting, 4),
        }
