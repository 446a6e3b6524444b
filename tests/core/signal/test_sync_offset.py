import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.signal.sync_offset import (
    LAGS,
    OffsetCalibration,
    SyncOffset,
    describe_offset,
    estimate_drift,
    estimate_offset,
    offsets_agree,
    peak_lags,
    peak_margin,
)

FIVE = OffsetCalibration((-5.0, 0.0, 20.0, 0.0), 0.0)


def bump(centre, width=0.06, height=1.0):
    return height * np.exp(-0.5 * ((LAGS - centre) / width) ** 2)


def test_lags_are_a_second_on_both_sides_in_steps_of_ten_milliseconds():
    assert len(LAGS) == 201
    assert LAGS[[0, 100, 200]] == pytest.approx([-1, 0, 1])


@given(st.floats(-0.9, 0.9))
def test_a_peak_is_found_between_the_steps(centre):
    assert peak_lags(bump(centre)[None])[0] == pytest.approx(centre, abs=1e-3)


def test_a_peak_at_the_end_is_the_end():
    assert peak_lags(LAGS[None])[0] == pytest.approx(1.0)
    assert peak_lags(-LAGS[None])[0] == pytest.approx(-1.0)


def test_the_margin_is_over_what_is_not_near():
    assert peak_margin(bump(0.2) + bump(-0.5, height=0.4)) == pytest.approx(0.6, abs=1e-3)
    beside = np.where(np.abs(LAGS - 0.2) <= 0.0801, 1.0, 0.0)
    assert peak_margin(beside + bump(0.2, 0.01)) == pytest.approx(2.0)


def test_an_offset_has_an_interval_that_holds_it_and_narrows_with_evidence():
    generator = np.random.default_rng(0)
    blocks = bump(0.12)[None] * 5 + generator.normal(0, 3, (200, len(LAGS)))
    counts = np.full(200, 5.0)
    short, long = estimate_offset(blocks[:40], counts[:40], FIVE), estimate_offset(blocks, counts, FIVE)
    for offset in (short, long):
        assert offset.low <= offset.seconds <= offset.high
    assert long.low <= 0.12 <= long.high
    assert long.high - long.low < short.high - short.low
    assert long.compared_seconds == pytest.approx(40.0)
    assert long == estimate_offset(blocks, counts, FIVE)


def test_the_interval_holds_what_people_differ_by():
    blocks, counts = np.repeat(bump(0.0)[None], 50, axis=0), np.full(50, 5.0)
    sharp, wide = (
        estimate_offset(blocks, counts, FIVE),
        estimate_offset(blocks, counts, OffsetCalibration(FIVE.weights, 0.02)),
    )
    assert sharp.high - sharp.low < 0.001
    assert wide.high - wide.low == pytest.approx(4 * 0.02, rel=0.25)


def test_confidence_is_a_logistic_of_margin_and_length():
    assert OffsetCalibration((0.0, 0.0, 0.0, 0.0)).confidence(0.5, 3.0) == 0.5
    assert FIVE.confidence(0.25, 4.0) == pytest.approx(1 / (1 + np.exp(-5)))
    assert FIVE.confidence(0.25, 9.0) > FIVE.confidence(0.25, 4.0) > FIVE.confidence(0.1, 4.0)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.001, -0.001, 0.0003])
def test_clock_drift_is_estimated(rate):
    times = np.arange(0.1, 120, 0.2)
    noise = np.random.default_rng(1).normal(0, 0.1, (len(times), len(LAGS)))
    found = estimate_drift(np.array([bump(0.05 + rate * t) for t in times]) + noise, times)
    assert found is not None
    assert found.rate == pytest.approx(rate, abs=5e-5)
    assert found.offset_at_zero == pytest.approx(0.05, abs=0.01)
    assert found.low <= rate <= found.high
    assert found.is_significant


def test_no_drift_of_a_correct_clock_or_a_short_clip():
    times = np.arange(0.1, 60, 0.2)
    noise = np.random.default_rng(2).normal(0, 1, (len(times), len(LAGS)))
    found = estimate_drift(bump(0.1)[None] + noise, times)
    assert found is not None
    assert not found.is_significant
    assert estimate_drift(noise[:20], times[:20]) is None
    assert estimate_drift(noise[:0], times[:0]) is None


def spoken(seconds, rate, seed):
    """Likenesses of a clock that is off by a rate, where each two seconds have a zero of their own."""
    generator = np.random.default_rng(seed)
    times = np.arange(0.1, seconds, 0.2)
    zeros = np.repeat(generator.normal(0, 0.015, int(seconds / 2) + 1), 10)[: len(times)]
    noise = generator.normal(0, 0.02, (len(times), len(LAGS)))
    return np.array([bump(zero + rate * t) for zero, t in zip(zeros, times, strict=True)]) + noise, times


@pytest.mark.slow
def test_fifty_clips_of_twelve_seconds_without_drift_have_none():
    assert sum(estimate_drift(*spoken(12, 0.0, seed)).is_significant for seed in range(50)) == 0


@pytest.mark.parametrize(("seconds", "rate"), [(30, 0.003), (60, 0.001), (60, -0.001)])
def test_a_drift_that_is_larger_than_the_error_is_found(seconds, rate):
    found = [estimate_drift(*spoken(seconds, rate, seed)) for seed in range(5)]
    assert [one.is_significant for one in found] == [True] * 5
    assert all(one.low <= rate <= one.high for one in found)


def test_offsets_are_steady_where_the_sure_ones_agree():
    def at(seconds, confidence=1.0):
        return SyncOffset(seconds, seconds - 0.01, seconds + 0.01, confidence, 5.0)

    assert offsets_agree([])
    assert offsets_agree([at(0.1), at(0.13)])
    assert not offsets_agree([at(0.1), at(0.3)])
    assert offsets_agree([at(0.1), at(0.3, 0.6)])


def test_offsets_in_words():
    assert describe_offset(0.12) == "audio is 120 ms late"
    assert describe_offset(-0.0801) == "audio is 80 ms early"
    assert describe_offset(0.019) == "audio and video are in sync"
