"""Times are exact where a stream says them, and filled in only where it does not."""

from fractions import Fraction
from itertools import pairwise

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_making import encode

from kinoscope.core.results import DecodeReport
from kinoscope.source import open_source
from kinoscope.source.stamps import MAX_HELD, Stamps

STEP = Fraction(1, 25)


def timed(stamps, base=Fraction(1, 1000), **options):
    report = DecodeReport()
    clock = Stamps(base, STEP, report, **options)
    out = [pair for number, stamp in enumerate(stamps) for pair in clock.put(number, stamp)]
    out += clock.rest()
    assert [number for number, _ in out] == list(range(len(stamps)))
    return [time for _, time in out], report.guessed


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, MAX_HELD - 1)), min_size=1, max_size=12),
    st.integers(-(10**9), 10**9),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000)]),
)
def test_every_stamp_that_there_is_is_kept(steps, start, base):
    """Whatever is missing between them, times increase and stamped pictures have their own."""
    stamps, pts = [], start
    for step, missing in steps:
        stamps += [None] * missing
        pts += step
        stamps.append(pts)
    times, guessed = timed(stamps, base)
    assert all(b > a for a, b in pairwise(times))
    assert [t for t, stamp in zip(times, stamps, strict=True) if stamp is not None] == [
        stamp * base for stamp in stamps if stamp is not None
    ]
    assert guessed == stamps.count(None)


@given(st.integers(1, MAX_HELD - 1))
def test_first_times_are_counted_back(missing):
    times, guessed = timed([None] * missing + [1000, 1040])
    assert times == [1 + STEP * (i - missing) for i in range(missing + 2)]
    assert guessed == missing


def test_many_first_times_are_counted_back_from_what_is_known_to_follow():
    times, guessed = timed([None] * 100 + [1000, 1040], lead=lambda: (100, 1000))
    assert times == [1 + STEP * (i - 100) for i in range(102)]
    assert guessed == 100


def test_a_stamp_out_of_order_moves_no_other():
    assert timed([0, 40, 80, 20, 120]) == ([0, STEP, 2 * STEP, Fraction(1, 10), 3 * STEP], 1)


def test_without_any_stamp_times_count_on():
    assert timed([None] * 40) == ([i * STEP for i in range(40)], 40)


def without_first_stamps(source, target, before):
    """Copy into a Matroska file, where what lies before zero has no stamps."""
    with av.open(str(source)) as old, av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                ticks = round(before / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, copy
                new.mux(packet)
    return target


@pytest.mark.parametrize("before", [Fraction(1, 5), Fraction(2)])
@pytest.mark.parametrize("frames", [0, 3])
def test_a_file_whose_first_pictures_have_no_stamps(tmp_path, before, frames):
    whole = encode(tmp_path / "a.mp4", count=100, gop=100, options={"bf": str(frames)})
    path = without_first_stamps(whole, tmp_path / "a.mkv", before)
    with open_source(path) as source:
        for _ in range(2):
            times = [picture.time for picture in source.pictures()]
            wanted = [i / 25 - float(before) for i in range(100)]
            assert [float(time) for time in times] == pytest.approx(wanted, abs=0.001)
            assert source.report.guessed <= before * 25 + frames
            assert source.report.failures == 0
