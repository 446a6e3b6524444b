import os
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest

from kinoscope.core.errors import OptionError, OutputError
from kinoscope.core.files import atomic_write
from kinoscope.core.media import Frame
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from tests.helpers.sources import audio_of, encode, lossless, noise


def packets(path, kind="audio"):
    with av.open(str(path)) as container:
        return [(p.pts, bytes(p)) for p in container.demux(**{kind: 0}) if p.size]


def rewrite(source_path, path, **options):
    with open_source(source_path) as source, Writer(path, source.info.size, source.info.rate, **options) as writer:
        for frame in source.frames():
            writer.write(frame)
    return path


@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.mkv"])
def test_audio_is_copied_as_it_is(tmp_path, name):
    first = flash_and_beep(duration=2, width=32, height=32).write(tmp_path / "a.mp4")
    second = rewrite(first, tmp_path / name, audio_from=first)
    assert [data for _, data in packets(second)] == [data for _, data in packets(first)]
    with open_source(second) as source:
        assert source.info.has_audio


def test_copied_audio_keeps_its_times(tmp_path):
    first = flash_and_beep(duration=1, start=Fraction(3, 2), width=32, height=32).write(tmp_path / "a.mp4")
    second = rewrite(first, tmp_path / "b.mp4", audio_from=first)
    starts = []
    for path in (first, second):
        with open_source(path) as source:
            starts.append(next(audio_of(source.read(video=False, audio_rates=(48_000,)))).start)
    assert starts[0] == starts[1]


def test_audio_that_cannot_be_copied_is_encoded(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 16_000, layout="mono")
        wave = (np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(stream.encode(frame))
    lossless(tmp_path / "b.mp4", noise(25), [Fraction(i, 25) for i in range(25)], audio_from=path)
    with open_source(tmp_path / "b.mp4") as source:
        assert source.info.audio_codec == "aac"
        samples = np.concatenate([s.samples for s in audio_of(source.read(video=False, audio_rates=(16_000,)))])
    assert np.corrcoef(samples[1000:15_000], wave[1000:15_000])[0, 1] > 0.99


def test_a_file_without_audio_adds_none(tmp_path):
    first = encode(tmp_path / "a.mp4")
    with open_source(rewrite(first, tmp_path / "b.mp4", audio_from=first)) as source:
        assert not source.info.has_audio


def test_negative_start_is_moved_to_zero(tmp_path):
    path = lossless(tmp_path / "a.mp4", noise(3), [Fraction(i - 2, 25) for i in range(3)])
    with open_source(path) as source:
        assert [image.time for image in source.lazy_frames()] == [Fraction(i, 25) for i in range(3)]


def test_h264_keeps_colours(tmp_path):
    path = shapes(duration=1).write(tmp_path / "a.mp4")
    wanted = next(shapes(duration=1).frames()).pixels
    with open_source(path) as source:
        assert np.abs(next(source.frames()).pixels.astype(int) - wanted).mean() < 1


def test_odd_size_is_padded(tmp_path):
    path = tmp_path / "a.mp4"
    with Writer(path, (17, 31)) as writer:
        writer.write(Frame(np.full((31, 17, 3), 99, np.uint8), Fraction(0)))
    with open_source(path) as source:
        assert source.info.size == (18, 32)


def test_gif(tmp_path):
    path = shapes(duration=1, rate=10, width=32, height=32).write(tmp_path / "a.gif")
    with open_source(path) as source:
        frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(i, 10) for i in range(10)]
    np.testing.assert_array_equal(frames[0].pixels, next(shapes(width=32, height=32).frames()).pixels)


def test_image_sequence(tmp_path):
    pixels = noise(3)
    with Writer(tmp_path / "out" / "p-%03d.png", (32, 24)) as writer:
        for index, image in enumerate(pixels):
            writer.write(Frame(image, Fraction(index)))
    assert sorted(os.listdir(tmp_path / "out")) == [".kinoscope.jsonl", "p-000.png", "p-001.png", "p-002.png"]
    with open_source(tmp_path / "out") as source:
        for frame, wanted in zip(source.frames(), pixels, strict=True):
            np.testing.assert_array_equal(frame.pixels, wanted)


