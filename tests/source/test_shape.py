"""Frames are read in the shape in which players show them, whatever the shape of their stored pixels."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.errors import OutputError, SourceError
from kinoscope.source import open_source
from kinoscope.source.decode.scaler import MAX_ASPECT, display_size
from kinoscope.source.encode.concat import TimeRange, concatenate
from kinoscope.source.encode.shift_audio import shift_audio
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.video import flash_and_beep
from tests.helpers.sources import encode

SHAPES = [
    ((64, 48), Fraction(1), (64, 48)),
    ((64, 48), Fraction(97, 40), (155, 48)),
    ((48, 64), Fraction(32, 15), (102, 64)),
    ((72, 48), Fraction(8, 9), (72, 54)),
    ((64, 48), Fraction(1, 2), (64, 96)),
]
"""Stored size, width / height of a pixel, displayed size."""


def anamorphic(path, size=(64, 48), aspect=Fraction(2), **more):
    return encode(path, size=size, sample_aspect_ratio=aspect, count=5, **more)


@pytest.mark.parametrize(("stored", "aspect", "displayed"), SHAPES)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_the_displayed_size(tmp_path, name, stored, aspect, displayed):
    with open_source(anamorphic(tmp_path / name, stored, aspect)) as source:
        assert source.info.size == displayed
        assert source.info.aspect == aspect
        assert {frame.size for frame in source.frames()} == {displayed}


@pytest.mark.parametrize(("stored", "aspect", "displayed"), SHAPES)
def test_a_rotated_frame_is_stretched_before_it_is_rotated(tmp_path, stored, aspect, displayed):
    with open_source(anamorphic(tmp_path / "a.mp4", stored, aspect, rotation=90)) as source:
        assert source.info.size == displayed[::-1]
        assert source.info.aspect == 1 / aspect


def test_pixels_are_those_of_the_square_twin(tmp_path):
    side = 64
    ramp = np.linspace(0, 255, 2 * side).astype(np.uint8)
    wide = np.repeat(np.tile(ramp, (side, 1))[..., None], 3, 2)
    squeezed = wide.reshape(side, side, 2, 3).mean(2).astype(np.uint8)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", 25, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = side, side, "rgb24"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        frame = av.VideoFrame.from_ndarray(squeezed, "rgb24")
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with open_source(path) as source:
        (displayed,) = source.frames()
    np.testing.assert_allclose(displayed.pixels.astype(int), wide, atol=3)


def test_what_is_written_keeps_the_shape_with_square_pixels(tmp_path):
    path, out = anamorphic(tmp_path / "a.mp4", (64, 48), Fraction(97, 40)), tmp_path / "out.mp4"
    with open_source(path) as source, Writer(out, source.info.size) as writer:
        for frame in source.frames():
            writer.write(frame)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (156, 48)  # H.264 takes even sizes only
        assert stream.sample_aspect_ratio in (None, 1)


def test_joined_stretches_keep_the_shape(tmp_path):
    path = anamorphic(tmp_path / "a.mp4", (64, 48), Fraction(2))
    assert concatenate([TimeRange(str(path), Fraction(0), Fraction(1))], tmp_path / "out.mp4") == 5
    with open_source(tmp_path / "out.mp4") as source:
        assert source.info.size == (128, 48)


@pytest.mark.parametrize("out", ["fixed.mp4", "fixed.mkv", "fixed.mov"])
def test_a_repaired_file_keeps_its_stored_size_and_shape_of_pixels(tmp_path, out):
    wide = anamorphic(tmp_path / "wide.mkv", (64, 48), Fraction(32, 15))
    beep = flash_and_beep(width=64, height=48, duration=1).write(tmp_path / "beep.mkv")
    with av.open(str(wide)) as a, av.open(str(beep)) as b, av.open(str(tmp_path / "both.mkv"), "w") as both:
        streams = {a: a.streams.video[0], b: b.streams.audio[0]}
        copies = {source: both.add_stream_from_template(stream) for source, stream in streams.items()}
        for source, stream in streams.items():
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copies[source]
                    both.mux(packet)
    shift_audio(tmp_path / "both.mkv", tmp_path / out, Fraction(1, 10))
    with av.open(str(tmp_path / out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (64, 48, Fraction(32, 15))


def test_a_shape_that_a_container_cannot_store_is_an_error(tmp_path):
    beep = flash_and_beep(width=64, height=48, duration=1).write(tmp_path / "beep.mp4")
    with av.open(str(beep)) as source, av.open(str(tmp_path / "a.mp4"), "w") as container:
        audio_stream = source.streams.audio[0]
        stream, audio_copy = container.add_stream("libvpx-vp9", 25), container.add_stream_from_template(audio_stream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(32, 15)
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
        for packet in source.demux(audio_stream):
            packet.stream = audio_copy
            container.mux(packet)
    with pytest.raises(OutputError, match=r"cannot hold the shape of pixels \(32/15\) of .*a.mp4; give .* .mp4"):
        shift_audio(tmp_path / "a.mp4", tmp_path / "out.mkv", Fraction(1, 10))
    shift_audio(tmp_path / "a.mp4", tmp_path / "out.mp4", Fraction(1, 10))
    with open_source(tmp_path / "out.mp4") as source:
        assert source.info.size == (137, 48)


def test_the_limit_of_pixels_holds_for_the_displayed_size(tmp_path):
    path = anamorphic(tmp_path / "a.mp4", (64, 48), Fraction(4))
    with pytest.raises(SourceError, match=r"is 256x48, 12,288 pixels, more than the limit of 5,000"):
        open_source(path, limit="pixels=5000")


@given(st.integers(1, 8192), st.integers(1, 8192), st.fractions(1 / MAX_ASPECT, MAX_ASPECT))
def test_no_side_gets_smaller_and_the_shape_is_that_of_the_display(width, height, aspect):
    displayed = display_size((width, height), aspect)
    assert displayed[0] >= width
    assert displayed[1] >= height
    assert abs(displayed[0] - width * aspect * displayed[1] / height) <= max(1, aspect) / 2 * max(
        1, Fraction(width, height)
    )


@given(st.fractions(0, 1 / MAX_ASPECT) | st.fractions(MAX_ASPECT))
def test_an_absurd_shape_is_an_error_of_the_file(aspect):
    if aspect not in (MAX_ASPECT, 1 / MAX_ASPECT):
        assert display_size((64, 48), aspect) == (64, 48)
