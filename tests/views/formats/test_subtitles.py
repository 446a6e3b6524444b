from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.results import Event
from kinoscope.views.formats.plain import one_line
from kinoscope.views.formats.subtitles import MAX_LINE_LENGTH, MAX_LINES, cues, wrap
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import events


def _cues(*spoken, start=0.0):
    return cues(Timeline(source={"start": start}, events=list(spoken)))


def test_times_count_from_players_zero():
    (cue,) = _cues(Event("speech", 10.5, 12.0004, "speech", 1.0, "Hello."), start=10.0)
    assert (cue.start, cue.end, cue.lines) == (Fraction(1, 2), Fraction(2), ("Hello.",))


def test_lines_are_balanced():
    assert wrap("I would rather take the long way around the lake") == [
        "I would rather take the",
        "long way around the lake",
    ]


def test_a_long_sentence_is_parted_at_the_times_of_its_words():
    words = [[i, i + 0.5, f"word{i:04d}", 1.0] for i in range(20)]
    text = " ".join(f"word{i:04d}" for i in range(20))
    found = _cues(Event("speech", 0, 19.5, "speech", 1.0, text, {"words": words}))
    assert [(float(cue.start), float(cue.end)) for cue in found] == [(0, 6.5), (7, 13.5), (14, 19.5)]
    assert found[1].lines == ("word0007 word0008 word0009 word0010", "word0011 word0012 word0013")


def test_without_words_the_time_is_shared_by_length():
    text = " ".join(["abcdefghi"] * 16)
    found = _cues(Event("speech", 0, 16, "speech", 1.0, text))
    assert [(float(cue.start), float(cue.end)) for cue in found] == [(0, 8), (8, 16)]


def test_pieces_of_a_word_that_were_recognized_apart_time_it():
    pieces = [(0, 1, "order"), (4, 5, "43"), (5, 6, ",000"), (6, 7, "and"), (7, 8, "25"), (8, 9, "%"), (9, 10, "now")]
    text = "order 43,000 and 25% now " + "then " * 12
    words = [[*piece, 1.0] for piece in pieces] + [[10 + i, 10.5 + i, "then", 1.0] for i in range(12)]
    found = _cues(Event("speech", 0, 21.5, "speech", 1.0, text, {"words": words}))
    assert [(float(cue.start), float(cue.end)) for cue in found] == [(0, 13.5), (14, 21.5)]
    assert found[0].lines == ("order 43,000 and 25%", "now then then then then")


def test_words_without_a_text_are_no_cue():
    assert _cues(Event("speech", 0, 2, "speech", 1.0, "", {"words": [[1, 1.5, "other", 1.0]]})) == []


def test_words_that_are_not_the_text_do_not_count():
    (cue,) = _cues(Event("speech", 0, 2, "speech", 1.0, "corrected text", {"words": [[1, 1.5, "other", 1.0]]}))
    assert (cue.start, cue.end) == (0, 2)


def test_speech_without_words_or_text_is_left_out():
    assert _cues(Event("speech", 0, 1, "speech"), Event("speech", 0, 1, "speech", 1.0, " \n ")) == []


@settings(max_examples=40)
@given(st.lists(events(st.just("speech")), max_size=3), st.floats(0, 5000))
def test_any_speech(spoken, start):
    for event in spoken:
        found = _cues(event, start=start)
        words = " ".join(line for cue in found for line in cue.lines)
        assert words.replace(" ", "") == one_line(event.text or "").replace(" ", "")
        for cue in found:
            assert 0 <= cue.start < cue.end
            assert (1000 * cue.start).denominator == (1000 * cue.end).denominator == 1
            assert all(0 < len(line) <= MAX_LINE_LENGTH for line in cue.lines)
            assert len(cue.lines) <= MAX_LINES or " " not in " ".join(cue.lines)
        assert all(a.start <= b.start for a, b in pairwise(found))
