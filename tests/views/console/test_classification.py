"""Classes on the terminal: bars of their probabilities, then segments with their times."""

from __future__ import annotations

import numpy as np
import pytest

from kinoscope.core.results import Event, TaskReport
from kinoscope.results.classify import ClassifyResult
from kinoscope.views.console.printers import render
from kinoscope.views.timeline import Timeline


def test_classes_and_segments_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    timeline = Timeline(
        tasks={"classify": TaskReport(extra={"top": [["ride", 0.75], ["jump\n", 0.25]]})},
        events=[Event("classify", 0.0, 2.0, "ride", 0.8)],
        features={"classify.times": np.array([0.5, 1.5])},
    )
    render(ClassifyResult("a.mp4", timeline=timeline))
    assert capsys.readouterr().out.splitlines() == [
        "a.mp4",
        "  ride   75.0 %  " + "█" * 18 + "─" * 6,
        "  jump   25.0 %  " + "█" * 6 + "─" * 18,
        "  00:00:00.000 - 00:00:02.000  ride   80.0 %",
    ]
