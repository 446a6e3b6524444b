"""Times are exact where a stream declares them, and interpolated only where it does not."""

import struct
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.results import DecodeReport
from kinoscope.core.time import last_frame_end
from kinoscope.pipeline.engine import run
from kinoscope.source import open_source
from kinoscope.source.decode.timestamps import MAX_BUFFERED_FRAMES, TimestampSorter
from tests.helpers.sources import encode, lossless, noise

STEP = Fraction(1, 25)


def timed(stamps, base=Fraction(1, 1000), **options):
    report = DecodeReport()
    clock: TimestampSorter[int] = TimestampSorter(base, STEP, report, **options)
    out = [pair for number, stamp in enumerate(stamps) for pair in clock.push(number, stamp)]
    out += clock.flush()
    assert [number for number, _ in out] == list(range(len(stamps)))
    return [time for _, time in out], report.guessed


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, MAX_BUFFERED_FRAMES - 1)), min_size=1, max_size=12),
    st.integers(-(10**9), 10**9),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000)]),
)
def test_every_existing_timestamp_is_preserved(steps, start, base):
    """Increase times whatever is missing between them; stamped frames keep their own."""
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


@given(st.integers(1, MAX_BUFFERED_FRAMES - 1))
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


@pytest.mark.slow
@pytest.mark.parametrize("before", [Fraction(1, 5), Fraction(2)])
@pytest.mark.parametrize("frames", [0, 3])
def test_a_file_whose_first_frames_have_no_timestamps(tmp_path, before, frames):
    whole = encode(tmp_path / "a.mp4", count=100, gop=100, options={"bf": str(frames)})
    path = without_first_stamps(whole, tmp_path / "a.mkv", before)
    with open_source(path) as source:
        for _ in range(2):
            times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
            wanted = [i / 25 - float(before) for i in range(100)]
            assert [float(time) for time in times] == pytest.approx(wanted, abs=0.001)
            assert source.report.guessed <= before * 25 + frames
            assert source.report.failures == 0


def uneven(path, rates=((24, 48), (60, 60)), base=1000):
    """Write a video whose rate changes in the middle."""
    stamps, time = [], Fraction(0)
    for rate, count in rates:
        stamps += [round((time + Fraction(i, rate)) * base) for i in range(count)]
        time += Fraction(count, rate)
    return encode(path, count=len(stamps), pts=stamps, time_base=Fraction(1, base), rate=24), time


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_last_frame_of_an_uneven_video_lasts_its_own_time(tmp_path, name):
    path, end = uneven(tmp_path / name)
    with open_source(path) as source:
        last = list(source.lazy_frames())[-1]
        times = [float(lazy_frame.time) for lazy_frame in source.lazy_frames()]
        assert last_frame_end(times, source.info.rate, last.duration) == pytest.approx(float(end), abs=0.002)


def test_a_last_frame_lasts_as_long_as_is_known():
    even = [i / 25 for i in range(20)]
    assert last_frame_end(even, 25) == pytest.approx(0.8)
    assert last_frame_end(even, 25, Fraction(1, 10)) == pytest.approx(0.86)
    assert last_frame_end([0.0], 25) == pytest.approx(0.04)
    assert last_frame_end([0.0], None) == 0
    assert last_frame_end([*even, 1.76], 25) == pytest.approx(1.8)  # a pause is no rate
    assert last_frame_end([0, 0.5, 1], None) == pytest.approx(1.5)
    fast = [i / 60 for i in range(20)]
    assert last_frame_end(fast, 24) == pytest.approx(1 / 3)
    assert last_frame_end(fast, 24, Fraction(1, 24)) == pytest.approx(1 / 3)  # the average, written as each frame's own


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_rate_that_changes_in_mid_file_is_noticed(tmp_path, light, name):
    base = 90_000 if name.endswith("ts") else 1000
    even = encode(tmp_path / f"even-{name}", count=60)
    path, _ = uneven(tmp_path / name, base=base)
    for video, variable in ((even, False), (path, True)):
        with open_source(video) as source:
            timeline = run(source, [light["shots"]()], threaded=False)
        assert timeline.source["variable"] is variable


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_a_declared_duration_that_is_far_off_leaves_frames_apart(tmp_path, name):
    codec = "libvpx-vp9" if name.endswith("webm") else "mpeg4"
    path = encode(tmp_path / name, count=50, codec=codec)
    data = bytearray(path.read_bytes())
    offset = data.index(b"\x44\x89\x88") + 3
    data[offset : offset + 8] = struct.pack(">d", 360_000_000.0)
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.info.duration == 360_000
        times = [float(frame.time) for frame in source.evenly(4)]
    assert times == pytest.approx([0.24, 0.72, 1.24, 1.72], abs=0.05)


def test_half_a_file_is_spread_over_what_is_there(tmp_path):
    path = encode(tmp_path / "a.mp4", count=100, codec="mpeg4", container_options={"movflags": "faststart"})
    with av.open(str(path)) as container:
        offset = [packet.pos for packet in container.demux(video=0) if packet.size][50]
    path.write_bytes(path.read_bytes()[:offset])
    with open_source(path) as source:
        assert float(source.span()[1]) == pytest.approx(2)
        assert len({frame.time for frame in source.evenly(8)}) == 8


def test_a_matroska_file_that_starts_late_is_no_longer_for_it(tmp_path):
    path = lossless(tmp_path / "a.mkv", noise(50), [10 + Fraction(i, 25) for i in range(50)])
    with open_source(path) as source:
        assert source.info.start == 10
        assert float(source.info.duration) == pytest.approx(2, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("start", [None, 2.3])
@pytest.mark.parametrize("rate", [1, 5, 10])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_frames_far_apart_and_out_of_order_are_no_other_clock(tmp_path, name, rate, start):
    """Read a Matroska file whose first packets have presentation times only, a second or more out of order."""
    path = encode(tmp_path / name, count=40, rate=rate, gop=10, options={"bf": "3", "b_strategy": "0"})
    with open_source(path, start=start) as source:
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert source.report.guessed == 0
    stored = [Fraction(index, rate) for index in range(40)]
    expected = [time for time in stored if time >= Fraction(str(start or 0))]
    assert times == pytest.approx([float(time) for time in expected], abs=0.001)
