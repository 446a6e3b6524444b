"""The largest of several video tracks is read, unless another is chosen; a cover image is none."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from kinoscope.core.errors import OptionError
from kinoscope.source import open_source

SMALL, LARGE, COVER = (64, 48), (128, 96), (320, 320)


def several(path, sizes=(SMALL, LARGE), default=0, cover=False, codec="mpeg4"):
    with av.open(str(path), "w") as container:
        streams = []
        for number, size in enumerate(sizes):
            stream = container.add_stream(codec, 25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.disposition = Disposition.default if number == default else Disposition(0)
            streams.append(stream)
        if cover:
            image = container.add_stream("mjpeg", 1)
            image.width, image.height, image.pix_fmt = *COVER, "yuvj420p"
            image.disposition = Disposition.attached_pic
            container.mux(image.encode(_frame(COVER, 0, "yuvj420p")))
            container.mux(image.encode(None))
        for index in range(10):
            for stream, size in zip(streams, sizes, strict=True):
                container.mux(stream.encode(_frame(size, index)))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def _frame(size, index, form="yuv420p"):
    frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 20 * index, np.uint8), "rgb24")
    frame = frame.reformat(format=form)
    frame.pts, frame.time_base = index, Fraction(1, 25)
    return frame


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
@pytest.mark.parametrize("sizes", [(SMALL, LARGE), (LARGE, SMALL)])
@pytest.mark.parametrize("default", [0, 1])
def test_the_larger_of_two_is_meant(tmp_path, name, sizes, default):
    path = several(tmp_path / name, sizes, default, codec="mpeg2video" if name.endswith("ts") else "mpeg4")
    with open_source(path) as source:
        assert source.info.size == LARGE
        assert source.info.extra == {"video_track": sizes.index(LARGE), "video_tracks": 2}
        assert len(list(source.lazy_frames())) == 10
    for number, size in enumerate(sizes):
        with open_source(path, video_track=number) as source:
            assert source.info.size == size
            assert {image.size for image in source.lazy_frames()} == {size}


@pytest.mark.parametrize("name", ["a.mp4"])
def test_a_cover_is_never_taken(tmp_path, name):
    path = several(tmp_path / name, (SMALL,), cover=True)
    with open_source(path) as source:
        assert source.info.size == SMALL
        assert source.info.extra == {}
    with pytest.raises(OptionError, match=r"no video track 1 .* it has 1: 0 \(64x48\)"):
        open_source(path, video_track=1)


def test_what_cannot_be_chosen_is_said(tmp_path):
    path = several(tmp_path / "a.mkv")
    with pytest.raises(OptionError, match=r"no video track 2 .* it has 2: 0 \(64x48\), 1 \(128x96\)"):
        open_source(path, video_track=2)
    with pytest.raises(OptionError, match="leave video_track out"):
        open_source("synthetic:shapes", video_track=0)


def test_the_command_says_which_one_it_saw(tmp_path, light, kinoscope):
    path = several(tmp_path / "a.mkv")
    for words, message in (((), "128x96, video track 1 of 2"), (("--video-track", "0"), "64x48, video track 0 of 2")):
        call = kinoscope("analyze", path, "--tasks", "shots", "-o", tmp_path / f"out{len(words)}", "--quiet", *words)
        assert (call.status, message in call.out) == (0, True), call
