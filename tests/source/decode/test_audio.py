import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from kinoscope.core.media import Audio
from kinoscope.source import open_source
from kinoscope.source.base import cut_audio
from kinoscope.source.decode.audio import MultiRateResampler
from kinoscope.source.synthetic.video import flash_and_beep
from tests.helpers.sources import audio_of


def block(samples, rate=8000):
    frame = av.AudioFrame.from_ndarray(np.asarray(samples, np.float32)[None], "flt", "mono")
    frame.sample_rate = rate
    return frame


def resample(blocks, rates=(8000,)):
    resampler = MultiRateResampler(rates)
    blocks_out = [audio for samples, time in blocks for audio in resampler.push(block(samples), time)]
    return blocks_out + list(resampler.flush())


def joined(blocks_out):
    for before, after in itertools.pairwise(blocks_out):
        assert before.end == after.start
    return np.concatenate([audio.samples for audio in blocks_out])


def test_runs_on_from_its_first_time():
    blocks_out = resample([(np.full(800, i / 4), Fraction(1) + Fraction(i, 10)) for i in range(3)])
    assert blocks_out[0].start == 1
    np.testing.assert_array_equal(joined(blocks_out), np.repeat(np.array([0, 0.25, 0.5], np.float32), 800))


def test_jitter_of_stamps_is_rounding():
    blocks_out = resample([(np.ones(800), Fraction(0)), (np.ones(800), Fraction(105, 1000)), (np.ones(800), None)])
    assert len(joined(blocks_out)) == 2400


def test_gap_becomes_silence():
    blocks_out = resample([(np.ones(800), Fraction(0)), (np.ones(800), Fraction(3, 10))])
    np.testing.assert_array_equal(joined(blocks_out), np.repeat(np.array([1, 0, 1], np.float32), [800, 1600, 800]))


def test_overlap_is_cut():
    blocks_out = resample([(np.ones(800), Fraction(0)), (np.zeros(800), Fraction(5, 100))])
    np.testing.assert_array_equal(joined(blocks_out), np.repeat(np.array([1, 0], np.float32), [800, 400]))


def test_long_gap_restarts():
    blocks_out = resample([(np.ones(800), Fraction(0)), (np.ones(800), Fraction(1000))])
    assert [audio.start for audio in blocks_out] == [0, 1000]


def test_each_rate_holds_the_same_time():
    wave = np.sin(np.arange(8000) / 8000 * 2 * np.pi * 100)
    blocks_out = resample(
        [(wave[i : i + 1000], Fraction(i, 8000)) for i in range(0, 8000, 1000)], (8000, 16_000, 22_050)
    )
    for rate in (8000, 16_000, 22_050):
        samples = joined([audio for audio in blocks_out if audio.rate == rate])
        assert abs(len(samples) - rate) <= 1
        wanted = np.sin(np.arange(len(samples)) / rate * 2 * np.pi * 100)
        np.testing.assert_allclose(samples[50:-50], wanted[50:-50], atol=0.01)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_flash_and_beep_keep_their_distance(tmp_path, name, rate):
    video = flash_and_beep(offset=Fraction(1, 4), duration=2, width=32, height=32)
    path = video.write(tmp_path / name)
    with open_source(path) as source:
        blocks_out = list(audio_of(source.read(video=False, audio_rates=(rate,))))
        lit = next(frame.time for frame in source.frames() if frame.pixels.mean() > 128)
    samples = joined(blocks_out)
    first = float(blocks_out[0].start) + np.flatnonzero(np.abs(samples) > 0.2)[0] / rate
    assert float(lit) == video.truth.events[0].start == 0.4
    assert first == pytest.approx(0.65, abs=0.002)


@pytest.mark.parametrize(
    ("start", "end", "first", "count"),
    [
        (None, None, Fraction(1), 10),
        (Fraction(21, 20), None, Fraction(11, 10), 9),
        (2, None, None, 0),
        (None, Fraction(3, 2), 1, 5),
    ],
)
def test_cut(start, end, first, count):
    part = cut_audio(Audio(np.arange(10, dtype=np.float32), 10, Fraction(1)), start, end)
    if not count:
        assert part is None
    else:
        assert part.start == first
        assert len(part.samples) == count


