import numpy as np
import pytest

from kinoscope.core.signal.mel import NUM_BANDS, POWER_FLOOR, log_mel


def tone(hertz, seconds=1.0, loud=0.1):
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(16_000 * seconds)) / 16_000)).astype(np.float32)


def test_a_row_every_ten_milliseconds():
    assert log_mel(tone(440)).shape == (101, NUM_BANDS)
    assert log_mel(np.zeros(0, np.float32)).shape == (1, NUM_BANDS)


def test_a_higher_tone_lies_in_a_higher_band():
    bands = [int(log_mel(tone(hertz))[50].argmax()) for hertz in (100, 400, 1000, 3000, 7000)]
    assert bands == sorted(set(bands))
    # Mel 1000 lies at 1000 Hz, and 40 bands reach from mel 98 to mel 2799.
    assert bands[2] == round((1000 - 98.4) / (2799 - 98.4) * 41) - 1


def test_a_click_shows_at_its_time():
    samples = np.zeros(16_000, np.float32)
    samples[8_000] = 1
    loud = log_mel(samples, rms=0.1).sum(axis=1)
    assert loud.argmax() == 50
    assert set(np.flatnonzero(loud > loud.min() + 1).tolist()) <= set(range(49, 52))


def test_loudness_does_not_matter_but_silence_stays_silent():
    np.testing.assert_allclose(log_mel(tone(440, loud=0.5)), log_mel(tone(440, loud=0.01)), atol=0.02)
    assert log_mel(np.zeros(1600, np.float32)).max() == pytest.approx(np.log(POWER_FLOOR))
