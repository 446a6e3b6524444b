"""Who has been seen for long enough: detectors see ghosts, and what is told at once cannot be taken back."""

from __future__ import annotations

from kinoscope.core.results import Seen
from kinoscope.rules.watchers import FORGET, Key

SETTLED, LOOKS = 0.3, 3
"""Seconds for which, and pictures in which, a thing must have been seen before rules count it: detectors see ghosts."""


class Settling:
    """Lets through what has been seen for a while: ``SETTLED`` seconds and ``LOOKS`` pictures."""

    def __init__(self) -> None:
        self._known: dict[Key, list[float]] = {}

    def __call__(self, time: float, seen: list[Seen]) -> list[Seen]:
        """Give those of the things in the picture at ``time`` seconds that have been seen before."""
        self._known = {key: times for key, times in self._known.items() if time - times[-1] <= FORGET}
        for one in seen:
            times = self._known.setdefault((one.task, one.id), [])
            times[LOOKS - 1 :] = [time]
        return [one for one in seen if self._settled(time, self._known[one.task, one.id])]

    def _settled(self, time: float, times: list[float]) -> bool:
        return len(times) >= LOOKS and time - times[0] >= SETTLED - 1e-6
