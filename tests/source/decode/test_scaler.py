"""Known colours, encoded with each matrix and range, are decoded unchanged."""

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from kinoscope.source import open_source
from kinoscope.source.decode.scaler import Orientation, Scaler

COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (200, 100, 50),
    (30, 160, 220),
]
TAGS = {"bt601": (6, Colorspace.ITU601), "bt709": (1, Colorspace.ITU709), "bt2020": (9, Colorspace.BT2020)}


def bars(side=32):
    return np.repeat(np.repeat(np.array([COLOURS], np.uint8), side, 0), side, 1)


def write_bars(path, matrix, pix_fmt, value_range, tag=True, scale=1):
    image = bars(32 * scale)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "0", "preset": "ultrafast"})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = pix_fmt
        if tag:
            stream.codec_context.colorspace = TAGS[matrix][0]
            stream.codec_context.color_range = value_range
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
            format=pix_fmt, dst_colorspace=TAGS[matrix][1], src_color_range=ColorRange.JPEG, dst_color_range=value_range
        )
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return image


@pytest.mark.parametrize("value_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("matrix", TAGS)
def test_colours(tmp_path, matrix, pix_fmt, value_range):
    image = write_bars(tmp_path / "bars.mp4", matrix, pix_fmt, value_range)
    with open_source(tmp_path / "bars.mp4") as source:
        assert source.info.bit_depth == (10 if "10" in pix_fmt else 8)
        assert source.info.colour_range == ("pc" if value_range == ColorRange.JPEG else "tv")
        displayed = next(source.frames()).pixels
    middles = slice(16, None, 32)
    np.testing.assert_allclose(displayed[16, middles].astype(int), image[16, middles], atol=4)


@pytest.mark.parametrize(("scale", "matrix"), [(1, "bt601"), (5, "bt709")])
def test_untagged_is_taken_by_its_height(tmp_path, scale, matrix):
    image = write_bars(tmp_path / "bars.mp4", matrix, "yuv420p", ColorRange.MPEG, tag=False, scale=scale)
    with open_source(tmp_path / "bars.mp4") as source:
        assert source.info.colour_space is None
        displayed = next(source.frames((256, 32))).pixels
    np.testing.assert_allclose(displayed[16, 16::32].astype(int), image[16 * scale, 16 * scale :: 32 * scale], atol=4)


@pytest.mark.parametrize("pix_fmt", ["rgb24", "bgra", "gray", "yuv422p12le", "nv12", "gbrp"])
def test_formats(pix_fmt):
    image = np.full((16, 16, 3), 180, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
        format=pix_fmt, dst_colorspace=Colorspace.ITU601, src_color_range=ColorRange.JPEG
    )
    np.testing.assert_allclose(Scaler()(frame, (16, 16)).astype(int), image, atol=2)


def test_shrinking_takes_the_mean():
    checks = np.kron((np.indices((32, 32)).sum(0) % 2)[..., None], np.full((1, 1, 3), 254)).astype(np.uint8)
    shrunk = Scaler()(av.VideoFrame.from_ndarray(checks, "rgb24"), (8, 8))
    assert np.abs(shrunk[1:-1, 1:-1].astype(int) - 127).max() <= 3


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_orientation_turns_pixels(rotation, mirror):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    wanted = np.rot90(pixels[:, ::-1] if mirror else pixels, rotation // 90)
    orientation = Orientation(rotation, mirror)
    np.testing.assert_array_equal(orientation.apply(pixels), wanted)
    assert orientation.swap_sides((3, 2)) == (wanted.shape[1], wanted.shape[0])


def test_mirrored_video(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    image[:16, :16] = 255
    path = tmp_path / "mirror.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with open_source(path) as source:
        assert source.info.extra == {"mirrored": True}
        displayed = next(source.frames()).pixels
    assert displayed[4, 28].min() > 240
    assert displayed[4, 4].max() < 16


@pytest.mark.parametrize("value_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("matrix", TAGS)
@pytest.mark.parametrize("size", [(128, 16), (64, 5), (65, 7), (512, 64), (100, 64)])
def test_colours_of_other_sizes(tmp_path, matrix, value_range, size):
    write_bars(tmp_path / "bars.mp4", matrix, "yuv420p", value_range)
    with open_source(tmp_path / "bars.mp4") as source:
        displayed = next(source.frames(size)).pixels
    assert displayed.shape == (size[1], size[0], 3)
    middles = ((np.arange(8) + 0.5) * size[0] / 8).astype(int)
    np.testing.assert_allclose(displayed[size[1] // 2, middles].astype(int), COLOURS, atol=5)
