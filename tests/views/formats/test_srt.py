from datetime import timedelta

import pytest
from hypothesis import given, settings

from kinoscope.core.results import Event
from kinoscope.views.formats.srt import render, write
from kinoscope.views.formats.subtitles import cues
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines

srt = pytest.importorskip("srt", reason="srt is not installed")


def _letters(text):
    """Leave aside what is defused: spaces put in, arrows replaced."""
    return text.replace(" ", "").replace("→", "-->").replace("\n", "").replace("--->", "-->")


@settings(max_examples=40)
@given(timelines())
def test_another_reader_finds_every_cue(timeline):
    wanted = cues(timeline)
    found = list(srt.parse(render(timeline)))
    assert [c.index for c in found] == list(range(1, len(wanted) + 1))
    for there, here in zip(found, wanted, strict=True):
        assert there.start == timedelta(milliseconds=int(here.start * 1000))
        assert there.end == timedelta(milliseconds=int(here.end * 1000))
        assert _letters(there.content) == _letters("".join(here.lines))


def test_hostile_text_is_defused():
    text = render(Timeline(events=[Event("speech", 0, 1, "speech", 1.0, "{\\an8}<i>x</i>\n\n1 --> 3 < 4")]))
    assert text == "1\n00:00:00,000 --> 00:00:01,000\n{ \\an8}< i>x< /i> 1 → 3 < 4\n"


def test_a_file(golden, tmp_path):
    write(golden, tmp_path / "s.srt")
    assert (tmp_path / "s.srt").read_text("utf-8") == render(golden)


def test_no_speech_is_an_empty_file():
    assert render(Timeline()) == ""
