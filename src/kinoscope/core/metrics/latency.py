"""How long things took, in bounded memory: counts of milliseconds, from which quantiles are told."""

from __future__ import annotations

import numpy as np

MAX_MILLISECONDS = 60_000
"""Milliseconds told apart; longer delays count as so long."""


class LatencyHistogram:
    """Delays as they come, and their quantiles to the millisecond."""

    def __init__(self) -> None:
        self._counts = np.zeros(MAX_MILLISECONDS + 1, np.int64)

    def add(self, seconds: float) -> None:
        """Take in a delay."""
        self._counts[min(MAX_MILLISECONDS, max(0, round(seconds * 1000)))] += 1

    def __len__(self) -> int:
        return int(self._counts.sum())

    def quantile(self, share: float) -> float | None:
        """Give the least delay in seconds that ``share`` of all are not longer than; None where there is none."""
        total = len(self)
        if not total:
            return None
        return int(np.searchsorted(self._counts.cumsum(), max(1, int(np.ceil(share * total))))) / 1000

    def to_dict(self) -> dict[str, float | int | None]:
        """Give the plain form: how many, and their median, 95th percentile and longest in seconds."""
        return {"count": len(self), "p50": self.quantile(0.5), "p95": self.quantile(0.95), "max": self.quantile(1)}
