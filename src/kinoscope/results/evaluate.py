"""The result of ``evaluate``: scores of a classifier on labelled clips or segments, or of a generator on real clips."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kinoscope.results.base import Result

if TYPE_CHECKING:
    from kinoscope.core.metrics.temporal_detection import SegmentScores
    from kinoscope.training.evaluation.comparison import Comparison
    from kinoscope.training.evaluation.scores import Scores
    from kinoscope.training.generation.metrics import GenerationScores


@dataclass(kw_only=True)
class GeneratorEvaluation:
    """Scores of a generator.

    Attributes:
        scores: of the model.
        other: of what it was compared with, and ``other_name``.
        unreadable: real clip -> why it could not be used.
    """

    model: str
    scores: GenerationScores
    other_name: str = ""
    other: dict[str, Any] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        plain = {"model": self.model, "generation": self.scores.to_dict(), "unreadable": self.unreadable}
        return plain | ({"other": {"model": self.other_name, "generation": self.other}} if self.other else {})


@dataclass
class EvaluateResult(Result):
    """The scores of an evaluation; ``source`` is the path of the data.

    Attributes:
        model: name of the model.
        scores: of whole clips; None where segments or a generator were scored.
        comparison: with another model, where one was given.
        segments: ActivityNet's scores, where the data has timed segments.
        generation: scores of a generator.
        unreadable: clips or videos that were left out -> the reason.
    """

    model: str
    scores: Scores | None = None
    comparison: Comparison | None = None
    segments: SegmentScores | None = None
    generation: GeneratorEvaluation | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        plain: dict[str, Any] = {"model": self.model, "data": self.source}
        if self.scores:
            plain["scores"] = self.scores.to_dict()
        if self.comparison:
            plain["comparison"] = self.comparison.to_dict()
        if self.segments:
            scores = asdict(self.segments)
            plain["segments"] = scores | {"by_overlap": self.segments.by_overlap, "unreadable": self.unreadable}
        if self.generation:
            plain |= self.generation.to_dict()
        return plain | {"written": [str(path) for path in self.written]}
