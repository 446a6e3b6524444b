"""The measurement of an analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import kinoscope
from kinoscope.source.synthetic.video import shapes


def test_the_parts_are_measured_on_request(light: Any, tmp_path: Path) -> None:
    video = shapes(duration=1, rate=10, width=64, height=48).write(tmp_path / "a.mp4")
    result, by_part = kinoscope.bench(video), kinoscope.bench(video, where=True)
    assert (result.source, result.frames, result.parts, result.status) == (str(video), 10, None, 0)
    assert result.peak_megabytes > 0
    assert list(result.to_dict()) == ["source", "frames", "wall_s", "cpu_s", "peak_mb"]
    assert by_part.parts is not None
    assert set(by_part.parts) == {"shots", "loading models", "decode and scale"}
    assert by_part.to_dict()["where"] == by_part.parts


def test_frames_in_memory_are_measured(light: Any) -> None:
    frames = np.zeros((12, 48, 64, 3), np.uint8)
    result = kinoscope.bench(frames)
    assert (result.source, result.frames) == ("frames", 12)
