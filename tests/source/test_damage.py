"""Damage is reported: which frames are missing, which are damaged, and whether a file ends early."""

import random
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from kinoscope.source import open_source
from kinoscope.source.decode.lost_frames import LossDetector
from tests.helpers.sources import audio_of, encode, remux

pytestmark = pytest.mark.slow

QUIET = {"x265-params": "log-level=error"}


def packets(path):
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size, packet.pts) for packet in container.demux(video=0) if packet.size]


def overwrite(path, offset, size, seed=0):
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return path


def hevc(path, count=100, gop=20):
    return encode(path, count=count, codec="libx265", gop=gop, size=(320, 240), options=QUIET | {"preset": "ultrafast"})


def length(stretches):
    return sum(end - start for start, end in stretches)


def read(path, policy="skip", **options):
    with open_source(path, on_error=policy, **options) as source:
        lazy_frames = [(lazy_frame.time, lazy_frame.corrupt) for lazy_frame in source.lazy_frames()]
        return lazy_frames, source.report


@pytest.mark.parametrize("policy", ["skip", "repeat", "blank"])
def test_one_damaged_frame_of_hevc_takes_no_other_along(tmp_path, policy):
    path = hevc(tmp_path / "a.mp4")
    offset, size, _ = packets(path)[45]
    lazy_frames, report = read(overwrite(path, offset + 4, size - 4), policy)
    times = [time for time, _ in lazy_frames]
    whole = [Fraction(index, 25) for index in range(100)]
    assert report.complete
    assert 1 <= report.failures <= 2
    assert len(times) == (100 - report.failures if policy == "skip" else 100)
    assert set(times) <= set(whole)
    assert length(report.missing) == pytest.approx(report.failures / 25)
    corrupt = [time for time, damaged in lazy_frames if damaged]
    assert len(corrupt) == report.corrupt >= 10
    assert length(report.damaged) == pytest.approx(report.corrupt / 25)
    assert all(Fraction(40, 25) <= time < Fraction(60, 25) for time in corrupt)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
@pytest.mark.parametrize("policy", ["skip", "repeat", "blank"])
def test_frames_whose_bytes_are_passed_over_are_missing(tmp_path, name, codec, policy):
    path = encode(tmp_path / name, count=200, codec=codec, gop=20, size=(320, 240))
    stored = packets(path)
    offset = stored[90][0]
    lazy_frames, report = read(overwrite(path, offset, stored[95][0] - offset), policy)
    times = [time for time, _ in lazy_frames]
    assert report.failures >= 4
    assert len(times) == (200 - report.failures if policy == "skip" else 200)
    assert all(b > a for a, b in pairwise(times))
    assert length(report.missing) == pytest.approx(report.failures / 25, abs=0.02)
    assert report.missing[0][0] == pytest.approx(float(times[0]) + 90 / 25, abs=0.25)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.flv", "a.avi"])
def test_half_a_file_is_not_complete(tmp_path, name):
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    codec = {"a.webm": "libvpx-vp9", "a.flv": "flv1"}.get(name, "mpeg4")
    path = encode(tmp_path / name, count=100, codec=codec, container_options=options)
    with open_source(path) as source:
        assert len(list(source.lazy_frames())) == 100
        assert source.report.complete
    path.write_bytes(path.read_bytes()[: packets(path)[50][0]])
    lazy_frames, report = read(path)
    assert 40 < len(lazy_frames) < 60
    assert not report.complete
    assert report.errors[-1].startswith("ends at ")
    assert report.errors[-1].endswith("of 4.00 s")
    assert read(path, end=1)[1].complete


