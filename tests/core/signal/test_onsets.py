"""Hits that are visible and audible: a ball that bounces at uneven times, with a click at each bounce."""

from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.media import Audio
from kinoscope.core.signal.onsets import LAGS, AudioOnsets, MotionOnsets, match_onsets

RATE, SIZE = 16_000, (54, 96)


def bounces(seconds=12, seed=0, even=False):
    generator = np.random.default_rng(seed)
    gaps = np.full(40, 0.6) if even else generator.uniform(0.35, 1.2, 40)
    times = np.cumsum(gaps)
    return times[times < seconds - 0.5]


def ball(at, times):
    """Draw a ball that lies on the floor at each of ``at`` and flies in between."""
    generator = np.random.default_rng(1)
    wall = generator.uniform(90, 110, SIZE)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    edges = np.concatenate([[0], at, [at[-1] + 0.7]])
    for time in times:
        i = np.searchsorted(edges, time, "right") - 1
        height = 0.0
        if i + 1 < len(edges):
            since, length = time - edges[i], edges[i + 1] - edges[i]
            height = min(45, 4.9 * 60 * since * (length - since))
        share = np.clip(4.5 - np.hypot(x - 30, y - (SIZE[0] - 6 - height)), 0, 1)
        yield wall * (1 - share) + 230 * share + generator.normal(0, 1, SIZE)


def clicks(at, seconds=12, rate=RATE):
    generator = np.random.default_rng(2)
    samples = generator.normal(0, 0.003, seconds * rate)
    length = rate // 20
    for time in at:
        first = round(time * rate)
        if 0 <= first < len(samples) - length:
            decay = np.exp(-np.arange(length) / rate * 100)
            samples[first : first + length] += decay * generator.normal(0, 0.3, length)
    return Audio(samples.astype(np.float32), rate, Fraction(0))


def offset_from_hits(frames, times, sound):
    """Measure how late the audio is against frames (H, W) in grey at ``times``."""
    motion, heard = MotionOnsets(), AudioOnsets()
    for grey, time in zip(frames, times, strict=True):
        motion.update(grey, time)
    heard.update(sound)
    return match_onsets(motion, heard)


@pytest.mark.slow
@pytest.mark.parametrize("late", [-0.4, 0.0, 0.1, 0.4])
@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), 50])
def test_the_offset_of_a_bouncing_ball_is_found(late, rate):
    at, times = bounces(), [i / rate for i in range(int(12 * rate))]
    found = offset_from_hits(ball(at, [float(t) for t in times]), times, clicks(at + late))
    assert found.measurable, found.reason
    assert found.seconds == pytest.approx(late, abs=0.02)
    assert found.low <= late <= found.high
    assert found.high - found.low < 0.3
    assert found.hits >= 8


def test_times_may_be_uneven():
    at = bounces()
    times = np.sort(np.random.default_rng(4).choice(np.arange(0, 12, 0.02), 420, replace=False))
    found = offset_from_hits(ball(at, times), times, clicks(at + 0.2))
    assert found.measurable, found.reason
    assert found.seconds == pytest.approx(0.2, abs=0.04)


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_audio_onsets_are_timed_at_any_rate(rate):
    onsets, whole = AudioOnsets(), clicks([1.0, 2.5], 4, rate)
    for first in range(0, 4 * rate, 997):  # as a decoder gives it, in pieces
        onsets.update(Audio(whole.samples[first : first + 997], rate, Fraction(first, rate)))
    strengths = onsets.strengths()
    for click in (1.0, 2.5):
        near = np.abs(onsets.times - click) < 0.5
        assert onsets.times[near][strengths[near].argmax()] == pytest.approx(click, abs=0.011)
    assert np.diff(onsets.times) == pytest.approx(0.01, abs=1e-3)


def test_brightness_changes_are_onsets_too():
    at, times = bounces(), np.arange(0, 12, 0.02)
    lit = [np.full(SIZE, 200.0 if np.any((time >= at) & (time < at + 0.08)) else 20.0) for time in times]
    found = offset_from_hits(lit, times, clicks(at - 0.15))
    assert found.measurable, found.reason
    assert found.seconds == pytest.approx(-0.15, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (clicks(bounces(seed=5)), "no offset fits clearly better than by chance"),
        (Audio(np.zeros(12 * RATE, np.float32), RATE, Fraction(0)), "there is no onset in the audio"),
        (clicks(bounces(even=True)), "the audio repeats every 0.60 s"),
        (clicks(bounces()[:2]), "only "),
        (clicks(bounces(), 3), "there are 3.0 s of video with audio; 4 s are needed"),
    ],
    ids=["another", "silence", "even", "few", "short"],
)
def test_unmeasurable_offsets_have_a_reason(sound, reason):
    times = np.arange(0, 12, 0.04)
    found = offset_from_hits(ball(bounces(), times), times, sound)
    assert not found.measurable
    assert found.reason.startswith(reason)
    assert len(found.fits) == len(LAGS)


def test_a_static_video_is_not_measurable():
    times = np.arange(0, 6, 0.04)
    found = offset_from_hits([np.zeros(SIZE)] * len(times), times, clicks(bounces(), 6))
    assert found.reason == "there is no abrupt motion in the video"
    assert offset_from_hits([], [], clicks([1], 6)).reason.startswith("there are 0.0 s")
