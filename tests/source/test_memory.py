"""Memory does not grow with what was read: a frame without references is freed at once."""

import gc

import pytest
from av.video.frame import VideoFrame

from kinoscope.source import open_source
from tests.helpers.sources import encode, noise

pytestmark = pytest.mark.slow


@pytest.fixture
def alive():
    """Return a function that counts the decoded frames that came to memory, with the garbage collector off."""
    gc.collect()
    gc.disable()
    before = _frames()
    yield lambda: _frames() - before
    gc.enable()


def _frames():
    return sum(type(thing) is VideoFrame for thing in gc.get_objects())


@pytest.fixture(params=["a.mp4", "a.webm", "turned.mp4", "a.gif", "photos"])
def path(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".gif":
        return encode(path, count=60, codec="gif", pix_fmt="rgb8")
    if path.suffix == ".webm":
        return encode(path, count=60, codec="libvpx")
    if path.suffix == ".mp4":
        return encode(path, count=60, rotation=90 if path.stem == "turned" else None)
    path.mkdir()
    for index, lazy_frame in enumerate(noise(30)):
        VideoFrame.from_ndarray(lazy_frame, "rgb24").save(path / f"{index}.jpg")
    return path


def test_frames_are_freed_while_a_source_is_read(path, alive):
    peak = 0
    with open_source(path) as source:
        for number, lazy_frame in enumerate(source.lazy_frames()):
            lazy_frame.pixels((16, 16))
            if number % 10 == 9:  # counting walks all objects of the process
                peak = max(peak, alive())
    # At the end of a file the decoder returns all frames that its threads still buffer.
    assert peak <= 20


@pytest.mark.parametrize("read", ["frames", "evenly", "keyframes", "nothing"])
def test_nothing_is_left_of_a_source(path, alive, read):
    source = open_source(path)
    if read != "nothing":
        assert sum(1 for _ in getattr(source, read)(*[3] * (read == "evenly")))
    source.close()
    del source
    assert alive() == 0


def test_a_frame_that_cannot_be_decoded_keeps_no_other(tmp_path, alive):
    data = bytearray(encode(tmp_path / "a.ts", codec="mpeg2video", count=30).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    (tmp_path / "a.ts").write_bytes(data)
    with open_source(tmp_path / "a.ts", on_error="repeat") as source:
        frames = sum(1 for _ in source.frames())
    del source
    assert frames > 10
    assert alive() == 0
