"""Lines on audio-visual offsets: every verdict, every speaker, and why there is none."""

from kinoscope.core.results import TaskReport
from kinoscope.views.console.analysis import summary_rows
from kinoscope.views.console.sync import lines, offset_rows, speakers, speaking_rows, summary, unmeasurable_reason
from kinoscope.views.timeline import Timeline
from tests.helpers.sync_timelines import offset, synced, unmeasured


def as_lines(timeline):
    plain = {"measurable": bool(rows := offset_rows(timeline)), "reason": unmeasurable_reason(timeline)}
    printed = lines(plain | {"source": "a.mp4", "offsets": rows, "speaking": speaking_rows(timeline)})
    return [line.removeprefix("a.mp4:").strip() for line in printed]


def test_an_offset_is_printed_with_its_interval_and_then_the_speaker():
    assert as_lines(synced()) == [
        "audio is 120 ms late (+120 ms, 95 % interval +80 to +160 ms; confidence 98 %, from 8.0 s of speech)",
        "face 1 speaks for 3.5 s: 0.0-3.0, 6.5-7.0",
        "Anna speaks for 2.0 s: 4.0-6.0",
    ]


def test_several_offsets_are_printed_with_their_segments():
    printed = as_lines(synced(offset(0, 5, 0.12), offset(5, 10, -0.2, 0.999)))
    assert printed[0].startswith("0.00-5.00 s: audio is 120 ms late (")
    assert printed[1].startswith(
        "5.00-10.00 s: audio is 200 ms early (-200 ms, 95 % interval -240 to -160 ms; confidence over 99 %"
    )


def test_nothing_has_no_sign_of_its_own():
    assert "(+0 ms, 95 % interval -40 to +40 ms;" in as_lines(synced(offset(0, 5, -0.0002)))[0]


def test_a_drift_is_printed():
    drifting = offset(0, 10, 0.12, drift=0.001, drift_low=0.0008, drift_high=0.0012)
    printed = as_lines(synced(drifting))[0]
    assert "(on average +120 ms, " in printed
    assert printed.endswith("; drift +0.100 %, 95 % interval +0.080 to +0.120 %)")


def test_why_nothing_is_measured_is_printed():
    assert as_lines(unmeasured("a voice\nover")) == ["not measurable: a voice over"]
    assert as_lines(Timeline(tasks={"sync": TaskReport("skipped", reason="no audio")})) == ["not measurable: no audio"]


def test_the_segments_of_one_speaker_stand_together():
    printed = speakers(speaking_rows(synced()))
    assert [(who.name, who.seconds) for who in printed] == [("face 1", 3.5), ("Anna", 2.0)]


def test_many_segments_are_cut_short():
    rows = [{"start": i, "end": i + 0.5, "identity": None, "track": 7} for i in range(10)]
    plain = {"source": "a.mp4", "measurable": True, "offsets": [], "speaking": rows}
    assert lines(plain)[0].startswith("  face 7 speaks for 5.0 s: 0.0-0.5, ")
    assert lines(plain)[0].endswith("7.0-7.5, ...")


def test_the_plain_form_is_printed_with_its_source_and_its_repair():
    timeline = synced()
    plain = {"source": "a.mp4", "measurable": True, "offsets": offset_rows(timeline), "speaking": []}
    after = plain | {"source": "b.mp4", "speaking": speaking_rows(timeline)}
    printed = lines(plain | {"after": after})
    assert [line.partition(" (")[0] for line in printed] == [
        "a.mp4: audio is 120 ms late",
        "repaired: b.mp4",
        "  b.mp4: audio is 120 ms late",
    ]
    assert lines({"source": "a.mp4", "measurable": False, "reason": None}) == ["a.mp4: not measurable"]


def test_the_summary_has_offset_and_speakers_in_one_row():
    (row,) = summary_rows(synced())
    assert row.results == "1 offset"
    assert row.details == "audio is 120 ms late, confidence 98 %; face 1 speaks 4 s; Anna speaks 2 s"
    (row,) = summary_rows(unmeasured())
    assert (row.results, row.details) == ("0 offsets", "not measurable: the audio is silent")
    assert "…; face 1" in summary(synced(*(offset(i, i + 1, 0.1 * i) for i in range(3))))
