"""How long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[float, float | None], None]
"""Called with what is done and what there is in all, in one unit (seconds, clips, steps); the latter may be unknown."""
