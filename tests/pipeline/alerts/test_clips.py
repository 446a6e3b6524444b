import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.results import Event
from kinoscope.pipeline.alerts.clips import SHARED_CLIP_SECONDS, alert_spans, clip_name, cut_clips
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import flash_and_beep


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
    assert clip_name(alert(65.25, label)) == name


def test_each_alert_has_a_clip_of_its_own_unless_its_rule_was_met_just_before():
    found = alert_spans([alert(10), alert(30), alert(14), alert(10, "other"), alert(10.5)], before=2, after=3)
    assert [(span.start, span.end, [e.start for e in span.events]) for span in found] == [
        (8, 13.5, [10, 10.5]),
        (8, 13, [10]),
        (12, 17, [14]),
        (28, 33, [30]),
    ]
    assert [span.name[13:] for span in found[:2]] == ["out-of-the-gate.mp4", "other.mp4"]


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.sampled_from(["a", "b", "a!"])), max_size=60),
    st.floats(0, 10),
    st.floats(0.1, 10),
)
def test_every_alert_is_in_a_clip_of_its_rule_and_not_deep_in_it(moments, before, after):
    found = alert_spans([alert(at, label) for at, label in moments], before, after)
    assert sum(len(span.events) for span in found) == len(moments)
    assert len({span.name for span in found}) == len(found)
    for span in found:
        assert len({event.label for event in span.events}) == 1
        assert all(span.start <= e.start - before and e.start + after <= span.end + 1e-9 for e in span.events)
        assert all(e.start - span.start <= before + SHARED_CLIP_SECONDS for e in span.events)


def test_clips_of_a_recording_hold_the_seconds_around_the_alert(tmp_path):
    video = flash_and_beep(duration=6, width=64, height=48).write(tmp_path / "a.mp4")
    events = [alert(3), alert(0.2, "early")]
    (early, late) = sorted(cut_clips(str(video), events, tmp_path / "clips", {"on_error": "skip"}, before=1, after=0.5))
    assert times_of(early) == [round(n / 25, 3) for n in range(18)]
    assert times_of(late) == [round(n / 25, 3) for n in range(38)]
    assert [(e.extra["clip"][6:], e.extra["clip_at"]) for e in events] == [(late.name, 1.0), (early.name, 0.2)]
    assert events[0].extra["clip"] == "clips/00-00-03.000-out-of-the-gate.mp4"
    with open_source(late) as source:
        assert source.info.has_audio
