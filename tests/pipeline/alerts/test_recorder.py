"""Clips of alerts: which frames are in them."""

import numpy as np
import pytest

from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.pipeline.alerts import recorder as recording
from kinoscope.pipeline.alerts.recorder import Recorder
from kinoscope.source import open_source
from kinoscope.views.timeline import Timeline


def show(recorder, start, end, rate=10):
    """Show grey frames whose level is their time in seconds, times ten."""
    for i in range(round(start * rate), round(end * rate)):
        pixels = np.full((1, 24, 32, 3), min(255, i), np.uint8)
        recorder.process_frames(FrameBatch(pixels, np.array([i / rate]), np.array([i])))


def made(tmp_path, **options):
    recorder = Recorder(tmp_path, **options)
    recorder.needs(SourceInfo("a", 32, 24, live=True))
    return recorder


def levels(path):
    """Return the times in the source of the frames of a clip."""
    with open_source(path) as source:
        return [round(float(frame.pixels.mean())) / 10 for frame in source.frames()]


def test_a_clip_has_what_was_before_and_after(tmp_path):
    recorder = made(tmp_path, before=1, after=0.5)
    show(recorder, 0, 5)
    path, inside = recorder.request_clip("On the path!", 4.9)
    assert inside == pytest.approx(1.0, abs=0.11)
    assert path == tmp_path / "4.9-on-the-path.mp4"
    show(recorder, 5, 8)
    assert recorder.finish(Timeline()).report.extra == {"clips": 1, "lost": 0}
    shown = levels(path)
    assert shown == pytest.approx([(39 + i) / 10 for i in range(len(shown))], abs=0.11)
    assert len(shown) in (15, 16)  # 3.9 and 5.4 themselves are a matter of rounding


def test_each_alert_has_a_clip_of_its_own(tmp_path):
    recorder = made(tmp_path, before=1, after=1)
    show(recorder, 0, 3)
    first, _ = recorder.request_clip("a", 2.9)
    show(recorder, 3, 3.5)
    assert recorder.request_clip("a", 3.4) == (first, 1.5)  # in the middle of that one
    other, inside = recorder.request_clip("b", 3.4)
    assert inside == 1.0
    assert recorder.request_clip("b!", 3.4)[0] not in (first, other)
    show(recorder, 3.5, 4.2)
    again, _ = recorder.request_clip("a", 4.1)
    show(recorder, 4.2, 10)
    last, _ = recorder.request_clip("b", 9.9)
    recorder.finish(Timeline())
    assert [len(levels(path)) for path in (first, other, again, last)] == pytest.approx([26, 21, 21, 11], abs=1)
    with open_source(other) as source:
        assert next(source.frames()).time == 0
    assert len(set(tmp_path.glob("[!.]*"))) == 5


def test_a_flood_of_alerts_shares_clips_and_loses_none(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MAX_CLIP_SECONDS", 3.0)
    monkeypatch.setattr(recording, "MAX_OPEN_CLIPS", 2)
    monkeypatch.setattr(recording, "MAX_QUEUED_CLIPS", 100)
    recorder = made(tmp_path, before=0.5, after=0.5)
    told = []
    for turn in range(30):
        show(recorder, 0.3 * turn, 0.3 * (turn + 1))
        told.append((*recorder.request_clip(f"rule {turn}", 0.3 * turn + 0.2), 0.3 * turn + 0.2))
    paths = {path for path, *_ in told}
    assert recorder.finish(Timeline()).report.extra == {"clips": len(paths), "lost": 0}
    assert all(len(levels(path)) <= 31 for path in paths)
    for path, inside, time in told:
        assert levels(path)[0] + inside == pytest.approx(time, abs=0.16)


def test_memory_holds_a_few_seconds_only(tmp_path):
    recorder = made(tmp_path, before=1, after=1)
    show(recorder, 0, 60)
    assert len(recorder._buffer) <= 41


def test_a_path_that_cannot_be_written_loses_the_clip_and_no_more(tmp_path):
    (tmp_path / "file").write_text("")
    recorder = made(tmp_path / "file", before=1, after=1)
    show(recorder, 0, 2)
    recorder.request_clip("a", 1.9)
    show(recorder, 2, 4)
    assert recorder.finish(Timeline()).report.extra["clips"] == 0
