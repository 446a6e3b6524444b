from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.errors import OptionError
from kinoscope.core.time import FrameSampler, evenly_spaced, format_clock, parse_time, to_pts, to_seconds

BASES = st.sampled_from(
    [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 12800), Fraction(1, 1000)]
)


@given(st.integers(-(10**12), 10**12), BASES)
def test_timestamps_round_trip_through_seconds(pts: int, base: Fraction) -> None:
    assert to_pts(to_seconds(pts, base), base) == pts


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", Fraction(25, 2)),
        ("0.6s", Fraction(3, 5)),
        ("1001/30", Fraction(1001, 30)),
        ("1:02.5", Fraction(125, 2)),
        ("00:01:02.500", Fraction(125, 2)),
        ("-0:01", Fraction(-1)),
        (0.1, Fraction(1, 10)),
        (3, Fraction(3)),
    ],
)
def test_times_are_read_exactly(text: str | float, seconds: Fraction) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "1:2:3:4", "1/0", "12 m", float("nan"), float("inf"), "--5"])
def test_what_is_not_a_time_is_named(text: str | float) -> None:
    with pytest.raises(OptionError, match=r"give seconds|write 12\.5"):
        parse_time(text)


@given(st.integers(0, 360_000_000))
def test_a_clock_reads_back_to_the_millisecond(milliseconds: int) -> None:
    assert parse_time(format_clock(Fraction(milliseconds, 1000))) == Fraction(milliseconds, 1000)


def test_a_clock_carries_over() -> None:
    assert format_clock(59.9996) == "00:01:00.000"
    assert format_clock(3661.5, ",") == "01:01:01,500"


def test_a_ticker_without_a_rate_takes_every_frame() -> None:
    assert all(FrameSampler(None).due(Fraction(i, 25)) for i in range(10))


def test_a_ticker_takes_the_first_frame_of_each_slot() -> None:
    ticker = FrameSampler(5)
    taken = [i for i in range(50) if ticker.due(Fraction(7) + Fraction(i, 25))]
    assert taken == list(range(0, 50, 5))


def test_a_gap_yields_no_repeats() -> None:
    ticker = FrameSampler(1)
    assert [t for t in (0, 5, 5.5, 6) if ticker.due(Fraction(t))] == [0, 5, 6]


@pytest.mark.slow
@given(st.lists(st.fractions(0, 1000), min_size=1, max_size=60), st.fractions("1/10", 60))
def test_a_ticker_never_exceeds_its_rate(times: list[Fraction], rate: Fraction) -> None:
    ticker = FrameSampler(rate)
    taken = [t for t in sorted(times) if ticker.due(t)]
    assert len(taken) <= (max(times) - min(times)) * ticker.rate + 1
    assert taken[0] == min(times)


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(OptionError, match="rate 0 is not positive"):
        FrameSampler(0)


def test_times_are_spread_over_the_centres() -> None:
    assert evenly_spaced(4, 0, 2) == [Fraction(1, 4), Fraction(3, 4), Fraction(5, 4), Fraction(7, 4)]
    with pytest.raises(OptionError, match="cannot take 0 frames"):
        evenly_spaced(0, 0, 2)
