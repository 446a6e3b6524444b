"""The result of ``explain``: why a model predicts a class of a clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kinoscope.core.explanation import Explanation
from kinoscope.core.media import Pixels
from kinoscope.results.base import Result


@dataclass
class ExplainResult(Result):
    """The explanation of a prediction for a window of a clip.

    Attributes:
        explanation: heatmaps, importance over time, and how faithful they are.
        start, end: of the window that is explained, in seconds.
        windows: number of windows among which it was selected.
        frames: of the window in display size, (T, H, W, 3); what ``views.video.heatmap`` draws the maps on.
    """

    explanation: Explanation
    start: float
    end: float
    windows: int = 1
    frames: Pixels | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        window = {"start": round(self.start, 6), "end": round(self.end, 6), "windows": self.windows}
        return {"source": self.source, "window": window} | self.explanation.to_dict()
