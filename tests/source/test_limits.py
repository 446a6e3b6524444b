"""No small file takes a machine down, and whatever a library raises ends as one line about the file."""

import struct
import zlib

import av
import numpy as np
import pytest

from kinoscope.core.errors import DecodeError, OptionError, SourceError
from kinoscope.core.media import Audio
from kinoscope.source import open_clip, open_source
from kinoscope.source.decode.scaler import Scaler
from kinoscope.source.limits import Limits
from tests.helpers.sources import audio_of, encode


def wav(path, channels=1, rate=8000, frames=100, value=0, mask=None):
    """Write 16-bit PCM whose every sample has one value."""
    block, data = 2 * channels, struct.pack("<h", value) * channels * frames
    kind = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(kind)) + kind + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path


def png(path, width, height):
    """Write a black PNG of any size in a few kilobytes."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer, line = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def gif(path, width, height):
    """Write a GIF that declares a size, with one pixel in it."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    path.write_bytes(b"GIF89a" + screen + frame + b"\x3b")
    return path


@pytest.mark.parametrize("make", [png, gif])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, make):
    path = make(tmp_path / f"a.{make.__name__}", 16_000, 16_000)
    with pytest.raises(SourceError, match=r"larger than the limit of 134,217,728 pixels; .* --bounds pixels=NUMBER$"):
        open_source(path)


@pytest.mark.parametrize("make", [png, gif])
def test_the_limit_of_pixels_can_be_lowered_and_raised(tmp_path, make):
    path = make(tmp_path / f"a.{make.__name__}", 64, 30)
    with pytest.raises(SourceError, match="limit of"):
        open_source(path, limit="pixels=1919")
    with open_source(path, limit="pixels=1920") as source:
        assert source.info.size == (64, 30)
        assert len(list(source.frames())) == 1


def test_the_limit_holds_for_videos_strips_and_every_image_of_a_folder(tmp_path):
    with pytest.raises(SourceError, match=r"is 64x48, 3,072 pixels, more than the limit"):
        open_source(encode(tmp_path / "a.mp4"), limit="pixels=3000")
    with pytest.raises(SourceError, match="limit of"):
        open_clip(png(tmp_path / "strip.png", 64, 16), limit="pixels=1000")
    folder = tmp_path / "images"
    folder.mkdir()
    png(folder / "0.png", 64, 64)
    png(folder / "1.png", 640, 640)
    with open_source(folder, limit="pixels=10000") as source:
        assert len(list(source.frames())) == 1
        assert source.report.failures == 1


def test_large_video_and_photos_pass():
    Limits().check_frame("8K", 8192, 4320)
    Limits().check_frame("100 megapixels", 11648, 8736)


def test_a_frame_that_grows_beyond_the_limit_is_lost(tmp_path):
    small, large = (encode(tmp_path / f"{n}.h264", size=(n, n), count=3).read_bytes() for n in (64, 640))
    (tmp_path / "a.h264").write_bytes(small + large + small)
    with open_source(tmp_path / "a.h264", limit="pixels=10000") as source:
        sizes = {frame.size for frame in source.frames()}
        assert source.report.failures
    assert sizes == {(64, 64)}


@pytest.mark.parametrize("channels", [9, 12, 24, 32, 63, 64])
def test_many_channels_are_mixed(tmp_path, channels):
    path = wav(tmp_path / "a.wav", channels, value=16384)
    with open_source(path) as source:
        samples = np.concatenate([item.samples for item in audio_of(source.read(audio_rates=(8000,)))])
        assert source.report.failures == 0
    np.testing.assert_allclose(samples, np.full(100, 0.5, np.float32), atol=1e-4)


@pytest.mark.parametrize("channels", [65, 128, 500])
def test_too_many_channels_are_refused(tmp_path, channels):
    path = wav(tmp_path / "a.wav", channels)
    with pytest.raises(SourceError, match=rf"a.wav has {channels} channels of audio, more than the limit of 64"):
        open_source(path)
    with open_source(path, limit=f"channels={channels}") as source:
        assert sum(len(item.samples) for item in audio_of(source.read(audio_rates=(8000,)))) == 100


@pytest.mark.parametrize("rate", [1, 10, 999, 768_001, 10_000_000, 2**31 - 1])
def test_absurd_sample_rates_are_refused(tmp_path, rate):
    with pytest.raises(SourceError, match=rf"a.wav has audio of {rate} samples a second"):
        open_source(wav(tmp_path / "a.wav", rate=rate))


@pytest.mark.parametrize("rate", [1000, 4000, 192_000, 768_000])
def test_usual_sample_rates_are_read(tmp_path, rate):
    with open_source(wav(tmp_path / "a.wav", rate=rate, frames=rate)) as source:
        assert abs(sum(len(item.samples) for item in audio_of(source.read(audio_rates=(16_000,)))) - 16_000) < 200


def test_audio_stops_at_the_limit_of_hours(tmp_path):
    path = wav(tmp_path / "a.wav", frames=80_000)  # ten seconds
    audio_items: list[Audio] = []
    with open_source(path, limit="hours=0.001") as source, pytest.raises(SourceError, match=r"limit of 0.001 hours"):
        audio_items.extend(audio_of(source.read(audio_rates=(8000, 16_000))))
    assert 3 < sum(len(item.samples) / item.rate for item in audio_items) / 2 <= 3.7
    with open_source(path, limit="hours=1") as source:
        assert sum(len(item.samples) for item in audio_of(source.read(audio_rates=(8000,)))) == 80_000


@pytest.mark.parametrize(
    "text", ["pixel=3", "pixels", "pixels=", "pixels=0", "pixels=-1", "hours=nan", "rate=inf", "3"]
)
def test_an_unknown_limit_is_an_error_that_lists_the_known_ones(text):
    with pytest.raises(OptionError, match=r"those there are: pixels=1.34218e\+08, channels=64, rate=768000, hours=100"):
        Limits.parse(text)


def test_limits_are_read_from_text():
    assert Limits.parse("") == Limits()
    assert Limits.parse("pixels=3e8, hours=0.5") == Limits(pixels=300_000_000, hours=0.5)


@pytest.mark.parametrize("error", [ValueError("a format of its own"), MemoryError(), av.error.FFmpegError(1, "odd")])
def test_what_a_decoder_raises_is_an_error_of_the_source(tmp_path, monkeypatch, error):
    from kinoscope.source.decode import reader

    def fail(*_):
        raise error

    with open_source(encode(tmp_path / "a.mp4")) as source:
        monkeypatch.setattr(reader.Reader, "_decoded_frame", fail)
        with pytest.raises(SourceError, match=r"a.mp4 cannot be read"):
            list(source.frames())


def test_what_scaling_raises_is_an_error_of_the_source():
    with pytest.raises(DecodeError, match=r"rgb24 of 16x16 cannot be converted to 0x0 RGB"):
        Scaler()(av.VideoFrame(16, 16, "rgb24"), (0, 0))


def test_audio_that_cannot_be_resampled_does_not_stop_the_video(tmp_path, monkeypatch):
    from kinoscope.source.decode import audio
    from kinoscope.source.synthetic.video import flash_and_beep

    path = flash_and_beep(width=64, height=48, duration=1).write(tmp_path / "a.mp4")

    def fail(*_):
        raise av.error.FFmpegError(22, "no such layout")

    monkeypatch.setattr(audio.MultiRateResampler, "push", fail)
    with open_source(path) as source:
        items = list(source.read(audio_rates=(16_000,)))
        assert any("audio: no such layout" in line for line in source.report.errors)
    assert len(items) == 25
