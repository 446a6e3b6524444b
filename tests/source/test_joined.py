"""Concatenated recordings: one clock for frames and audio, whatever their timestamps do."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.media import Audio
from kinoscope.source import open_source
from kinoscope.source.decode.continuity import TimestampJoiner
from kinoscope.source.decode.mpeg_clock import clock_restarts
from kinoscope.source.encode.shift_audio import shift_audio
from kinoscope.source.encode.writer import Writer
from tests.helpers.sources import remux

TICK = Fraction(1, 90_000)


@dataclass(eq=False)
class Stamped:
    """What of a packet the clock goes by."""

    stream_index: int
    pts: int | None
    dts: int | None
    duration: int
    part: int = 0
    time_base: Fraction = TICK
    size: int = 1


def ticks(seconds):
    return round(Fraction(seconds) / TICK)


def part_of(number, start, seconds, late, delay):
    """Return packets of 25 frames and 50 audio blocks a second; audio begins ``late`` seconds after the frames."""
    video = [(start + Fraction(i, 25), 0, 3600) for i in range(int(seconds * 25))]
    audio = [(start + late + Fraction(i, 50), 1, 1800) for i in range(int(seconds * 50))]
    stamped = []
    for time, stream, duration in sorted(video + audio):
        at = ticks(time)
        stamped.append(Stamped(stream, at + (delay if stream == 0 else 0), at, duration, number))
    return stamped


def run(packets):
    return list(TimestampJoiner().run(packets))


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 80_000_000), st.integers(1, 4), st.integers(-30, 30), st.integers(0, 3)),
        min_size=1,
        max_size=5,
    )
)
def test_parts_follow_each_other_whatever_their_stamps(parts):
    """Shift each part as a whole to where the previous one ends; no stream falls back."""
    packets, end = [], None
    for number, (wanted, seconds, late, delay) in enumerate(parts):
        start = Fraction(wanted, 1000)
        if end is not None and -1 < start - end < 12 * 3600 + 10:  # that would be a pause
            start = end - 5
        packets += part_of(number, start, seconds, Fraction(late, 1000), delay * 3600)
        end = start + seconds
    stored = [packet.pts for packet in packets]
    assert sorted(map(id, run(packets))) == sorted(map(id, packets))
    offsets = {(packet.part, packet.pts - pts) for packet, pts in zip(packets, stored, strict=True)}
    assert len(offsets) == len(parts)
    assert (0, 0) in offsets
    for stream in (0, 1):
        mine = [packet for packet in packets if packet.stream_index == stream]
        gaps = [b.pts - a.pts - a.duration for a, b in pairwise(mine)]
        assert all(0 <= gap <= ticks(Fraction(1, 4)) for gap in gaps)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 600_000), min_size=2, max_size=60), st.integers(-(10**6), 10**9))
def test_increasing_stamps_stay_as_they_are(steps, start):
    """Take no pause for a jump, however uneven."""
    stamps = (start + np.cumsum([0, *steps])).tolist()
    packets = [Stamped(0, stamp, stamp, 1) for stamp in stamps]
    assert [packet.pts for packet in run(packets)] == stamps


@pytest.mark.slow
@settings(max_examples=40)
@given(st.integers(1, 98), st.sampled_from([-(10**9), -500_000, 2_000_000, 10**10]))
def test_one_stamp_that_is_off_moves_nothing(at, off):
    packets = part_of(0, Fraction(0), 4, Fraction(0), 0)
    mine = [packet for packet in packets if packet.stream_index == 0]
    mine[at].pts = mine[at].dts = mine[at].dts + off
    before = [(packet.pts, packet.dts) for packet in packets]
    run(packets)
    assert mine[at].pts is None
    assert all((p.pts, p.dts) == old for p, old in zip(packets, before, strict=True) if p is not mine[at])


def record(path, start, seconds=2, tone=440, kind="mpegts", bright=0, size=(64, 48)):
    """Write a transport stream whose timestamps begin at ``start`` seconds."""
    with av.open(str(path), "w", format=kind, options={"mpegts_copyts": "1"} if kind == "mpegts" else {}) as container:
        video = container.add_stream("mpeg2video", 25)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("mp2", 48_000, layout="mono")
        for index in range(seconds * 25):
            pixels = np.full((size[1], size[0], 3), bright + index, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index + start * 25, Fraction(1, 25)
            container.mux(video.encode(frame))
            wave = 0.5 * np.sin(2 * np.pi * tone * (index * 1920 + np.arange(1920)) / 48_000)
            block = av.AudioFrame.from_ndarray((32767 * wave).astype(np.int16)[None], "s16", "mono")
            block.sample_rate, block.pts, block.time_base = 48_000, index * 1920 + start * 48_000, Fraction(1, 48_000)
            container.mux(audio.encode(block))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def joined(tmp_path, *starts, kind="mpegts"):
    parts = [record(tmp_path / f"{n}.part", start, tone=440 * (n + 1), kind=kind) for n, start in enumerate(starts)]
    path = tmp_path / f"joined.{'ts' if kind == 'mpegts' else 'mpg'}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def tones(blocks, rate=8000):
    """Return the loudest frequency of each half second."""
    wave = np.concatenate([block.samples for block in blocks])
    pieces = [wave[i : i + rate // 2] for i in range(0, len(wave) - rate // 2 + 1, rate // 2)]
    return [2 * int(np.argmax(np.abs(np.fft.rfft(piece)))) for piece in pieces]


@pytest.mark.slow
@pytest.mark.parametrize("starts", [(1, 1), (41, 1), (200, 1), (1, 26 * 3600), (41, 1, 1)])
def test_joined_transport_streams_have_one_clock(tmp_path, starts):
    path = joined(tmp_path, *starts)
    with open_source(path) as source:
        assert float(source.info.duration) == pytest.approx(2 * len(starts), abs=0.25 * len(starts))
        items = list(source.read(audio_rates=(8000,)))
        times = [item.time for item in items if not isinstance(item, Audio)]
        blocks = [item for item in items if isinstance(item, Audio)]
        assert len(times) == 50 * len(starts)
        assert all(Fraction(1, 30) < b - a < Fraction(1, 5) for a, b in pairwise(times))
        assert (source.report.guessed, source.report.failures, source.report.complete) == (0, 0, True)
        assert sum(len(block.samples) for block in blocks) / 8000 == pytest.approx(
            2 * len(starts), abs=0.25 * len(starts)
        )
        frequencies = tones(blocks)
        assert all(any(abs(tone - 440 * (n + 1)) <= 4 for tone in frequencies) for n in range(len(starts)))
        assert len(list(source.evenly(4 * len(starts)))) == 4 * len(starts)


def test_joined_program_streams_have_one_clock(tmp_path):
    path = joined(tmp_path, 1, 1, kind="vob")
    assert clock_restarts(path)
    with open_source(path) as source:
        assert float(source.info.duration) == pytest.approx(4, abs=0.3)
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert len(times) >= 100
        assert all(0 < b - a < Fraction(1, 5) for a, b in pairwise(times))


def test_a_joined_recording_is_read_from_its_second_part(tmp_path):
    path = joined(tmp_path, 30, 1)
    with open_source(path) as whole:
        times = [lazy_frame.time for lazy_frame in whole.lazy_frames()]
    with open_source(path, start=times[70], end=times[80]) as source:
        assert [lazy_frame.time for lazy_frame in source.lazy_frames()] == times[70:80]
    with open_source(path) as source:
        displayed = [frame.time for frame in source.evenly(4)]
        assert len(set(displayed)) == 4
        assert displayed[-1] > times[60]


def test_an_unbroken_recording_is_not_taken_for_a_joined_one(tmp_path):
    assert not clock_restarts(record(tmp_path / "a.ts", 1, seconds=4))
    assert not clock_restarts(record(tmp_path / "b.ts", 95_400, seconds=4))


@pytest.mark.slow
@pytest.mark.parametrize("starts", [(1, 1), (41, 1), (26 * 3600,)])
def test_what_is_written_of_it_has_its_audio_and_begins_at_zero(tmp_path, starts):
    path, out = joined(tmp_path, *starts), tmp_path / "out.mp4"
    with open_source(path) as source:
        start = source.begin
        with Writer(out, source.info.size, source.info.rate, path, zero=start) as writer:
            times = []
            for frame in source.frames():
                times.append(frame.time - start)
                writer.write(frame)
    with open_source(out) as source:
        items = list(source.read(audio_rates=(8000,)))
        written = [item.time for item in items if not isinstance(item, Audio)]
        assert [float(time) for time in written] == pytest.approx([float(time) for time in times], abs=1e-6)
        blocks = [item for item in items if isinstance(item, Audio)]
        assert 0 <= blocks[0].start <= Fraction(1, 10)
        assert float(blocks[-1].end) == pytest.approx(2 * len(starts), abs=0.3)
        assert float(source.info.duration) == pytest.approx(2 * len(starts), abs=0.3)


def test_audio_of_a_joined_recording_is_moved_as_a_whole(tmp_path):
    path, out = joined(tmp_path, 41, 1), tmp_path / "moved.mkv"
    with open_source(path) as source:
        before = [lazy_frame.time for lazy_frame in source.lazy_frames()]
    shift_audio(path, out, Fraction(1, 10))
    with open_source(out) as source:
        items = list(source.read(audio_rates=(8000,)))
        times = [item.time for item in items if not isinstance(item, Audio)]
        blocks = [item for item in items if isinstance(item, Audio)]
    assert [float(b - a) for a, b in pairwise(times)] == pytest.approx(
        [float(b - a) for a, b in pairwise(before)], abs=0.002
    )
    assert float(blocks[-1].end - blocks[0].start) == pytest.approx(4, abs=0.3)


def test_audio_that_begins_in_the_second_part_is_missed(tmp_path):
    """Begin an audio track after the five seconds that FFmpeg probes."""
    silent = remux(record(tmp_path / "a.part", 0, seconds=7), tmp_path / "a.ts", "mpegts")
    path = tmp_path / "joined.ts"
    path.write_bytes(silent.read_bytes() + record(tmp_path / "b.part", 0).read_bytes())
    with open_source(path) as source:
        list(source.lazy_frames())
        assert source.report.failures == 1
        assert "begins too late" in source.report.errors[0]
