"""Clips of alerts: which pictures are in them."""

import numpy as np
import pytest

from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Timeline
from kinoscope.source import open_source
from kinoscope.tasks import recording
from kinoscope.tasks.recording import Recorder


def show(recorder, start, end, rate=10):
    """Show grey pictures whose level is their time in seconds, times ten."""
    for i in range(round(start * rate), round(end * rate)):
        pixels = np.full((1, 24, 32, 3), min(255, i), np.uint8)
        recorder.step(FrameBatch(pixels, np.array([i / rate]), np.array([i])))


def made(tmp_path, **options):
    recorder = Recorder(tmp_path, **options)
    recorder.needs(SourceInfo("a", 32, 24, live=True))
    return recorder


def levels(path):
    """Give the times in the source of the pictures of a clip."""
    with open_source(path) as source:
        return [round(float(frame.pixels.mean())) / 10 for frame in source.frames()]


def test_a_clip_has_what_was_before_and_after(tmp_path):
    recorder = made(tmp_path, before=1, after=0.5)
    show(recorder, 0, 5)
    path = recorder.want("On the path!", 4.9)
    assert path == tmp_path / "4.9-on-the-path.mp4"
    show(recorder, 5, 8)
    assert recorder.finish(Timeline()).report.extra == {"clips": 1, "lost": 0}
    shown = levels(path)
    assert shown == pytest.approx([(39 + i) / 10 for i in range(len(shown))], abs=0.11)
    assert len(shown) in (15, 16)  # 3.9 and 5.4 themselves are a matter of rounding


def test_alerts_close_together_share_a_clip(tmp_path):
    recorder = made(tmp_path, before=1, after=1)
    show(recorder, 0, 3)
    first = recorder.want("a", 2.9)
    show(recorder, 3, 4)
    assert recorder.want("b", 3.9) == first
    show(recorder, 4, 10)
    other = recorder.want("b", 9.9)
    assert other != first
    recorder.finish(Timeline())
    assert len(levels(first)) == 31
    assert len(levels(other)) == 11  # it ends with the video
    assert sorted(tmp_path.iterdir()) == sorted([first, other])


def test_a_flood_of_alerts_makes_no_endless_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "LONGEST", 3.0)
    recorder = made(tmp_path, before=0.5, after=0.5)
    paths = set()
    for turn in range(30):
        show(recorder, 0.3 * turn, 0.3 * (turn + 1))
        paths.add(recorder.want("a", 0.3 * turn + 0.2))
    assert recorder.finish(Timeline()).report.extra == {"clips": len(paths), "lost": 0}
    assert 3 <= len(paths) <= 5
    assert all(len(levels(path)) <= 31 for path in paths)


def test_memory_holds_a_few_seconds_only(tmp_path):
    recorder = made(tmp_path, before=1, after=1)
    show(recorder, 0, 60)
    assert len(recorder._past) <= 41


def test_a_place_that_cannot_be_written_loses_the_clip_and_no_more(tmp_path):
    (tmp_path / "file").write_text("")
    recorder = made(tmp_path / "file", before=1, after=1)
    show(recorder, 0, 2)
    recorder.want("a", 1.9)
    show(recorder, 2, 4)
    assert recorder.finish(Timeline()).report.extra["clips"] == 0
