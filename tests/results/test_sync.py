"""What a result of ``sync`` reads from its timeline."""

from __future__ import annotations

import pytest

from kinoscope.core.results import Event
from kinoscope.results.sync import SyncResult
from kinoscope.views.timeline import Timeline


@pytest.mark.parametrize(
    ("offsets", "certain"), [(((0.1, 0.9),), 0.1), (((0.1, 0.89),), None), (((0.1, 1), (0.3, 1)), None), ((), None)]
)
def test_an_offset_is_certain_from_the_confidence_of_a_repair(
    offsets: tuple[tuple[float, float], ...], certain: float | None
) -> None:
    events = [Event("sync", 0.0, 9.0, "audio late", score, "", {"offset": offset}) for offset, score in offsets]
    assert SyncResult("a.mp4", timeline=Timeline(events=events)).certain_offset == certain
