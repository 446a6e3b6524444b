import gc
import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from kinoscope.core.errors import DecodeError, SourceError
from kinoscope.source import open_source
from kinoscope.source.images import ImageSource
from tests.helpers.sources import noise


@pytest.fixture
def folder(tmp_path):
    pixels = noise(12)
    for index, image in enumerate(pixels):
        av.VideoFrame.from_ndarray(image, "rgb24").save(tmp_path / f"p{index}.png")
    return tmp_path, pixels


@pytest.mark.parametrize("name", ["", "p%d.png", "p*.png", "p?*.png"])
def test_natural_order(folder, name):
    path, pixels = folder
    with open_source(path / name, rate=10) as source:
        frames = list(source.frames())
        assert source.info.frames == 12
        assert source.info.rate == 10
    assert [frame.time for frame in frames] == [Fraction(i, 10) for i in range(12)]
    for frame, wanted in zip(frames, pixels, strict=True):
        np.testing.assert_array_equal(frame.pixels, wanted)


def test_one_image(folder):
    path, pixels = folder
    with open_source(path / "p3.png") as source:
        (frame,) = source.frames()
    np.testing.assert_array_equal(frame.pixels, pixels[3])
    assert frame.duration == Fraction(1, 25)


def test_limits(folder):
    with open_source(folder[0], start=Fraction(1, 5), end=Fraction(3, 10), rate=20) as source:
        assert [frame.index for frame in source.frames()] == [4, 5]


def test_other_sizes_are_stretched(folder):
    path, _ = folder
    av.VideoFrame.from_ndarray(noise(1, 50, 50)[0], "rgb24").save(path / "p5.png")
    with open_source(path) as source:
        assert {frame.size for frame in source.frames()} == {(32, 24)}
        assert source.report.resizes == 1


@pytest.mark.parametrize(("policy", "count"), [("skip", 11), ("repeat", 12), ("blank", 12)])
def test_corrupt_image(folder, policy, count):
    path, pixels = folder
    (path / "p4.png").write_bytes(b"not a picture")
    with open_source(path, on_error=policy) as source:
        frames = list(source.frames())
        assert source.report.failures == 1
    assert len(frames) == count
    if policy == "repeat":
        np.testing.assert_array_equal(frames[4].pixels, pixels[3])
    if policy == "blank":
        assert not frames[4].pixels.any()


def test_corrupt_image_raises(folder):
    (folder[0] / "p4.png").write_bytes(b"not a picture")
    with open_source(folder[0], on_error="raise") as source, pytest.raises(DecodeError, match=r"p4.png is not"):
        list(source.frames())


def test_pattern_without_match(tmp_path):
    with pytest.raises(SourceError, match=r"no file matches .*%03d.png; check the pattern"):
        open_source(tmp_path / "x%03d.png")


def photo(path, image, orientation):
    """Write a JPEG of a BGR image whose EXIF data declares an orientation."""
    data = cv2.imencode(".jpg", image)[1].tobytes()
    row = struct.pack("<HHHII", 1, 0x112, 3, 1, orientation) + bytes(4)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + row
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [(1, (80, 40), "left"), (6, (40, 80), "top"), (3, (80, 40), "right"), (8, (40, 80), "bottom")],
)
def test_a_photo_with_exif_data_is_read_and_stands_upright(tmp_path, orientation, size, red):
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, :24, 2] = 250  # in OpenCV's order: red, on the left
    path = photo(tmp_path / "photo.jpg", image, orientation)
    with open_source(path) as source:
        assert source.info.size == size
        (frame,) = source.frames()
    regions = {
        "left": frame.pixels[:, :8],
        "right": frame.pixels[:, -8:],
        "top": frame.pixels[:8],
        "bottom": frame.pixels[-8:],
    }
    assert max(regions, key=lambda region: regions[region][..., 0].mean()) == red


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_and_mirrored_as_other_readers_do(tmp_path, orientation):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16] = 250
    image[:, :16] = 120
    path = photo(tmp_path / "photo.jpg", image, orientation)
    with open_source(path) as source:
        (frame,) = source.frames()
    np.testing.assert_allclose(frame.pixels.astype(int), cv2.imread(str(path)), atol=8)


@pytest.mark.slow
def test_images_that_cannot_be_read_are_let_go_of_at_once(tmp_path):
    from kinoscope.source.decode.demux import Demuxer

    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n but not for long")

    def alive():
        return sum(type(one) in (Demuxer, ImageSource) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    before = alive()  # other tests may still hold some
    try:
        for _ in range(3):
            with pytest.raises(SourceError):
                open_source(tmp_path / "a.png")
        assert alive() == before
    finally:
        gc.enable()


def test_a_colour_profile_with_a_name_does_not_crash_the_process(tmp_path):
    """Read a PNG with the chunk iCCP in a process of its own: it would be killed, not fail."""
    av.VideoFrame.from_ndarray(noise(1, 16, 16)[0], "rgb24").save(tmp_path / "plain.png")
    data = (tmp_path / "plain.png").read_bytes()
    header, profile = data[:33], b"a profile\0\0" + zlib.compress(bytes(128))
    chunk = struct.pack(">I", len(profile)) + b"iCCP" + profile + struct.pack(">I", zlib.crc32(b"iCCP" + profile))
    (tmp_path / "named.png").write_bytes(header + chunk + data[33:])
    code = "import sys; from kinoscope import open_source; print(len(list(open_source(sys.argv[1]).frames())))"
    command = [sys.executable, "-c", code, str(tmp_path / "named.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