def fail_midway(path):
    with Writer(path, (32, 24)) as writer:
        writer.write(Frame(noise(1)[0], Fraction(0)))
        raise ZeroDivisionError


def test_a_gif_says_that_it_was_generated(tmp_path):
    generated_by = "a model whose name is long, " + 30 * "very long, "
    path = shapes(duration=1, rate=10, width=32, height=32).write(tmp_path / "a.gif", generated_by=generated_by)
    data = path.read_bytes()
    start = data.rindex(b"\x21\xfe") + 2
    comment = b""
    while length := data[start]:
        comment += data[start + 1 : start + 1 + length]
        start += 1 + length
    assert comment.decode() == f"This was generated by kinoscope: {generated_by}"
    assert data[start + 1 :] == b";"
    assert len(list(open_source(path).frames())) == 10


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "p-%d.png"])
def test_a_failure_leaves_nothing(tmp_path, name):
    with pytest.raises(ZeroDivisionError):
        fail_midway(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_what_was_there(tmp_path):
    with atomic_write(tmp_path / "a.mp4") as temporary:
        temporary.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        fail_midway(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == [".kinoscope.jsonl", "a.mp4"]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "p-%03d.png"])
def test_a_file_of_the_users_is_refused_before_anything_is_written(tmp_path, name):
    mine = tmp_path / name.replace("%03d", "007")
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match="is in the way: kinoscope did not write it, or it was changed since"):
        Writer(tmp_path / name, (32, 24))
    assert os.listdir(tmp_path) == [mine.name]
    assert mine.read_bytes() == b"mine"


