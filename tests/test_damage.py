"""How damage is reported: in one line on standard error, under its own name, never as an interruption by the user."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kinoscope as package
from kinoscope.core.results import DecodeReport, Event, TaskReport, TaskResult, Track
from kinoscope.galleries import GallerySample
from kinoscope.source.synthetic.video import shapes
from kinoscope.views.console.analysis import damage_summary
from kinoscope.views.timeline import Timeline
from tests.conftest import Call

Cli = Callable[..., Call]


def half(path: Path) -> Path:
    """Write a video of which the second half is missing."""
    whole = shapes(duration=4, width=64, height=48).write(path.with_name("whole.mkv"), lossless=True).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def test_a_truncated_video_is_incomplete_and_said_to_be(kinoscope: Cli, light: Any, tmp_path: Path) -> None:
    video = half(tmp_path / "half.mkv")
    for number, more in enumerate(((), ("--json",))):
        out = tmp_path / str(number)
        call = kinoscope("analyze", video, "-o", out, *more)
        (line,) = call.err.splitlines()
        assert line.startswith(f"kinoscope: {video} was not read to its end (")
        assert line.endswith("; the results so far are kept")
        assert call.status == 1
        found = json.loads((out / "timeline.json").read_text())
        assert found["tasks"]["shots"]["status"] == "incomplete"
        assert not found["decode"]["complete"]
    assert json.loads(call.out)["analyses"][0]["status"] == 1


def test_a_whole_video_is_not_complained_of(kinoscope: Cli, light: Any, tmp_path: Path) -> None:
    video = shapes(duration=1, width=64, height=48).write(tmp_path / "a.mp4")
    assert kinoscope("analyze", video, "-o", tmp_path / "out").err == ""


def test_each_kind_of_damage_has_its_words() -> None:
    def line(**decode: Any) -> str | None:
        return damage_summary(Timeline({"path": "a.mp4"}, DecodeReport(**decode)))

    assert line() is None
    assert line(complete=False, interrupted=True) == ("a.mp4: interrupted; the results so far are kept")
    assert line(complete=False, errors=["ends at 2 s of 4 s"] * 2) == (
        "a.mp4 was not read to its end (ends at 2 s of 4 s); the results so far are kept"
    )
    assert line(failures=1, errors=["invalid\ndata"]) == (
        "a.mp4: 1 frame or packet could not be decoded (invalid data); --on-error says what to do about them"
    )


def test_results_are_short_to_print(light: Any, tmp_path: Path) -> None:
    video = shapes(duration=2, width=64, height=48).write(tmp_path / "a.mp4")
    done = package.analyze(video, out=tmp_path / "out")
    assert done.timeline is not None
    boxes = np.tile([0.0, 1, 2, 3, 4, 0.5], (5000, 1))
    track, event = Track(1, "objects", "cat", 0.5, boxes, "Tom"), Event("shots", 0, 1, "shot")
    result = TaskResult([event], [track], {"a": boxes}, {"objects-1": b"\xff\xd8" * 50_000}, TaskReport())
    done.timeline.add("objects", result)
    look = GallerySample("Ada", "face", np.zeros(512, np.float32), 0.5, b"\xff\xd8" * 5000, "a.jpg")
    assert repr(track) == "Track(1, 'objects', 'cat', 'Tom', boxes=5000, 0.0 - 0.0 s)"
    assert repr(result) == "TaskResult(events=1, tracks=1, features=1, images=1, status='ok')"
    assert f"frames={50}, events=2, tracks=1" in repr(done)
    assert max(len(repr(one)) for one in (done, done.timeline, result, track, look)) < 1000
