"""The verb and its repair, with a task that goes by a flash and a click: so the offset is known."""

from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

import kinoscope
from kinoscope.core.errors import OptionError, SyncError
from kinoscope.core.media import Audio, Frame
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer
from kinoscope.tasks import registry
from kinoscope.tasks.base import Needs, Task
from kinoscope.tasks.options import SyncTaskOptions

FLASH = 1.0
"""Seconds at which the picture is white; the click is then, too, or late."""


def film(path, late=0.0, seconds=3.0):
    with Writer(path, (64, 48), rate=25, audio_rate=16_000) as writer:
        for n in range(round(25 * seconds)):
            white = n == round(25 * FLASH)
            writer.write(Frame(np.full((48, 64, 3), 255 * white, np.uint8), Fraction(n, 25)))
        samples = np.zeros(round(16_000 * seconds), np.float32)
        click = round(16_000 * (FLASH + late))
        samples[click : click + 400] = np.sin(np.arange(400))[: len(samples[click : click + 400])]
        writer.write_audio(Audio(samples, 16_000, Fraction(0)))
    return path


class Clicks(Task):
    """Takes the first loud sample for what belongs to the flash."""

    name = "sync"
    options_type = SyncTaskOptions
    score = 0.95
    extra: ClassVar[dict] = {}

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.at = None

    def needs(self, info):
        return Needs(sizes=((16, 12),), audio_rate=16_000)

    def process_audio(self, audio):
        loud = np.flatnonzero(np.abs(audio.samples) > 0.2)
        if self.at is None and len(loud):
            self.at = float(audio.start) + loud[0] / 16_000

    def finish(self, timeline):
        end = float(timeline.times[-1])
        if self.at is None:
            event = Event("sync", 0, end, "not measurable", 0.0, "the audio is silent")
        else:
            late = self.at - FLASH
            extra = {"offset": late, "low": late - 0.01, "high": late + 0.01, "evidence": 3.0} | self.extra
            event = Event("sync", 0, end, "audio late", self.score, f"audio is {late:.3f} s late", extra)
        return TaskResult(events=[event], report=TaskReport(model="clicks"))


@pytest.fixture(autouse=True)
def clicks(monkeypatch):
    monkeypatch.setitem(registry.TASKS, "sync", Clicks)
    return Clicks


@pytest.mark.slow
@pytest.mark.parametrize("late", [0.24, -0.4, 0.031])
def test_a_repair_is_measured_again(tmp_path, late):
    path, fixed = film(tmp_path / "a.mp4", late), tmp_path / "fixed.mp4"
    before = path.read_bytes()
    one = kinoscope.sync(path, fix=fixed, quiet=True)
    assert one.status == 0
    plain = one.to_dict()
    assert plain["offsets"][0]["offset"] == pytest.approx(late, abs=0.003)
    assert plain["after"]["offsets"][0]["offset"] == pytest.approx(0, abs=0.003)
    assert path.read_bytes() == before
    with open_source(str(path)) as a, open_source(str(fixed)) as b:
        for first, second in zip(a.lazy_frames(), b.lazy_frames(), strict=True):
            assert first.time == second.time
            assert np.array_equal(first.pixels(), second.pixels())


def test_a_doubtful_measure_is_not_acted_on_unless_forced(tmp_path, monkeypatch):
    monkeypatch.setattr(Clicks, "score", 0.7)
    path, fixed = film(tmp_path / "a.mp4", 0.2), tmp_path / "fixed.mp4"
    one = kinoscope.sync(path, fix=fixed, quiet=True)
    assert isinstance(one.error, SyncError)
    assert "the confidence is 70 %, below 90 %" in str(one.error)
    assert one.status == 2
    assert not fixed.exists()
    one = kinoscope.sync(path, fix=fixed, force=True, quiet=True)
    assert one.error is None
    assert fixed.exists()


def test_hits_alone_are_not_acted_on_unless_forced(tmp_path, monkeypatch):
    monkeypatch.setattr(Clicks, "extra", {"hits": 5})
    one = kinoscope.sync(film(tmp_path / "a.mp4", 0.2), fix=tmp_path / "fixed.mp4", quiet=True)
    assert "its zero only to 100 ms" in str(one.error)


def test_what_is_not_measurable_is_not_repaired(tmp_path):
    path = film(tmp_path / "a.mp4", 50)
    one = kinoscope.sync(path, quiet=True)
    assert one.status == 0
    assert one.to_dict() == {"source": str(path), "measurable": False, "reason": "the audio is silent"}
    one = kinoscope.sync(path, fix=tmp_path / "fixed.mp4", quiet=True)
    assert "not measurable (the audio is silent)" in str(one.error)


def test_the_input_is_never_overwritten_and_one_is_repaired_at_a_time(tmp_path):
    path = film(tmp_path / "a.mp4", 0.2)
    with pytest.raises(OptionError, match="never overwritten"):
        kinoscope.sync(path, fix=path, quiet=True)
    (tmp_path / "link.mp4").symlink_to(path)
    with pytest.raises(OptionError, match="never overwritten"):
        kinoscope.sync(path, fix=tmp_path / "link.mp4", quiet=True)
    with pytest.raises(OptionError, match="2 are given"):
        kinoscope.sync([path, path], fix=tmp_path / "b.mp4", quiet=True)


def test_what_cannot_be_read_does_not_stop_the_others(tmp_path):
    missing, good = kinoscope.sync([tmp_path / "no.mp4", film(tmp_path / "a.mp4")], quiet=True)
    assert missing.status == 2
    assert good.status == 0


def test_a_folder_gets_timeline_and_report(tmp_path):
    one = kinoscope.sync(film(tmp_path / "a.mp4"), out=tmp_path / "out", quiet=True)
    assert (tmp_path / "out" / "timeline.json") in one.written
    assert (tmp_path / "out" / "report.html").exists()