def tone(path, codec="pcm_s16le"):
    """Write 4 s of silence, and return what it takes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 16_000, layout="mono")
        for start in range(0, 64_000, 1600):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def read_audio(path, **options):
    with open_source(path, **options) as source:
        samples = sum(len(audio.samples) for audio in audio_of(source.read(video=False, audio_rates=(16_000,))))
        return samples, source.report


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.wav", "pcm_u8"), ("a.aiff", "pcm_s16be"), ("a.au", "pcm_s16be")]
)
def test_half_a_recording_of_audio_is_not_complete(tmp_path, name, codec):
    path = tmp_path / name
    data = tone(path, codec)
    samples, report = read_audio(path)
    assert (samples, report.complete) == (64_000, True)
    path.write_bytes(data[: len(data) // 2 + 20])
    samples, report = read_audio(path)
    assert 31_900 < samples < 32_100
    assert not report.complete
    assert [error[:9] + error[-10:] for error in report.errors] == ["ends at 2 of 4.00 s"]
    assert read_audio(path, end=1)[1].complete


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_whose_size_was_not_known_when_it_began_is_complete(tmp_path, size):
    path = tmp_path / "a.wav"
    data = bytearray(tone(path))
    offset = data.index(b"data") + 4
    data[offset : offset + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)
    _, report = read_audio(path)
    assert (report.complete, report.errors) == (True, [])


def test_a_wav_that_declares_too_few_bytes_a_second_is_complete(tmp_path):
    path = tmp_path / "a.wav"
    data = bytearray(tone(path))
    offset = data.index(b"fmt ") + 16
    data[offset : offset + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert read_audio(path)[1].complete


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_last_seconds_of_a_long_file_are_missed(tmp_path, name):
    """Check that a few missing seconds are no more taken for rounding in a long file than in a short one."""
    path = encode(tmp_path / name, count=1000, rate=5, gop=50, container_options={"movflags": "faststart"})
    offset = packets(path)[985][0]
    path.write_bytes(path.read_bytes()[:offset])
    lazy_frames, report = read(path)
    assert len(lazy_frames) == 985
    assert not report.complete
    assert "of 200.00 s" in report.errors[-1]


def test_damage_outside_the_limits_is_not_counted(tmp_path):
    path = hevc(tmp_path / "a.mp4")
    offset, size, _ = packets(path)[45]
    overwrite(path, offset + 4, size - 4)
    for limits in ({"end": 1.5}, {"start": 2.6}):
        report = read(path, **limits)[1]
        assert (report.failures, report.corrupt, report.missing) == (0, 0, [])


@pytest.mark.parametrize(("codec", "options"), [("libx264", {}), ("libx265", QUIET), ("mpeg2video", {})])
def test_what_comes_before_the_first_keyframe_is_counted(tmp_path, codec, options):
    whole = remux(
        encode(tmp_path / "a.mp4", count=60, codec=codec, gop=30, size=(320, 240), options=options), tmp_path / "a.ts"
    )
    stored = packets(whole)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[stored[10][0] // 188 * 188 :])
    lazy_frames, report = read(cut)
    first = lazy_frames[0][0]
    assert not any(damaged for _, damaged in lazy_frames)
    assert report.failures > 10
    assert abs(report.failures - (float(first) - report.missing[0][0]) * 25) < 2  # one packet was cut in two
    assert report.missing[-1][1] == pytest.approx(float(first))
    assert "no key frame" in report.errors[0]
    assert len(read(cut, "blank")[0]) == len(lazy_frames) + report.failures


def test_a_start_inside_a_file_loses_nothing(tmp_path):
    path = encode(tmp_path / "a.mkv", count=100, gop=20, options={"bf": "2"})
    lazy_frames, report = read(path, start=2.2)
    assert lazy_frames[0][0] == Fraction(22, 10)
    assert report.failures == 0


@pytest.mark.parametrize("start", [0.3, 1.1, 1.9])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_start_inside_a_transport_stream_loses_nothing(tmp_path, codec, start):
    """Seek by decoding times, which lie before those of the frames: also behind the first keyframe."""
    extra = QUIET if codec == "libx265" else {}
    options = {"bf": "3", "preset": "ultrafast", **extra}
    whole = encode(tmp_path / "a.mp4", count=100, codec=codec, gop=50, size=(128, 96), options=options)
    path = remux(whole, tmp_path / "a.ts")
    times = [time for time, _ in read(path)[0]]
    start = times[0] + Fraction(str(start))
    lazy_frames, report = read(path, start=start)
    assert [time for time, _ in lazy_frames] == [time for time in times if time >= start]
    assert (report.failures, report.missing) == (0, [])


def test_frames_in_front_of_a_keyframe_that_was_sought_are_no_damage(tmp_path):
    """Show, in an open group, frames before the keyframe that need the previous group."""
    options = {"x264-params": "open-gop=1:keyint=25:min-keyint=25:bframes=4:b-adapt=0:scenecut=0"}
    path = encode(tmp_path / "a.mp4", count=150, gop=25, size=(128, 96), options=options)
    times = [Fraction(2 * index) + Fraction(1, 25) for index in range(3)]
    with open_source(path, on_error="raise") as source:
        assert [lazy_frame.time for lazy_frame in source.at(times)] == times
        assert source.report.failures == 0


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_uneven_times_are_no_damage(tmp_path, name):
    """Keep long pauses between frames if no bytes are missing."""
    stamps = np.cumsum([0, *(40, 40, 40, 5000) * 10]).tolist()
    path = encode(tmp_path / name, count=len(stamps), pts=stamps, time_base=Fraction(1, 1000), gop=8)
    lazy_frames, report = read(path, "repeat")
    assert [time for time, _ in lazy_frames] == [Fraction(stamp, 1000) for stamp in stamps]
    assert (report.failures, report.missing) == (0, [])


def test_simulated_streams_end_nothing(tmp_path):
    """Change an FLV so that it announces streams that do not exist."""
    path = encode(tmp_path / "a.flv", count=100, codec="flv1", gop=20, size=(320, 240))
    offset = packets(path)[50][0]
    data = bytearray(path.read_bytes())
    data[offset - 20] = 8  # the tag's kind: audio
    path.write_bytes(data)
    lazy_frames, report = read(path)
    assert len(lazy_frames) >= 99 - report.failures
    assert report.complete


def fake_packet(pts: int, key: bool = False) -> Any:
    """Return what the detector reads of a packet."""
    return SimpleNamespace(pts=pts, is_keyframe=key, is_discard=False, is_corrupt=False)


def fake_frame(pts: int) -> Any:
    """Return what the detector reads of a frame."""
    return SimpleNamespace(pts=pts, is_corrupt=False)


def lost_of(losses, frames):
    return [lost.pts for pts in frames for lost in losses.lost_before(fake_frame(pts))]


def test_second_fields_are_no_frames():
    """Count one frame for each pair of packets."""
    losses = LossDetector()
    for pts in range(0, 100, 2):
        losses.record_packet(fake_packet(pts, key=not pts))
    assert lost_of(losses, range(0, 60, 4)) == []
    losses.record_error("invalid data")
    assert lost_of(losses, range(72, 100, 4)) == [60, 64, 68]
    assert [lost.pts for lost in losses.lost_at_end()] == []


def test_a_reason_waits_for_the_frame_that_it_belongs_to():
    """Fail in a decoder that runs ahead, before the frames come out that lie before the damaged one."""
    losses = LossDetector()
    for pts in range(20):
        losses.record_packet(fake_packet(pts, key=not pts))
    assert lost_of(losses, range(5)) == []
    losses.record_error("invalid data")
    assert lost_of(losses, [5, 6, 7, 8]) == []
    assert lost_of(losses, [10]) == [9]
    assert lost_of(losses, [*range(11, 15), *range(16, 20)]) == [15]
    assert list(losses.lost_at_end()) == []


def test_a_failure_without_a_stamp_is_counted_once():
    losses = LossDetector()
    for pts in range(5):
        losses.record_packet(fake_packet(pts, key=not pts))
    losses.record_error("invalid data")
    assert lost_of(losses, range(5)) == []
    assert [(lost.pts, lost.reason) for lost in losses.lost_at_end()] == [(None, "invalid data")]


def test_the_command_says_what_is_damaged(tmp_path, light, kinoscope):
    """Exit with status 1 and one line on stderr after damage, whether frames are lost or shown in part."""
    whole = hevc(tmp_path / "whole.mp4")
    offset, size, _ = packets(whole)[45]
    damaged, half = tmp_path / "damaged.mp4", encode(tmp_path / "half.mkv", count=60)
    damaged.write_bytes(whole.read_bytes())
    overwrite(damaged, offset + 4, size - 4)
    half.write_bytes(half.read_bytes()[: packets(half)[35][0]])
    for path, status, message in ((whole, 0, ""), (damaged, 1, "decoded"), (half, 1, "was not read to its end")):
        call = kinoscope("analyze", path, "--tasks", "shots", "-o", tmp_path / path.stem, "--quiet")
        assert (call.status, message in call.err, len(call.err.splitlines())) == (status, True, status), call
