"""The correction of an offset, and which measurements are repaired."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinoscope.core.results import DecodeReport, Event
from kinoscope.pipeline.sync_measurement import sync_options
from kinoscope.pipeline.sync_repair import correction, repair
from kinoscope.results.sync import SyncResult
from kinoscope.views.timeline import Timeline


def measured(*offsets: tuple[float, float], interrupted: bool = False) -> SyncResult:
    """Return the result of a video with offsets of (seconds, confidence)."""
    events = [
        Event("sync", 10.0 * number, 10.0 * number + 10, "audio late", confidence, "", {"offset": offset})
        for number, (offset, confidence) in enumerate(offsets)
    ]
    timeline = Timeline(decode=DecodeReport(interrupted=interrupted), events=events)
    return SyncResult("a.mp4", timeline=timeline)


def test_a_constant_offset_is_undone_by_a_delay() -> None:
    assert correction(Event("sync", 0, 9, "audio late", 1.0, "", {"offset": 0.24})) == (-0.24, 1.0)


def test_a_drift_is_undone() -> None:
    extra = {"offset": 0.08, "drift": 0.001, "at_start": 0.07, "at_end": 0.09}
    delay, stretch = correction(Event("sync", 10, 30, "audio late", 1.0, "", extra))
    for time in (10.0, 17.3, 30.0):
        heard = time + 0.07 + 0.001 * (time - 10)
        assert heard * stretch + delay == pytest.approx(time, abs=1e-9)


def test_an_offset_that_changes_is_not_repaired(tmp_path: Path) -> None:
    result = measured((0.1, 0.99), (0.3, 0.99))
    repair(result, tmp_path / "b.mp4", True, sync_options())
    assert str(result.error) == (
        "a.mp4 is not repaired: its offset changes at 10.00 s; "
        "cut it there (kinoscope convert --start --end) and repair the parts"
    )


def test_an_interrupted_measurement_is_not_repaired(tmp_path: Path) -> None:
    result = measured((0.1, 0.99), interrupted=True)
    repair(result, tmp_path / "b.mp4", False, sync_options())
    assert (result.error, result.fixed, list(tmp_path.iterdir())) == (None, None, [])
