"""Latency quantiles in bounded memory, from counts of milliseconds."""

from __future__ import annotations

import numpy as np

MAX_MILLISECONDS = 60_000
"""Milliseconds that are counted separately; longer delays count as this one."""


class LatencyHistogram:
    """Histogram of delays, with quantiles to the millisecond."""

    def __init__(self) -> None:
        self._counts = np.zeros(MAX_MILLISECONDS + 1, np.int64)

    def add(self, seconds: float) -> None:
        """Add a delay."""
        self._counts[min(MAX_MILLISECONDS, max(0, round(seconds * 1000)))] += 1

    def __len__(self) -> int:
        return int(self._counts.sum())

    def quantile(self, share: float) -> float | None:
        """Return the delay in seconds that the given share of all does not exceed; None where there is none."""
        total = len(self)
        if not total:
            return None
        return int(np.searchsorted(self._counts.cumsum(), max(1, int(np.ceil(share * total))))) / 1000

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the number of delays, and their median, 95th percentile and maximum in seconds."""
        return {"count": len(self), "p50": self.quantile(0.5), "p95": self.quantile(0.95), "max": self.quantile(1)}
