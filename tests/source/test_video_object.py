import wave
from fractions import Fraction

import numpy as np
import pytest

import kinoscope
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.media import Audio
from kinoscope.source.video import VideoSource
from kinoscope.source.video_object import Video
from tests.helpers.sources import encode, lossless, noise


@pytest.fixture
def clip(tmp_path):
    pixels = noise(50)
    times = [Fraction(i, 10) for i in range(50)]
    return lossless(tmp_path / "clip.mkv", pixels, times, rate=10), pixels


def test_frames_are_read_anew_each_time(clip):
    path, pixels = clip
    video = Video(path)
    for _ in range(2):
        frames = list(video)
        assert [frame.time for frame in frames] == [Fraction(i, 10) for i in range(50)]
        np.testing.assert_array_equal(np.stack([frame.pixels for frame in frames]), np.stack(pixels))
    assert (video.info.size, video.info.rate, video.info.duration) == ((32, 24), Fraction(10), Fraction(5))


def test_a_part_at_a_rate_and_a_size(clip):
    video = Video(str(clip[0]), start=1, end="00:00:02")
    frames = list(video.frames(rate=5, size=(16, 12)))
    assert [frame.time for frame in frames] == [Fraction(i, 10) for i in (10, 12, 14, 16, 18)]
    assert {frame.pixels.shape for frame in frames} == {(12, 16, 3)}


def test_an_array_of_frames(clip):
    path, pixels = clip
    batch = Video(path, start=4).read()
    np.testing.assert_array_equal(batch.pixels, np.stack(pixels[40:]))
    np.testing.assert_allclose(batch.times, np.arange(40, 50) / 10)
    assert repr(batch) == "FrameBatch(10 frames of 32x24 from 4 to 4.9 s)"
    assert Video(path).read(count=5).indices.tolist() == [5, 15, 25, 35, 45]


@pytest.mark.parametrize(("time", "index"), [(0, 0), (0.05, 0), (3.2, 32), ("00:00:03.25", 32), (5, 49)])
def test_the_frame_on_screen_at_a_time(clip, time, index):
    path, pixels = clip
    frame = Video(path).at(time)
    assert (frame.time, frame.index) == (Fraction(index, 10), index)
    np.testing.assert_array_equal(frame.pixels, pixels[index])


def test_a_late_frame_is_found_by_seeking(tmp_path, monkeypatch):
    path = encode(tmp_path / "long.mp4", 100, gop=10)
    seeks, original = [], VideoSource._seek

    def seek(source, demuxer, time):
        seeks.append(time)
        return original(source, demuxer, time)

    monkeypatch.setattr(VideoSource, "_seek", seek)
    assert Video(path).at(3.2).index == 80
    assert Video(path).at(0.1).index == 2
    assert seeks == [Fraction("3.2")]


@pytest.mark.parametrize(
    ("options", "time", "message"),
    [
        ({}, 5.5, "5.5 s is outside of .*clip.mkv: give 0 to 5 s"),
        ({"start": 1, "end": 2}, 0.5, "0.5 s is outside of .*clip.mkv: give 1 to 2 s"),
        ({"end": 2}, 3, "give 0 to 2 s"),
    ],
)
def test_a_time_outside_of_the_video_is_refused(clip, options, time, message):
    with pytest.raises(SourceError, match=message):
        Video(clip[0], **options).at(time)


def test_audio_is_one_array():
    video = Video("synthetic:flash_and_beep?duration=2", start=0.5, end=1.5)
    audio = video.audio(8000)
    assert (audio.rate, audio.start, len(audio.samples)) == (8000, Fraction(1, 2), 8000)
    whole = Video("synthetic:flash_and_beep?duration=2").audio(8000)
    np.testing.assert_array_equal(audio.samples, whole.samples[4000:12000])


def test_gaps_of_audio_are_silent():
    ones = np.ones(4, np.float32)
    joined = Audio.concatenate([Audio(ones, 8, Fraction(1)), Audio(ones, 8, Fraction(2))])
    assert joined.start == 1
    assert joined.samples.tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]


def test_what_is_not_there_is_said(tmp_path, clip):
    with pytest.raises(SourceError, match=r"clip.mkv has no audio"):
        Video(clip[0]).audio()
    missing = Video(tmp_path / "missing.mp4")
    with pytest.raises(SourceError, match=r"missing.mp4"):
        _ = missing.info
    with pytest.raises(OptionError, match="time 'soon' is not understood"):
        Video(clip[0], start="soon")
    with pytest.raises(OptionError, match="rate -1 is not positive"):
        Video(clip[0]).frames(rate=-1)
    with pytest.raises(OptionError, match="count 0 is not possible"):
        Video(clip[0]).read(count=0)


def test_a_recording_of_audio_has_no_frames(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 800, "NONE", "not compressed"))
        file.writeframes(bytes(1600))
    recording = Video(tmp_path / "a.wav")
    assert len(recording.audio(8000).samples) == 800
    for read in (lambda: list(recording), lambda: recording.at(0), recording.read):
        with pytest.raises(SourceError, match=r"a\.wav has no video; it is audio only"):
            read()


def test_frames_in_memory_read_like_a_file():
    pixels = np.stack(noise(10))
    video = Video.from_frames(pixels, rate=10, name="tile 4")
    assert video.address == "tile 4"
    assert [frame.time for frame in video] == [Fraction(i, 10) for i in range(10)]
    np.testing.assert_array_equal(video.at(0.55).pixels, pixels[5])
    np.testing.assert_array_equal(video.read().pixels, pixels)
    assert repr(video) == "Video.from_frames(tile 4: 10 frames, 32x24, 10 fps)"


def test_a_generator_is_not_read_before_it_is_needed():
    seen = []

    def generate():
        for index, frame in enumerate(noise(3)):
            seen.append(index)
            yield frame

    video = Video.from_frames(generate(), rate=10)
    assert seen == []
    assert video.info.size == (32, 24)
    assert seen == [0]
    assert len(video.read()) == 3
    assert video.info.duration == Fraction(3, 10)


def test_the_repr_shows_what_is_known(clip):
    video = Video("street.mp4", start="0:03", end=4.5, video_track=1, bounds="hours=2")
    assert repr(video) == "Video('street.mp4', start=3, end=4.5, video_track=1, bounds='hours=2')"
    video = Video("synthetic:flash_and_beep?duration=2&width=64&height=48")
    _ = video.info
    assert repr(video).endswith(": 64x48, 25 fps, 2 s, audio")
    assert "secret" not in repr(Video("rtsp://user:secret@host/a"))


def test_it_is_public():
    assert kinoscope.Video is Video
