"""The content decides how a file is read: all of an animation, one image, or an error if it cannot be read whole."""

import struct

import av
import cv2
import numpy as np
import pytest

from kinoscope.core.errors import SourceError
from kinoscope.source import open_clip, open_source
from kinoscope.source.images import is_image_path
from kinoscope.source.sniffing import detect_kind
from tests.helpers.sources import encode, noise

GREYS = (40, 90, 140, 200)


AV1 = pytest.mark.skipif(
    not {"libaom-av1", "libsvtav1"} & set(av.codecs_available), reason="FFmpeg has no encoder of AV1 here"
)


def greys():
    return [np.full((48, 64, 3), grey, np.uint8) for grey in GREYS]


def animated(path, codec="apng", form="apng", pix_fmt="rgb24"):
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, 10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        for index, image in enumerate(greys()):
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pix_fmt)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def still(path, codec="png"):
    path.write_bytes(cv2.imencode(f".{codec}", noise(1, 64, 48)[0])[1].tobytes())
    return path


@pytest.mark.parametrize("name", ["a.png", "a.apng", "a.jpg", "a.bin"])
def test_every_frame_of_an_animated_png_is_read(tmp_path, name):
    with open_source(animated(tmp_path / name)) as source:
        frames = list(source.frames())
    assert [int(frame.pixels.mean()) for frame in frames] == list(GREYS)
    assert [float(frame.time) for frame in frames] == [0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_every_frame_of_a_gif_is_read_whatever_its_ending(tmp_path, name):
    with open_source(encode(tmp_path / "made.gif", codec="gif", pix_fmt="rgb8").rename(tmp_path / name)) as source:
        assert sum(1 for _ in source.frames()) == 12


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm"])
def test_a_video_that_is_named_as_an_image_is_a_video(tmp_path, name):
    codec = "libvpx" if name == "a.webm" else "mpeg4"
    path = encode(tmp_path / name, codec=codec).rename(tmp_path / "a.jpg")
    assert not is_image_path(str(path))
    with open_source(path) as source:
        assert sum(1 for _ in source.frames()) == 12


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.mp4", "a.gif", "a"])
@pytest.mark.parametrize("codec", ["png", "jpg", "webp", "tiff", "bmp"])
def test_one_image_is_one_frame_whatever_its_ending(tmp_path, name, codec):
    with open_source(still(tmp_path / name, codec)) as source:
        assert source.info.size == (64, 48)
        assert sum(1 for _ in source.frames()) == 1


def test_joined_jpegs_stay_a_video(tmp_path):
    jpegs = [still(tmp_path / f"{index}.jpg", "jpg").read_bytes() for index in range(3)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(jpegs))
    with open_source(tmp_path / "a.mjpeg") as source:
        assert sum(1 for _ in source.frames()) == 3


def animated_webp(path):
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + bytes(6)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    return path


@pytest.mark.parametrize("name", ["a.webp", "a.jpg", "a.mp4"])
def test_an_animated_webp_is_refused(tmp_path, name):
    with pytest.raises(SourceError, match=r"is an animated WebP, which cannot be read; convert it to GIF"):
        open_source(animated_webp(tmp_path / name))


def test_an_animation_among_images_is_no_image(tmp_path):
    for index in (0, 1, 3):
        still(tmp_path / f"{index}.png")
    animated(tmp_path / "2.png")
    encode(tmp_path / "a.mp4").rename(tmp_path / "4.jpg")
    with open_source(tmp_path) as source:
        assert sum(1 for _ in source.frames()) == 3
        assert source.report.failures == 2
        assert "is an animation and no single image" in source.report.errors[0]
        assert "is a video and no single image" in source.report.errors[1]


@AV1
def test_an_image_in_tiles_in_a_folder_is_counted(tmp_path):
    still(tmp_path / "0.png")
    tiled_avif(tmp_path / "1.heic")
    with open_source(tmp_path) as source:
        assert sum(1 for _ in source.frames()) == 1
        assert "is stored in 2 tiles" in source.report.errors[0]


def test_an_animation_among_clips_is_a_clip(tmp_path):
    with open_clip(animated(tmp_path / "a.png")) as source:
        assert sum(1 for _ in source.frames()) == len(GREYS)


def box(name, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name, *parts, version=0):
    return box(name, bytes([version, 0, 0, 0]), *parts)


def one_avif(path):
    """Write an AVIF of one image; return its coded pixels and the box of the decoder's settings."""
    animated_greys = greys()[:1]
    with av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libaom-av1" if "libaom-av1" in av.codecs_available else "libsvtav1", 1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(animated_greys[0], "rgb24").reformat(format="yuv420p")
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    data = path.read_bytes()
    settings, pixels = data.index(b"av1C") - 4, data.index(b"mdat") - 4
    length = int.from_bytes(data[settings : settings + 4], "big")
    return data[pixels + 8 :], data[settings : settings + length]


def tiled_avif(path):
    """Write an AVIF of two tiles side by side (ISO/IEC 23008-12, 6.6.2.3)."""
    pixels, settings = one_avif(path)
    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")

    def meta(start):
        items = [full(b"infe", struct.pack(">HH", number, 0), b"av01\0", version=2) for number in (1, 2)]
        grid = full(b"infe", struct.pack(">HH", 3, 0), b"grid\0", version=2)
        extents = [struct.pack(">HHHHII", n, 0, 0, 1, start, len(pixels)) for n in (1, 2)]
        extents.append(struct.pack(">HHHHII", 3, 1, 0, 1, 0, 8))
        whole, tile = (full(b"ispe", struct.pack(">II", width, 48)) for width in (128, 64))
        links = [struct.pack(">HB", n, 2) + bytes([1, 0x82]) for n in (1, 2)] + [struct.pack(">HB", 3, 1) + bytes([3])]
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 3)),
            full(b"iloc", bytes([0x44, 0]), struct.pack(">H", 3), *extents, version=1),
            full(b"iinf", struct.pack(">H", 3), *items, grid),
            full(b"iref", box(b"dimg", struct.pack(">HHHH", 3, 2, 1, 2))),
            box(b"iprp", box(b"ipco", tile, settings, whole), full(b"ipma", struct.pack(">I", 3), *links)),
            box(b"idat", bytes([0, 0, 0, 1]), struct.pack(">HH", 128, 48)),
        )

    start = len(head) + len(meta(0)) + 8
    path.write_bytes(head + meta(start) + box(b"mdat", pixels))
    return path


