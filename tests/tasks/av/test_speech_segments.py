from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from kinoscope.core.media import Audio
from kinoscope.source.synthetic.video import flash_and_beep
from kinoscope.tasks.av.speech_segments import BUFFER, JUMP, MARGIN, RATE, WINDOW, SpeechSegmenter


def loud(samples):
    """Take every window with sound in it for speech: the truth of the sounds below."""
    return np.abs(samples).reshape(-1, WINDOW).max(1)


def sound(seconds, spoken=(), start=0):
    """Give silence with a constant 1 in the spoken (from, to) seconds."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for first, last in spoken:
        samples[round(first * RATE) : round(last * RATE)] = 1
    return Audio(samples, RATE, Fraction(start))


def pieces(whole, size):
    for i in range(0, len(whole.samples), size):
        yield Audio(whole.samples[i : i + size], RATE, whole.start + Fraction(i, RATE))


def listen(sounds):
    voice = SpeechSegmenter(loud)
    heard = [stretch for s in sounds for stretch in voice.hear(s)]
    return heard + voice.close()


def covers(stretches, first, last):
    """Whether some stretch holds (first, last) whole, with at most the margins and a window around it."""
    slack = (MARGIN + WINDOW) / RATE
    return any(
        float(s.start) <= first <= float(s.start) + slack and last <= float(s.end) <= last + slack for s in stretches
    )


@pytest.mark.parametrize("size", [1024, 16_000, 100_000, 10_000_000])
def test_the_same_stretches_come_out_however_the_sound_is_cut(size):
    spoken = [(2, 5), (6.5, 8), (20, 27), (29.5, 31), (70, 80)]
    heard = listen(pieces(sound(100, spoken, start=10), size))
    assert len(heard) == 5
    assert all(covers(heard, a + 10, b + 10) for a, b in spoken)


def test_samples_stay_with_their_times():
    ramp = np.linspace(0.5, 1, 3 * RATE, dtype=np.float32)
    whole = Audio(np.concatenate([np.zeros(40 * RATE, np.float32), ramp]), RATE, Fraction(7, 3))
    (heard,) = listen(pieces(whole, 5000))
    offset = round((heard.start - whole.start) * RATE)
    assert np.array_equal(heard.samples, whole.samples[offset : offset + len(heard.samples)])


def test_endless_speech_is_cut_in_pieces_without_loss_or_overlap():
    heard = listen(pieces(sound(100, [(0, 100)]), 4096))
    assert all(len(s.samples) <= BUFFER for s in heard)
    assert all(a.end == b.start for a, b in pairwise(heard))
    assert (heard[0].start, heard[-1].end) == (0, 100)


def test_endless_speech_is_cut_where_it_is_least_likely():
    samples = sound(40, [(0, 40)])
    samples.samples[20 * RATE : 20 * RATE + 5 * WINDOW] = 0.4
    first, _ = listen([samples])
    assert float(first.end) == pytest.approx(20, abs=6 * WINDOW / RATE)


def test_a_hole_in_the_sound_ends_a_stretch():
    first, second = sound(3, [(1, 3)]), sound(3, [(0, 2)], start=50)
    heard = listen([first, second])
    assert [covers(heard, 1, 3), covers(heard, 50, 52)] == [True, True]


def test_rounding_between_sounds_is_no_hole():
    first, second = sound(3, [(1, 3)]), sound(3, [(0, 2)], start=3 + JUMP / 2)
    assert len(listen([first, second])) == 1


def test_a_click_is_no_speech():
    assert listen([sound(5, [(2, 2.1)])]) == []


def test_no_sound_at_all():
    assert listen([]) == listen([sound(0)]) == []


def test_nobody_speaks_in_beeps():
    vad = pytest.importorskip("faster_whisper.vad")
    voice = SpeechSegmenter(vad.get_vad_model())
    heard = [s for item in flash_and_beep(duration=2).read(video=False, audio_rates=(RATE,)) for s in voice.hear(item)]
    assert heard + voice.close() == []
