"""Audio is shifted to the sample, and nothing else changes."""

import hashlib
import os
from fractions import Fraction

import av
import numpy as np
import pytest

from kinoscope.core.errors import OptionError, OutputError, SourceError
from kinoscope.source import open_source
from kinoscope.source.encode.shift_audio import shift_audio
from tests.helpers.sources import audio_of, encode

CLICKS = (0.5, 1.1, 1.5)


def pictured(path, rate=48_000, codec="aac", layout="mono", tracks=1, subtitles=False):
    """Write two seconds of video with clicks at CLICKS; each further track is 0.1 s later."""
    video_file = encode(path.with_name("picture.mkv"), count=50, rotation=90, options={"bf": "2"})
    with av.open(str(video_file)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        container.metadata["title"] = "clicks"
        voices = [container.add_stream(codec, rate, layout=layout) for _ in range(tracks)]
        for voice, language in zip(voices, ("eng", "deu"), strict=False):
            voice.metadata["language"] = language
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        for packet in source.demux(0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        for number, voice in enumerate(voices):
            container.mux(voice.encode(clicks(rate, voice, number / 10)))
            container.mux(voice.encode(None))
    return path


def clicks(rate, voice, late):
    times = np.arange(2 * rate) / rate
    wave = sum(np.exp(-((times - click - late) ** 2) / 2e-6) for click in CLICKS)
    channels = voice.codec_context.layout.nb_channels
    samples = np.repeat((0.8 * wave).astype(np.float32), channels)[None]
    frame = av.AudioFrame.from_ndarray(samples, "flt", voice.codec_context.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame


def click_times(path, track=None, rate=48_000):
    """Return the times of the clicks from the first frame on."""
    with open_source(path, audio_track=track) as source:
        first = float(next(source.lazy_frames()).time)
        parts = list(audio_of(source.read(video=False, audio_rates=(rate,))))
    samples = np.concatenate([part.samples for part in parts])
    loud = np.abs(samples)
    peaks = [i for i in range(48, len(loud) - 48) if loud[i] > 0.3 and loud[i] == loud[i - 48 : i + 49].max()]
    return float(parts[0].start) - first + np.array(peaks) / rate


def packets(path):
    """Return each frame's bytes and time, and the rotation."""
    with av.open(str(path)) as container:
        return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(video=0) if p.size]


def decoded(path):
    with open_source(path) as source:
        return [hashlib.md5(frame.pixels.tobytes()).hexdigest() for frame in source.frames()]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("delay", [-0.3, -0.021, 0.25])
def test_audio_is_shifted_and_the_video_stays(tmp_path, ending, delay):
    path = pictured(tmp_path / f"a{ending}")
    done = shift_audio(path, tmp_path / f"b{ending}", delay)
    assert done.left_out == ()
    np.testing.assert_allclose(click_times(done.path), np.array(CLICKS) + delay, atol=0.0015)
    before, after = packets(path), packets(done.path)
    assert [data for data, _ in after] == [data for data, _ in before]
    np.testing.assert_allclose([t for _, t in after], [t for _, t in before], atol=1e-9)
    assert decoded(done.path) == decoded(path)
    with open_source(done.path) as source:
        assert source.info.rotation == 90


def test_tags_chapters_and_languages_stay(tmp_path):
    path = pictured(tmp_path / "a.mp4", tracks=2)
    shift_audio(path, tmp_path / "b.mp4", 0.1)
    with av.open(str(path)) as a, av.open(str(tmp_path / "b.mp4")) as b:
        assert b.metadata["title"] == "clicks"
        assert [c["metadata"] for c in b.chapters()] == [c["metadata"] for c in a.chapters()] == [{"title": "one"}]
        assert [s.language for s in b.streams.audio] == ["eng", "deu"]
        assert [s.disposition for s in b.streams] == [s.disposition for s in a.streams]


def test_attachments_and_the_rate_stay(tmp_path):
    path = pictured(tmp_path / "a.mkv")
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as container:
        streams = {s.index: container.add_stream_from_template(s, opaque=True) for s in source.streams}
        container.add_attachment("font.ttf", "font/ttf", b"letters")
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    shift_audio(tmp_path / "b.mkv", tmp_path / "c.mkv", 0.1)
    with av.open(str(tmp_path / "c.mkv")) as container:
        assert [s.data for s in container.streams.attachments] == [b"letters"]
        assert container.streams.video[0].average_rate == 25
    assert shift_audio(tmp_path / "b.mkv", tmp_path / "c.mp4", 0.1).left_out == ("attachment 2",)


@pytest.mark.parametrize("stretch", [1, Fraction(999, 1000)])
def test_nothing_begins_before_a_start_that_is_not_zero(tmp_path, stretch):
    path = pictured(tmp_path / "a.ts", codec="mp2")
    shift_audio(path, tmp_path / "b.ts", -0.2, stretch)
    with av.open(str(path)) as before, av.open(str(tmp_path / "b.ts")) as after:
        begins = min(float(s.start_time * s.time_base) for s in before.streams)
        assert begins > 0
        # Frames of mp2 take 24 ms; those that are encoded anew come in one frame earlier.
        assert float(after.streams.audio[0].start_time * after.streams.audio[0].time_base) > begins - 0.024
    np.testing.assert_allclose(click_times(tmp_path / "b.ts"), click_times(path) * float(stretch) - 0.2, atol=0.0015)


def test_one_of_several_tracks_is_moved(tmp_path):
    path = pictured(tmp_path / "a.mkv", tracks=2)
    shift_audio(path, tmp_path / "b.mkv", -0.1, audio_track=1)
    np.testing.assert_allclose(click_times(tmp_path / "b.mkv", 0), CLICKS, atol=0.0015)
    np.testing.assert_allclose(click_times(tmp_path / "b.mkv", 1), CLICKS, atol=0.0015)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "codec", "layout", "channels"),
    [
        (48_000, "aac", "5.1", 6),
        (48_000, "aac", "7.1", 8),
        (8000, "pcm_s16le", "mono", 1),
        (96_000, "flac", "stereo", 2),
    ],
)
def test_stretched_audio_keeps_its_format(tmp_path, rate, codec, layout, channels):
    path = pictured(tmp_path / "a.mkv", rate, codec, layout)
    shift_audio(path, tmp_path / "b.mkv", -0.2, Fraction(1001, 1000))
    with av.open(str(tmp_path / "b.mkv")) as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.layout.nb_channels) == (codec, rate, channels)
    np.testing.assert_allclose(click_times(tmp_path / "b.mkv"), np.array(CLICKS) * 1.001 - 0.2, atol=0.0015)
    assert decoded(tmp_path / "b.mkv") == decoded(path)


