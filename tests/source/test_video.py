import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import DecodeError, OptionError, SourceError
from kinoscope.core.media import Audio
from kinoscope.source import LazyFrame, open_source
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from tests.helpers.sources import audio_of, close_reader, encode, lossless, noise


def times_of(path, **options):
    with open_source(path, **options) as source:
        return [lazy_frame.time for lazy_frame in source.lazy_frames()]


def test_reads_every_frame_exactly(tmp_path):
    pixels = noise(7)
    times = [Fraction(i, 25) for i in range(7)]
    with open_source(lossless(tmp_path / "a.mp4", pixels, times, rate=25)) as source:
        frames = list(source.frames())
    assert [frame.time for frame in frames] == times
    assert [frame.index for frame in frames] == list(range(7))
    for frame, wanted in zip(frames, pixels, strict=True):
        np.testing.assert_array_equal(frame.pixels, wanted)


def test_info_says_what_the_file_is(tmp_path):
    path = shapes(duration=1, rate=Fraction(30000, 1001), width=64, height=48).write(tmp_path / "a.mp4")
    with open_source(path) as source:
        info = source.info
    assert info.size == (64, 48)
    assert info.rate == Fraction(30000, 1001)
    assert info.frames == 30
    assert info.duration == 30 * Fraction(1001, 30000)
    assert (info.codec, info.pixel_format, info.bit_depth) == ("h264", "yuv420p", 8)
    assert (info.colour_space, info.colour_range) == ("bt709", "tv")
    assert not any((info.variable, info.interlaced, info.live, info.has_audio))


@settings(max_examples=15)
@given(
    steps=st.lists(st.integers(1, 200_000), min_size=1, max_size=8),
    start=st.integers(0, 500_000),
    base=st.sampled_from([Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 1000), Fraction(1, 12_800)]),
)
def test_variable_times_come_back_exactly(tmp_path, steps, start, base):
    ticks = np.cumsum([start, *steps]).tolist()
    times = [tick * base for tick in ticks]
    path = lossless(tmp_path / "vfr.mp4", noise(len(times), 16, 16), times, time_base=Fraction(1, base.denominator))
    assert times_of(path) == times


def test_default_ticks_hold_usual_times(tmp_path):
    times = [Fraction(1, 1000), Fraction(3003, 90_000), Fraction(1001, 12_000), Fraction(1537, 15_360)]
    path = lossless(tmp_path / "vfr.mp4", noise(4, 16, 16), times)
    assert times_of(path) == times
    with open_source(path) as source:
        assert source.info.variable
        assert source.info.start == Fraction(1, 1000)


def test_b_frames_come_in_order_of_time(tmp_path):
    path = encode(tmp_path / "b.mp4", options={"bf": "3", "preset": "fast"})
    assert times_of(path) == [Fraction(i, 25) for i in range(12)]


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.avi", "a.mov", "a.webm"])
def test_containers(tmp_path, name):
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4"}.get(name, "libx264")
    path = encode(tmp_path / name, codec=codec)
    with open_source(path) as source:
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert source.report.to_dict() | {"errors": []} == source.report.to_dict()
    assert [time - times[0] for time in times] == [Fraction(i, 25) for i in range(12)]


def test_non_zero_start_is_preserved(tmp_path):
    path = encode(tmp_path / "late.ts", pts=[90_000 * 5 + 3600 * i for i in range(12)], time_base=Fraction(1, 90_000))
    with open_source(path) as source:
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert source.info.start == times[0] == 5
        assert [float(frame.time - times[0]) for frame in source.evenly(3)] == [0.08, 0.24, 0.4]