def test_a_file_that_comes_while_a_video_is_written_stays(tmp_path):
    writer = Writer(tmp_path / "a.mp4", (32, 24))
    writer.write(Frame(noise(1)[0], Fraction(0)))
    (tmp_path / "a.mp4").write_bytes(b"mine")
    with pytest.raises(OutputError, match="is in the way"):
        writer.close()
    assert (tmp_path / "a.mp4").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_sequence_is_written_whole_or_not_at_all(tmp_path):
    writer = Writer(tmp_path / "p-%03d.png", (32, 24))
    for index, image in enumerate(noise(3)):
        writer.write(Frame(image, Fraction(index)))
    (tmp_path / "p-002.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"p-002.png is in the way"):
        writer.close()
    assert os.listdir(tmp_path) == ["p-002.png"]


@pytest.mark.parametrize("name", [f"{'n' * 251}.mp4", f"a.{'n' * 250}", f"{'n' * 300}.mp4"])
def test_names_of_maximum_length(tmp_path, name):
    path = tmp_path / name
    if name.startswith("a."):
        with pytest.raises(OptionError, match="give a name that ends in"):
            Writer(path, (32, 24))
    elif len(name) > 255:
        with pytest.raises(OutputError, match="the name is too long; give a shorter one"):
            Writer(path, (32, 24))
    else:
        lossless(path, noise(1), [Fraction(0)])
        assert path.stat().st_size


def test_frames_out_of_order_are_refused(tmp_path):
    with pytest.raises(OutputError, match="a frame at 1 s does not come after the one before"):
        lossless(tmp_path / "a.mp4", noise(2), [Fraction(2), Fraction(1)])
    assert os.listdir(tmp_path) == []


def test_another_size_is_refused(tmp_path):
    with (
        pytest.raises(OutputError, match=r"a frame is \(16, 16\), not \(32, 24\)"),
        Writer(tmp_path / "a.mp4", (32, 24)) as writer,
    ):
        writer.write(Frame(noise(1, 16, 16)[0], Fraction(0)))


def test_no_frame_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no frame was written"), Writer(tmp_path / "a.mp4", (32, 24)):
        pass
    assert os.listdir(tmp_path) == []


def test_unknown_ending(tmp_path):
    with pytest.raises(OptionError, match=r"give a name that ends in \.mp4, \.mov, \.m4v, \.mkv, \.gif, or images"):
        Writer(tmp_path / "a.doc", (32, 24))


def test_unwritable_path(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="a part of the path is a file; give a path through folders"):
        Writer(tmp_path / "file" / "a.mp4", (32, 24))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no limit on the size of files")
def test_full_disk(tmp_path):
    with (
        largest_file(1000),
        pytest.raises(OutputError, match=r"cannot write .*b.mkv: the file is larger than .* allows"),
    ):
        lossless(tmp_path / "b.mkv", noise(60), [Fraction(i) for i in range(60)])
    assert os.listdir(tmp_path) == []


@contextmanager
def largest_file(size):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.m4v", "a.mkv"])
def test_what_was_generated_says_so(tmp_path, name):
    with Writer(tmp_path / name, (32, 24), generated_by="lips painted by run7 to hello.wav") as writer:
        writer.write(Frame(noise(1)[0], Fraction(0)))
    with av.open(str(tmp_path / name)) as container:
        comment = {key.lower(): value for key, value in container.metadata.items()}
    assert comment["comment"] == "This was generated by kinoscope: lips painted by run7 to hello.wav"
    if name == "a.mkv":
        assert comment["kinoscope"] == "generated: lips painted by run7 to hello.wav"


def test_what_was_filmed_says_nothing(tmp_path):
    with Writer(tmp_path / "a.mkv", (32, 24)) as writer:
        writer.write(Frame(noise(1)[0], Fraction(0)))
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert not {"comment", "KINOSCOPE", "DESCRIPTION"} & set(container.metadata)


def test_only_a_failure_of_the_folder_names_the_folder(tmp_path, monkeypatch):
    """Check that an error of the encoder does not mention free space."""

    def refuse(self, frame):
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr("kinoscope.source.encode.sinks.VideoSink.write", refuse)
    with pytest.raises(OutputError, match="invalid argument; the encoder or the container refused it, not the folder"):
        lossless(tmp_path / "a.mkv", noise(1), [Fraction(0)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "PNG", "JPG"])
def test_every_offered_suffix_of_images_can_be_written(tmp_path, ending):
    with Writer(tmp_path / f"a-%d.{ending}", (32, 24)) as writer:
        writer.write(Frame(noise(1)[0], Fraction(0)))
    assert [path.name for path in tmp_path.glob("a-*")] == [f"a-0.{ending}"]


def test_images_that_cannot_be_written_are_refused_at_once(tmp_path):
    with pytest.raises(OptionError, match=r"or images as name-%05d.png"):
        Writer(tmp_path / "a-%d.bmp", (32, 24))


def end_of_audio(path):
    with av.open(str(path)) as container:
        return max((p.pts + p.duration) * p.time_base for p in container.demux(audio=0) if p.size)


@pytest.mark.parametrize("codec", ["aac", "flac", "pcm_s16le", "pcm_f32le"])
@pytest.mark.parametrize("name", ["b.mp4", "b.mkv"])
def test_audio_of_a_file_ends_with_the_last_frame(tmp_path, codec, name):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 48_000, layout="stereo")
        for start in range(0, 3 * 48_000, 4800):
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
            silence.sample_rate, silence.pts = 48_000, start
            container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    lossless(tmp_path / name, noise(40), [Fraction(i, 25) for i in range(40)], audio_from=path)
    assert -0.001 <= end_of_audio(tmp_path / name) - Fraction(8, 5) <= 0.1  # a packet has up to 4800 samples


@pytest.mark.parametrize("rate", [25, None])
def test_a_frame_without_a_duration_lasts_as_long_as_the_one_before(tmp_path, rate):
    first = flash_and_beep(duration=3, width=32, height=32).write(tmp_path / "a.mp4")
    with Writer(tmp_path / "b.mp4", (32, 32), rate, audio_from=first) as writer:
        for n in range(2):
            writer.write(Frame(np.zeros((32, 32, 3), np.uint8), Fraction(n, 2)))
    assert 1 <= end_of_audio(tmp_path / "b.mp4") <= 1 + 1024 / 48_000