def test_avi_becomes_mkv(tmp_path):
    video_file = encode(tmp_path / "a.avi", codec="mpeg4", count=25)
    with pytest.raises(SourceError, match="no audio to shift"):
        shift_audio(video_file, tmp_path / "b.mkv", 0.1)
    with pytest.raises(OptionError, match=r"\.avi: such a file keeps no times.*\.mkv"):
        shift_audio(video_file, tmp_path / "b.avi", 0.1)


def test_the_input_is_never_overwritten(tmp_path):
    path = pictured(tmp_path / "a.mp4")
    original = path.read_bytes()
    (tmp_path / "soft.mp4").symlink_to(path)
    os.link(path, tmp_path / "hard.mp4")
    for out in (path, tmp_path / "soft.mp4", tmp_path / "hard.mp4", tmp_path / "." / "a.mp4"):
        with pytest.raises(OptionError, match="never overwritten"):
            shift_audio(path, out, 0.1)
    assert path.read_bytes() == original


def test_unsupported_streams_are_a_one_line_error(tmp_path):
    path = pictured(tmp_path / "a.mkv", codec="pcm_s16le")
    with pytest.raises(OutputError, match=r"\.webm cannot hold the video.*ends in \.mkv"):
        shift_audio(path, tmp_path / "b.webm", 0.1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "picture.mkv"]


def test_options_are_checked(tmp_path):
    path = pictured(tmp_path / "a.mkv")
    with pytest.raises(OptionError, match=r"stretch 1\.5 is not between 0\.9 and 1\.1"):
        shift_audio(path, tmp_path / "b.mkv", 0.1, stretch=1.5)
    with pytest.raises(OptionError, match="time nan is not finite"):
        shift_audio(path, tmp_path / "b.mkv", float("nan"))
    with pytest.raises(OptionError, match=r"no audio track 3 .*it has 1: 0 \(eng\)"):
        shift_audio(path, tmp_path / "b.mkv", 0.1, audio_track=3)


@pytest.mark.parametrize("late", [-0.4, 0.4])
def test_audio_and_video_may_be_of_different_length(tmp_path, late):
    path = pictured(tmp_path / "a.mp4")
    shift_audio(path, tmp_path / "b.mp4", late)
    shift_audio(tmp_path / "b.mp4", tmp_path / "c.mkv", -late)
    np.testing.assert_allclose(click_times(tmp_path / "c.mkv"), CLICKS, atol=0.0025)


def test_an_audio_track_is_chosen_when_reading(tmp_path):
    path = pictured(tmp_path / "a.mkv", tracks=2)
    np.testing.assert_allclose(click_times(path, 1), np.array(CLICKS) + 0.1, atol=0.0015)
    np.testing.assert_allclose(click_times(path), CLICKS, atol=0.0015)
    with pytest.raises(OptionError, match=r"no audio track 2 .*it has 2: 0 \(eng\), 1 \(deu\)"):
        open_source(path, audio_track=2)
    with pytest.raises(OptionError, match=r"synthetic:shapes is no video file"):
        open_source("synthetic:shapes", audio_track=0)