def test_audio_beside_a_missing_rate(tmp_path):
    path = flash_and_beep(duration=1, width=32, height=32).write(tmp_path / "a.mp4")
    with open_source(path) as source:
        assert all(not isinstance(item, Audio) for item in source.read())


def planar(channels, form="fltp"):
    """Return a frame of 1,000 samples at 8 kHz whose channel n is n / 100 all through, each in a plane of its own."""
    layout = av.AudioLayout("7.1" if channels == 8 else f"{channels} channels" if channels > 2 else "mono")
    values = np.tile(np.arange(channels, dtype=np.float32) / 100, 1000)
    packed = av.AudioFrame(format="flt", layout=layout, samples=1000)
    packed.planes[0].update(values.tobytes())
    packed.sample_rate, packed.pts, packed.time_base = 8000, 0, Fraction(1, 8000)
    return av.AudioResampler(form, layout, 8000).resample(packed)[0]


@pytest.mark.parametrize("form", ["fltp", "s16p"])
@pytest.mark.parametrize("channels", [9, 16, 30, 64])
def test_many_planes_are_averaged(channels, form):
    resampler = MultiRateResampler((8000,))
    samples = joined([*resampler.push(planar(channels, form), Fraction(0)), *resampler.flush()])
    assert len(samples) == 1000
    np.testing.assert_allclose(samples, (channels - 1) / 200, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 8, 9, 16])
def test_samples_of_any_number_of_planes_may_be_read(channels):
    from kinoscope.source.decode.audio import to_interleaved

    samples = to_interleaved(planar(channels)).to_ndarray().reshape(-1, channels if channels > 1 else 1)
    np.testing.assert_allclose(samples[0], np.arange(channels) / 100, atol=1e-6)
    assert len(samples) == 1000


def stereo(left, right, rate=8000, form="fltp"):
    samples = np.stack([left, right])
    if form == "s16":
        interleaved = np.round(samples * 32767).astype(np.int16).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(interleaved), form, "stereo")
    else:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), form, "stereo")
    frame.sample_rate = rate
    return frame


def resample_stereo(left, right, form="fltp", size=800):
    resampler = MultiRateResampler([8000])
    blocks_out = [
        audio
        for at in range(0, len(left), size)
        for audio in resampler.push(stereo(left[at : at + size], right[at : at + size], form=form), Fraction(at, 8000))
    ]
    return joined([*blocks_out, *resampler.flush()])


def level(wave):
    return float(np.sqrt(np.mean(np.square(wave))))


MIXED = 2**0.5
"""FFmpeg mixes two channels with the square root of one half each."""

WAVE = 0.5 * np.sin(np.arange(8000) * 2 * np.pi * 200 / 8000)


@pytest.mark.parametrize("form", ["fltp", "s16"])
@pytest.mark.parametrize("share", [1.0, 0.8])
def test_channels_that_cancel_stay_audible(form, share):
    """Check that a microphone with inverted polarity does not silence a mix."""
    wave = resample_stereo(WAVE, -share * WAVE, form)
    assert len(wave) == 8000
    assert level(wave) == pytest.approx(level(WAVE), rel=0.03)


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [(WAVE, WAVE, 1.0), (WAVE, 0 * WAVE, 0.5), (0 * WAVE, 0 * WAVE, 0.0), (WAVE, np.roll(WAVE, 10), 0.71)],
)
def test_channels_that_do_not_are_mixed(left, right, wanted):
    wave = resample_stereo(left, right)
    assert level(wave) == pytest.approx(wanted * MIXED * level(WAVE), rel=0.05, abs=1e-6)


def test_cancelling_comes_and_goes_without_a_gap():
    wave = resample_stereo(np.tile(WAVE, 3), np.concatenate([WAVE, -WAVE, WAVE]))
    assert len(wave) == 24_000
    levels = [level(wave[at : at + 6000]) / level(WAVE) for at in (1000, 9000, 17_000)]
    assert levels == pytest.approx([MIXED, 1, MIXED], rel=0.05)
