import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.alerts import recorder as recorder_module
from kinoscope.alerts.clips import LONGEST, cut_clips, name_of, spans
from kinoscope.alerts.recorder import Recorder
from kinoscope.alerts.recorder import _decode as decode
from kinoscope.core.media import FrameBatch, SourceInfo
from kinoscope.core.results import Event, Timeline
from kinoscope.source import open_source
from kinoscope.source.synthetic import flash_and_beep, shapes


def alert(at, label="out of the gate", start=None):
    return Event("rules", at if start is None else start, at, label, extra={"at": at})


def times_of(path):
    with open_source(path) as source:
        return [round(float(frame.time), 3) for frame in source.frames()]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Out of the gate!", "00-01-05.250-out-of-the-gate.mp4"),
        ("../../etc/passwd", "00-01-05.250-etc-passwd.mp4"),
        ("…", "00-01-05.250-alert.mp4"),
        ("x" * 80, f"00-01-05.250-{'x' * 60}.mp4"),
    ],
)
def test_a_clip_is_named_by_time_and_rule(label, name):
    assert name_of(alert(65.25, label)) == name


def test_alerts_that_follow_upon_each_other_share_a_clip():
    found = spans([alert(10), alert(30), alert(14), alert(10, "other")], before=2, after=3)
    assert [(span.start, span.end, len(span.events)) for span in found] == [(8, 17, 3), (28, 33, 1)]


@given(st.lists(st.floats(0, 1000), max_size=60), st.floats(0, 10), st.floats(0.1, 10))
def test_every_alert_is_in_a_clip_and_none_is_too_long(moments, before, after):
    found = spans([alert(at) for at in moments], before, after)
    assert sum(len(span.events) for span in found) == len(moments)
    assert all(span.end - span.start <= LONGEST + 1e-6 for span in found)
    assert len({span.name for span in found}) == len(found)
    assert all(span.start <= e.start - before and e.start + after <= span.end for span in found for e in span.events)


def test_clips_of_a_recording_hold_the_seconds_around_the_alert(tmp_path):
    video = flash_and_beep(duration=6, width=64, height=48).write(tmp_path / "a.mp4")
    events = [alert(3), alert(0.2, "early")]
    (early, late) = sorted(cut_clips(str(video), events, tmp_path / "clips", {"on_error": "skip"}, before=1, after=0.5))
    assert len(times_of(early)) == 18
    assert len(times_of(late)) == 38
    assert events[0].extra["clip"] == "clips/00-00-03.000-out-of-the-gate.mp4"
    with open_source(late) as source:
        assert source.info.has_sound


def feed(recorder, source, alerts, size=(32, 24)):
    """Feed a video to a recorder; call an alert after the frame of its time plus its delay."""
    task, names = recorder, []
    task.needs(source.info)
    for frame in source.frames(size):
        task.step(FrameBatch.stack([frame]))
        names += [
            task.alert(event) for event, delay in alerts if round(float(frame.time) - event.start - delay, 6) == 0
        ]
    return names, task.finish(Timeline()).report.extra


def test_live_clips_hold_the_seconds_around_the_alert_though_it_comes_late(tmp_path):
    names, extra = feed(Recorder(tmp_path, 1, 0.4), shapes(duration=6), [(alert(2), 1.4), (alert(5), 0.2)])
    assert names == ["00-00-02.000-out-of-the-gate.mp4", "00-00-05.000-out-of-the-gate.mp4"]
    assert [len(times_of(tmp_path / name)) for name in names] == [36, 36]
    assert extra == {"clips": 2, "lost": 0}


def test_alerts_while_a_clip_is_taken_make_it_longer(tmp_path):
    alerts = [(alert(2), 0), (alert(2.8, "again"), 0), (alert(2.8, "too"), 0)]
    names, _ = feed(Recorder(tmp_path, 1, 1), shapes(duration=6), alerts)
    assert len(set(names)) == 1
    assert len(times_of(tmp_path / names[0])) == 71


def test_a_clip_goes_on_to_the_end_of_the_pictures(tmp_path):
    names, _ = feed(Recorder(tmp_path, 1, 60), shapes(duration=2), [(alert(1.8), 0)])
    assert len(times_of(tmp_path / names[0])) == 30


def test_the_ring_is_bounded_in_time_and_in_bytes(tmp_path):
    recorder = Recorder(tmp_path, before=1)
    feed(recorder, shapes(duration=8), [])
    assert len(recorder._ring) == 25 * 4 + 1
    small = Recorder(tmp_path, before=1, held=5000)
    feed(small, shapes(duration=2), [])
    assert 0 < small._bytes == sum(len(kept.jpeg) for kept in small._ring) <= 5000


def test_what_writing_cannot_keep_up_with_is_lost_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "QUEUED", 4)
    let_go = threading.Event()
    monkeypatch.setattr(recorder_module, "_decode", lambda kept: let_go.wait(60) and decode(kept))
    recorder = Recorder(tmp_path, 1, 1)
    recorder.needs(SourceInfo("a", 32, 24))
    for frame in shapes(duration=1).frames((32, 24)):
        recorder.step(FrameBatch.stack([frame]))
    recorder.alert(alert(0.9))
    let_go.set()
    assert recorder.finish(Timeline()).report.extra["lost"] >= 20


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    _, extra = feed(Recorder(tmp_path / "file", 1, 0.2), shapes(duration=2), [(alert(1), 0)])
    assert extra["clips"] == 0
    assert extra["lost"] > 0
    assert "cannot write" in caplog.text


def test_the_recorder_asks_for_pictures_that_are_not_too_large(tmp_path):
    assert Recorder(tmp_path).needs(SourceInfo("a", 3840, 2160)).sizes == ((1280, 720),)