def test_edit_list_hides_what_it_says(tmp_path):
    path = encode(tmp_path / "a.mp4", count=50, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    duration, media_time = (int.from_bytes(data[entry + i : entry + i + 4], "big") for i in (0, 4))
    assert media_time == 0
    scale = data.index(b"mdhd") + 16
    tick = int.from_bytes(data[scale : scale + 4], "big")
    data[entry : entry + 4] = (duration - 400).to_bytes(4, "big")
    data[entry + 4 : entry + 8] = (10 * tick // 25).to_bytes(4, "big")
    path.write_bytes(data)
    assert times_of(path) == [Fraction(i, 25) for i in range(40)]


def test_missing_stamps_are_filled_in(tmp_path):
    path = encode(tmp_path / "raw.h264")
    with open_source(path) as source:
        times = [lazy_frame.time for lazy_frame in source.lazy_frames()]
        assert len(times) == 12
        assert all(b > a for a, b in itertools.pairwise(times))
        assert source.report.guessed > 0


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_rotation_is_applied(tmp_path, angle):
    corner = np.zeros((32, 48, 3), np.uint8)
    corner[:16, :16] = 255
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.set_display_rotation(angle)
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(corner, "rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        assert source.info.rotation == angle
        assert source.info.size == ((32, 48) if angle % 180 else (48, 32))
        lazy_frame = next(source.lazy_frames())
        wanted = np.rot90(corner, angle // 90)
        assert lazy_frame.pixels().shape == wanted.shape
        assert np.abs(lazy_frame.pixels().astype(int) - wanted).max() < 12
        half = lazy_frame.pixels((lazy_frame.size[0] // 2, lazy_frame.size[1] // 2))
        assert np.abs(half[4:-4:4, 4:-4:4].astype(int) - wanted[8:-8:8, 8:-8:8]).max() < 90
        assert half.shape == (lazy_frame.size[1] // 2, lazy_frame.size[0] // 2, 3)


def test_interlaced_is_named(tmp_path):
    path = encode(tmp_path / "i.mpg", codec="mpeg2video", options={"flags": "+ildct+ilme"})
    with open_source(path) as source:
        assert source.info.interlaced


def test_limits_cut_frames_and_audio(tmp_path):
    path = flash_and_beep(width=32, height=32).write(tmp_path / "a.mp4")
    with open_source(path, start="1.1", end=2) as source:
        items = list(source.read(audio_rates=(16_000,)))
    lazy_frames = [item for item in items if isinstance(item, LazyFrame)]
    blocks = [item for item in items if isinstance(item, Audio)]
    assert [lazy_frame.time for lazy_frame in lazy_frames] == [Fraction(i, 25) for i in range(28, 50)]
    assert [lazy_frame.index for lazy_frame in lazy_frames] == list(range(22))
    assert blocks[0].start == Fraction(11, 10)
    assert blocks[-1].end == 2
    assert sum(len(audio.samples) for audio in blocks) == 14_400


def test_rate_thins_out(tmp_path):
    path = shapes(width=32, height=32, duration=1).write(tmp_path / "a.mp4")
    with open_source(path, rate=5) as source:
        assert source.info.rate == 5
        assert [frame.time for frame in source.frames((8, 8))] == [Fraction(i, 5) for i in range(5)]


@pytest.mark.parametrize("gop", [5, 250])
def test_evenly_yields_the_same_by_seeking_and_in_sequence(tmp_path, gop):
    path = encode(tmp_path / "a.mp4", count=60, gop=gop)
    with open_source(path) as source:
        every = {frame.time: frame for frame in source.frames()}
        picked = list(source.evenly(4))
    assert [frame.time for frame in picked] == [Fraction(n, 25) for n in (7, 22, 37, 52)]
    assert [frame.index for frame in picked] == [7, 22, 37, 52]
    for frame in picked:
        np.testing.assert_array_equal(frame.pixels, every[frame.time].pixels)


def test_keyframes_only(tmp_path):
    path = encode(tmp_path / "a.mp4", count=30, gop=10, options={"sc_threshold": "0"})
    with open_source(path) as source:
        assert [frame.time for frame in source.keyframes()] == [0, Fraction(10, 25), Fraction(20, 25)]
        assert len(list(source.frames())) == 30


def test_pixels_of_one_size_are_rendered_once(tmp_path):
    path = shapes(width=32, height=32, duration=1).write(tmp_path / "a.mp4")
    with open_source(path) as source:
        lazy_frame = next(source.lazy_frames())
        assert lazy_frame.pixels((8, 8)) is lazy_frame.pixels((8, 8))
        assert lazy_frame.pixels((8, 4)).shape == (4, 8, 3)


def test_resolution_change_is_counted_and_scaled(tmp_path):
    small, large = (encode(tmp_path / f"{n}.ts", count=5, size=size) for n, size in enumerate([(64, 48), (96, 64)]))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with open_source(both) as source:
        shapes_seen = {frame.size for frame in source.frames()}
        assert shapes_seen == {(64, 48)}
        assert source.report.resizes == 1
        assert source.report.frames == 10


def flipped(path, gop=12):
    encode(path, count=36, codec="mpeg4", gop=gop, options={"err_detect": "explode"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        offset, size = packets[14].pos, packets[14].size
    data[offset : offset + size] = bytes(size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("policy", "count"), [("skip", 35), ("repeat", 36), ("blank", 36)])
def test_policy_for_corrupt_frames(tmp_path, policy, count):
    path = flipped(tmp_path / "broken.avi")
    with open_source(path, on_error=policy) as source:
        frames = list(source.frames())
        assert source.report.failures == 1
        assert source.report.policy == policy
    assert len(frames) == count
    if policy != "skip":
        assert frames[14].time == Fraction(14, 25)
        wanted = frames[13].pixels if policy == "repeat" else np.zeros_like(frames[13].pixels)
        np.testing.assert_array_equal(frames[14].pixels, wanted)


@pytest.mark.parametrize(("policy", "count"), [("skip", 49), ("repeat", 50), ("blank", 50)])
def test_flipped_bits_of_h264_are_found(tmp_path, policy, count):
    path = shapes(duration=2, width=320, height=240).write(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        offset, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][20]
    data = bytearray(path.read_bytes())
    for at in range(offset + 6, offset + size, 7):
        data[at] ^= 0x55
    path.write_bytes(data)
    with open_source(path, on_error=policy) as source:
        assert len(list(source.frames((32, 24)))) == count
        assert source.report.failures == 1
        assert source.report.errors


def test_policy_raise_names_the_time(tmp_path):
    path = flipped(tmp_path / "broken.avi")
    with (
        open_source(path, on_error="raise") as source,
        pytest.raises(DecodeError, match=r"broken.avi is corrupt at 0.560 s"),
    ):
        list(source.frames())


def test_unknown_policy(tmp_path):
    with pytest.raises(OptionError, match="on_error 'ignore' is unknown; choose one of skip, repeat, blank, raise"):
        open_source(encode(tmp_path / "a.mp4"), on_error="ignore")


def test_empty_limits_are_refused():
    with pytest.raises(OptionError, match="end 1 s does not lie after start 2 s"):
        open_source("a.mp4", start=2, end=1)


def test_reading_twice_yields_the_same(tmp_path):
    path = shapes(width=32, height=32, duration=1).write(tmp_path / "a.mp4")
    with open_source(path) as source:
        first, second = ([p.time for p in source.lazy_frames()] for _ in range(2))
    assert first == second
    assert source.report.frames == 25


def test_breaking_off_is_reported(tmp_path):
    path = shapes(width=32, height=32, duration=1).write(tmp_path / "a.mp4")
    with open_source(path) as source:
        items = source.read()
        next(items)
        close_reader(items)
        assert not source.report.complete


@pytest.mark.parametrize("size", [(17, 31), (1, 1), (2, 700)])
def test_odd_sizes(tmp_path, size):
    path = lossless(tmp_path / "odd.mp4", noise(3, *size), [Fraction(i) for i in range(3)])
    with open_source(path) as source:
        assert source.info.size == size
        assert [frame.size for frame in source.frames((5, 3))] == [(5, 3)] * 3


def test_one_frame(tmp_path):
    path = lossless(tmp_path / "one.mp4", noise(1), [Fraction(3)])
    with open_source(path) as source:
        assert [frame.time for frame in source.evenly(3)] == [3, 3, 3]


def test_thousand_frames_a_second(tmp_path):
    path = shapes(width=16, height=16, duration=Fraction(1, 10), rate=1000).write(tmp_path / "fast.mp4")
    assert times_of(path) == [Fraction(i, 1000) for i in range(100)]


def test_huge_times(tmp_path):
    times = [Fraction(10**9), Fraction(10**9) + Fraction(1, 25)]
    assert times_of(lossless(tmp_path / "huge.mkv", noise(2), times)) == times


def test_negative_times(tmp_path):
    path = encode(
        tmp_path / "negative.mkv", codec="ffv1", pix_fmt="yuv444p", pts=range(-6, 6), options={},
        container_options={"avoid_negative_ts": "disabled"},
    )  # fmt: skip
    assert times_of(path) == [Fraction(i, 25) for i in range(-6, 6)]


def test_audio_alone_is_a_source(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
    with open_source(path) as source:
        assert source.info.size == (0, 0)
        assert source.info.has_audio
        assert source.info.duration == 1
        assert sum(len(audio.samples) for audio in audio_of(source.read(audio_rates=(16_000,)))) == 16_000
        with pytest.raises(SourceError, match="no video"):
            list(source.evenly(2))
