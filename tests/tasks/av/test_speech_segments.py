from fractions import Fraction
from itertools import pairwise
from typing import cast

import numpy as np
import pytest

from kinoscope.core.media import Audio
from kinoscope.source.synthetic.video import flash_and_beep
from kinoscope.tasks.av.speech_segments import (
    MARGIN_SAMPLES,
    MAX_AUDIO_GAP_SECONDS,
    MAX_BUFFER_SAMPLES,
    SAMPLE_RATE,
    VAD_WINDOW_SAMPLES,
    SpeechSegmenter,
)


def loud(samples):
    """Take every window with audio in it for speech: the truth of the audio below."""
    return np.abs(samples).reshape(-1, VAD_WINDOW_SAMPLES).max(1)


def sound(seconds, spoken=(), start=0):
    """Return silence with a constant 1 in the spoken (from, to) seconds."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for first, last in spoken:
        samples[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)] = 1
    return Audio(samples, SAMPLE_RATE, Fraction(start))


def pieces(whole, size):
    for i in range(0, len(whole.samples), size):
        yield Audio(whole.samples[i : i + size], SAMPLE_RATE, whole.start + Fraction(i, SAMPLE_RATE))


def listen(sounds):
    voice = SpeechSegmenter(loud)
    heard = [stretch for s in sounds for stretch in voice.add(s)]
    return heard + voice.close()


def covers(stretches, first, last):
    """Whether some stretch holds (first, last) whole, with at most the margins and a window around it."""
    slack = (MARGIN_SAMPLES + VAD_WINDOW_SAMPLES) / SAMPLE_RATE
    return any(
        float(s.start) <= first <= float(s.start) + slack and last <= float(s.end) <= last + slack for s in stretches
    )


@pytest.mark.parametrize("size", [1024, 16_000, 100_000, 10_000_000])
def test_the_same_segments_come_out_however_the_audio_is_cut(size):
    spoken = [(2, 5), (6.5, 8), (20, 27), (29.5, 31), (70, 80)]
    heard = listen(pieces(sound(100, spoken, start=10), size))
    assert len(heard) == 5
    assert all(covers(heard, a + 10, b + 10) for a, b in spoken)


def test_samples_stay_with_their_times():
    ramp = np.linspace(0.5, 1, 3 * SAMPLE_RATE, dtype=np.float32)
    whole = Audio(np.concatenate([np.zeros(40 * SAMPLE_RATE, np.float32), ramp]), SAMPLE_RATE, Fraction(7, 3))
    (heard,) = listen(pieces(whole, 5000))
    offset = round((heard.start - whole.start) * SAMPLE_RATE)
    assert np.array_equal(heard.samples, whole.samples[offset : offset + len(heard.samples)])


def test_endless_speech_is_cut_in_pieces_without_loss_or_overlap():
    heard = listen(pieces(sound(100, [(0, 100)]), 4096))
    assert all(len(s.samples) <= MAX_BUFFER_SAMPLES for s in heard)
    assert all(a.end == b.start for a, b in pairwise(heard))
    assert (heard[0].start, heard[-1].end) == (0, 100)


def test_endless_speech_is_cut_where_it_is_least_probable():
    samples = sound(40, [(0, 40)])
    samples.samples[20 * SAMPLE_RATE : 20 * SAMPLE_RATE + 5 * VAD_WINDOW_SAMPLES] = 0.4
    first, _ = listen([samples])
    assert float(first.end) == pytest.approx(20, abs=6 * VAD_WINDOW_SAMPLES / SAMPLE_RATE)


def test_a_gap_in_the_audio_ends_a_segment():
    first, second = sound(3, [(1, 3)]), sound(3, [(0, 2)], start=50)
    heard = listen([first, second])
    assert [covers(heard, 1, 3), covers(heard, 50, 52)] == [True, True]


def test_rounding_between_blocks_of_audio_is_no_gap():
    first, second = sound(3, [(1, 3)]), sound(3, [(0, 2)], start=3 + MAX_AUDIO_GAP_SECONDS / 2)
    assert len(listen([first, second])) == 1


def test_a_click_is_no_speech():
    assert listen([sound(5, [(2, 2.1)])]) == []


def test_no_audio_at_all():
    assert listen([]) == listen([sound(0)]) == []


def test_nobody_speaks_in_beeps():
    vad = pytest.importorskip("faster_whisper.vad")
    voice = SpeechSegmenter(vad.get_vad_model())
    chunks = flash_and_beep(duration=2).read(video=False, audio_rates=(SAMPLE_RATE,))
    heard = [segment for chunk in chunks for segment in voice.add(cast(Audio, chunk))]
    assert heard + voice.close() == []
