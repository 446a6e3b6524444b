"""The callback of long-running work."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[float, float | None], None]
"""Called with the amount done and the total, in one unit (seconds, clips, steps); the total may be unknown."""
