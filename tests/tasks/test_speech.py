import sys
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.media import Audio, SourceInfo
from kinoscope.tasks.av.speech_segments import SAMPLE_RATE, SpeechSegmenter
from kinoscope.tasks.base import Skip
from kinoscope.tasks.speech import MAX_SENTENCE_SECONDS, MAX_TOKENS_PER_SECOND, WINDOW_SAMPLES, Speech, sentences
from kinoscope.views.formats.subtitles import cues
from kinoscope.views.timeline import Timeline


def word(start, end, text, probability=0.9):
    return SimpleNamespace(start=start, end=end, word=f" {text}", probability=probability)


def segment(*words, logprob=-0.3, compression=1.2, no_speech=0.05):
    return SimpleNamespace(
        words=list(words), avg_logprob=logprob, compression_ratio=compression, no_speech_prob=no_speech
    )


def stretch(seconds, start):
    return Audio(np.ones(int(seconds * SAMPLE_RATE), np.float32), SAMPLE_RATE, Fraction(start))


def told(events):
    return [(round(e.start, 3), round(e.end, 3), e.text) for e in events]


def test_words_of_packed_segments_go_back_to_the_clock_of_the_source():
    pack = [stretch(2, 10), stretch(3, 100)]
    found = sentences([segment(word(0.5, 1, "One."), word(2.25, 3, "Two"), word(3, 4.5, "three."))], pack)
    assert told(found) == [(10.5, 11, "One."), (100.25, 102.5, "Two three.")]
    assert found[1].extra["words"] == [[100.25, 101, "Two", 0.9], [101, 102.5, "three.", 0.9]]
    assert (found[1].task, found[1].label) == ("speech", "speech")
    assert found[1].score == pytest.approx(0.9)


def test_a_word_over_the_seam_stays_in_its_own_segment():
    (found,) = sentences([segment(word(1.5, 2.2, "seam"))], [stretch(2, 10), stretch(2, 100)])
    assert (found.start, found.end) == (11.5, 12)


def test_a_sentence_continues_over_whispers_segments():
    pack = [stretch(10, 0)]
    found = sentences(
        [segment(word(0, 1, "Keep"), word(1, 2, "to")), segment(word(2, 3, "the"), word(3, 4, "left."))], pack
    )
    assert told(found) == [(0, 4, "Keep to the left.")]


def test_a_pause_ends_a_sentence():
    found = sentences([segment(word(0, 1, "yes"), word(3, 4, "no"))], [stretch(10, 0)])
    assert told(found) == [(0, 1, "yes"), (3, 4, "no")]


def test_a_sentence_without_an_end_is_cut():
    words = [word(i, i + 1, "la") for i in range(25)]
    assert all(e.end - e.start <= MAX_SENTENCE_SECONDS for e in sentences([segment(*words)], [stretch(25, 0)]))


@pytest.mark.parametrize("guess", [{"logprob": -1.1}, {"compression": 8.0}, {"logprob": -0.7, "no_speech": 0.3}])
def test_a_guess_or_a_loop_yields_no_text(guess):
    (found,) = sentences([segment(word(0, 1, "thank"), word(1, 2, "you"), **guess)], [stretch(3, 0)])
    assert (found.start, found.end, found.text) == (0, 2, None)
    assert found.extra == {"reason": "not English, or too unclear"}
    assert found.score < 0.01
    assert sentences([segment(word(0, 1, "you"), **guess | {"no_speech": 0.6})], [stretch(3, 0)]) == []


def test_what_seems_probable_amid_guesses_must_be_clear():
    guess = segment(word(0, 1, "see"), word(1, 2, "you."), logprob=-1.0)
    likely, clear = (segment(word(3, 4, "Thanks."), logprob=logprob) for logprob in (-0.5, -0.2))
    assert [e.text for e in sentences([guess, likely], [stretch(5, 0)])] == [None, None]
    assert [e.text for e in sentences([guess, clear], [stretch(5, 0)])] == [None, "Thanks."]
    much = segment(*[word(4 + n, 5 + n, "yes.") for n in range(3)], logprob=-0.5)
    assert [e.text for e in sentences([guess, likely, much], [stretch(9, 0)])] == [None, "Thanks.", *["yes."] * 3]


def test_words_of_low_probability_yield_no_text():
    (found,) = sentences([segment(word(0, 1, "um", 0.3), word(1, 2, "ah", 0.2))], [stretch(3, 0)])
    assert found.text is None


def token(start, end, text, probability=0.9):
    return SimpleNamespace(start=start, end=end, word=text, probability=probability)


def test_numbers_that_whisper_takes_apart_are_words_as_they_stand_in_the_text():
    tokens = [token(0, 1, " order"), token(1, 1.5, " 43", 0.8), token(1.5, 2, ",000", 0.7), token(2, 2, "%")]
    (found,) = sentences([segment(*tokens, token(2, 3, " now."))], [stretch(5, 0)])
    assert found.text == "order 43,000% now."
    assert found.extra["words"] == [[0, 1, "order", 0.9], [1, 2, "43,000%", 0.796], [2, 3, "now.", 0.9]]
    assert found.score == pytest.approx((0.9 * 0.8 * 0.7 * 0.9 * 0.9) ** 0.2)


