import html
import io

import pytest
from hypothesis import given, settings

from kinoscope.core.results import Event
from kinoscope.core.time import format_clock
from kinoscope.views.formats.subtitles import cues
from kinoscope.views.formats.vtt import render, write
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines

webvtt = pytest.importorskip("webvtt", reason="webvtt-py is not installed")


@settings(max_examples=40)
@given(timelines())
def test_another_reader_finds_every_cue(timeline):
    wanted = cues(timeline)
    found = webvtt.from_string(render(timeline))
    assert [(c.start, c.end) for c in found] == [(format_clock(c.start), format_clock(c.end)) for c in wanted]
    assert [html.unescape(c.raw_text) for c in found] == ["\n".join(c.lines) for c in wanted]


def test_hostile_text_stays_text():
    text = render(Timeline(events=[Event("speech", 0, 1, "speech", 1.0, "<b>&amp;</b>\n\n00:01 --> 00:02")]))
    assert text == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;b&gt;&amp;amp;&lt;/b&gt; 00:01 --&gt; 00:02\n"


def test_a_file(golden, tmp_path):
    write(golden, tmp_path / "s.vtt")
    assert len(webvtt.read(tmp_path / "s.vtt")) == 3


def test_no_speech_is_an_empty_file_that_can_be_read():
    assert render(Timeline()) == "WEBVTT\n"
    assert len(webvtt.from_buffer(io.StringIO(render(Timeline())))) == 0