@AV1
def test_one_avif_is_read(tmp_path):
    one_avif(tmp_path / "a.avif")
    with open_source(tmp_path / "a.avif") as source:
        (frame,) = source.frames()
    assert abs(int(frame.pixels.mean()) - GREYS[0]) <= 2


@AV1
@pytest.mark.parametrize("name", ["a.avif", "a.heic", "a.jpg", "a.mp4"])
def test_an_image_in_tiles_is_whole_or_refused(tmp_path, name):
    with pytest.raises(SourceError, match=r"is stored in 2 tiles, which cannot be put together; convert it"):
        open_source(tiled_avif(tmp_path / name))


@AV1
def test_every_frame_of_an_animated_avif_is_read(tmp_path):
    codec = "libaom-av1" if "libaom-av1" in av.codecs_available else "libsvtav1"
    with open_source(animated(tmp_path / "a.avif", codec, "avif", "yuv420p")) as source:
        greys = [int(frame.pixels.mean()) for frame in source.frames()]
    np.testing.assert_allclose(greys, GREYS, atol=2)


def test_what_cannot_be_read_is_unknown(tmp_path):
    assert detect_kind(tmp_path / "nothing") == "unknown"
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("text")
    assert detect_kind(tmp_path / "empty.png") == detect_kind(tmp_path / "text.png") == "unknown"
    (tmp_path / "short.webp").write_bytes(b"RIFF0000WEBPVP8X")
    assert detect_kind(tmp_path / "short.webp") == "image"