def test_characters_without_spaces_between_them_keep_their_times():
    (found,) = sentences([segment(token(0, 1, "東"), token(1, 2, "京"), token(2, 2.5, "。"))], [stretch(5, 0)])
    assert (found.text, [row[2] for row in found.extra["words"]]) == ("東京。", ["東", "京。"])


def test_words_of_no_length_get_time_from_their_neighbours():
    found = sentences([segment(word(0, 1, "one"), word(1, 1, "of"), word(1, 2, "them"))], [stretch(5, 0)])
    assert [row[:2] for row in found[0].extra["words"]] == [[0, 1], [1, 1.5], [1.5, 2]]
    found = sentences([segment(word(0, 1, "one"), word(3, 3, "more"), word(3.5, 4, "word"))], [stretch(5, 0)])
    assert [row[:2] for event in found for row in event.extra["words"]] == [[0, 1], [3, 3.04], [3.5, 4]]
    found = sentences([segment(word(0, 1, "last"), word(1, 1, "one"))], [stretch(5, 0)])
    assert [row[:2] for row in found[0].extra["words"]] == [[0, 1], [1, 1.04]]


texts = st.sampled_from([" the", " 43", ",000", "%", ".", " a", "'s", " -", " €", ".5", " now.", "東"])
steps = st.tuples(texts, st.sampled_from([0.0, 0.02, 0.1, 0.3, 2.0]), st.sampled_from([0.0, 0.0, 0.2, 3.0]))


@given(st.lists(steps, min_size=1, max_size=20), st.floats(0, 100))
def test_words_join_to_the_text_and_cues_take_their_times_from_them(spoken, start):
    time, tokens = 0.0, []
    for text, long, pause in spoken:
        tokens.append(token(time, time + long, text))
        time += long + pause
    found = sentences([segment(*tokens)], [stretch(time + 1, start)])
    assert "".join(event.text for event in found).replace(" ", "") == "".join(t for t, *_ in spoken).replace(" ", "")
    for event in found:
        rows = event.extra["words"]
        if "東" not in event.text:
            assert " ".join(row[2] for row in rows) == event.text
        assert all(first < last for first, last, *_ in rows)
        assert all(a[1] <= b[0] for a, b in pairwise(rows))
        shown = cues(Timeline(events=[event]))
        times = {round(row[0], 3) for row in rows}
        assert {float(cue.start) for cue in shown} <= times
        assert float(shown[-1].end) == round(rows[-1][1], 3)


class FakeWhisper:
    """Says ``word`` once a second."""

    def __init__(self):
        self.asked = []

    def transcribe(self, samples, **options):
        self.asked.append((len(samples), options["max_new_tokens"]))
        words = [word(i, i + 0.5, "word.") for i in range(len(samples) // SAMPLE_RATE)]
        return [segment(*words)], None


@pytest.fixture
def task():
    made = Speech()
    made._segmenter = SpeechSegmenter(lambda samples: np.abs(samples).reshape(-1, 512).max(1))
    made._whisper = FakeWhisper()
    return made


def test_segments_are_packed_into_windows(task):
    # Ten seconds of speech after every ten of silence: two stretches, with margins, fill a window.
    for i in range(12):
        task.process_audio(Audio(np.full(10 * SAMPLE_RATE, i % 2, np.float32), SAMPLE_RATE, Fraction(10 * i)))
    result = task.finish(Timeline())
    lengths = [length for length, _ in task._whisper.asked]
    assert len(lengths) == 3
    assert max(lengths) <= WINDOW_SAMPLES
    assert all(tokens <= 8 + 30 * MAX_TOKENS_PER_SECOND for _, tokens in task._whisper.asked)
    assert all(e.start % 20 >= 9.6 or e.start % 20 <= 0.4 for e in result.events)
    assert result.report.extra == {"inferences": 3}


def test_words_before_a_break_are_kept(task):
    task.process_audio(stretch(3, 5))
    assert [e.start for e in task.finish(Timeline()).events] == [5, 6, 7]


def test_without_audio_the_task_is_skipped(task):
    with pytest.raises(Skip, match=r"^no audio$"):
        task.needs(SourceInfo("silent.mp4", has_audio=False))
    task.process_audio(Audio(np.zeros(0, np.float32), SAMPLE_RATE, Fraction(0)))
    with pytest.raises(Skip, match=r"^no audio$"):
        task.finish(Timeline())


def test_without_faster_whisper_the_message_says_how_to_get_it(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper.vad", None)
    with pytest.raises(Skip, match=r"pip install 'kinoscope\[speech\]'"):
        task.needs(SourceInfo("a.mp4", has_audio=True))


def test_a_gpu_is_used_only_when_asked_for():
    assert [Speech(device=d).device for d in ("auto", "cpu", "cuda", "cuda:1")] == ["cpu", "cpu", "cuda", "cuda"]
