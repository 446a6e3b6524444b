"""Each bad input ends in one clear line."""

import re

import av
import numpy as np
import pytest

from kinoscope.core.errors import OptionError, SourceError
from kinoscope.source import open_source
from kinoscope.source.folders import find_sources
from kinoscope.source.synthetic.video import shapes
from tests.helpers.sources import encode


def refusal(path):
    """Return the message with which a source is refused, without folders; a second line would show in it."""
    with pytest.raises(SourceError) as caught:
        open_source(path)
    return re.sub(r"/\S*/", "", str(caught.value))


def test_missing(tmp_path):
    assert refusal(tmp_path / "a.mp4") == "a.mp4 does not exist; check the path"


def test_missing_with_a_close_name(tmp_path):
    (tmp_path / "street.mp4").write_bytes(b"x")
    assert refusal(tmp_path / "sreet.mp4") == "sreet.mp4 does not exist; did you mean street.mp4?"


def test_only_close_names_are_offered_whatever_the_ending(tmp_path):
    for name in ("clip60.mp4", "ta_chi.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert refusal(tmp_path / "clip6.mp4") == "clip6.mp4 does not exist; did you mean clip60.mp4?"
    assert refusal(tmp_path / "clip60.mov") == "clip60.mov does not exist; did you mean clip60.mp4?"
    assert refusal(tmp_path / "nosuch.mp4") == "nosuch.mp4 does not exist; check the path"
    assert refusal(tmp_path / "a.mp4") == "a.mp4 does not exist; check the path"


def test_missing_folder(tmp_path):
    with pytest.raises(SourceError, match=r"nor does the folder .*; check the path"):
        open_source(tmp_path / "no" / "a.mp4")


def test_zero_bytes(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert refusal(tmp_path / "a.mp4") == "a.mp4 is empty (0 bytes); copy or download it again"


def test_text_named_mp4(tmp_path):
    (tmp_path / "a.mp4").write_text("This is not a video.\n" * 50)
    assert refusal(tmp_path / "a.mp4") == (
        "a.mp4 is not a video that can be read (mp4, mkv, webm, mov, avi, ts, gif and others can)"
    )


def test_truncated_before_its_index(tmp_path):
    path = encode(tmp_path / "a.mp4", count=50)
    path.write_bytes(path.read_bytes()[:2000])
    assert refusal(path) == "a.mp4 is an mp4 without its index (moov): it was cut short; record or download it again"


def test_truncated_after_its_index_yields_the_rest(tmp_path):
    path = shapes(duration=4, width=64, height=64).write(tmp_path / "a.mp4", lossless=True)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    path.write_bytes(data[: len(data) * 2 // 3])
    with open_source(path) as source:
        frames = list(source.frames((8, 8)))
        assert 0 < len(frames) < 100
        assert not source.report.complete
        assert source.report.errors


def test_no_frames(tmp_path):
    path = encode(tmp_path / "a.mkv", count=3)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])
    assert refusal(path) == "a.mkv ends before anything that can be read: it was cut short; record or download it again"


def test_subtitles_alone(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert refusal(tmp_path / "a.srt") == "a.srt has neither video nor audio; give a video file"


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mkv\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mkv\n#EXT-X-ENDLIST\n",
    ],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.ffconcat"])
def test_playlists_open_no_other_file(tmp_path, text, name):
    encode(tmp_path / "secret.mkv")
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=r"is not a video that can be read|invalid"):
        open_source(tmp_path / name)


def test_names_are_never_options_or_protocols(tmp_path):
    for name in ("a:b.mp4", "-i.mp4", "100%d.mp4", "a?b#c.mp4", "concat:a.mp4"):
        encode(tmp_path / name, count=2)
        with open_source(tmp_path / name) as source:
            assert len(list(source.frames())) == 2


@pytest.mark.parametrize("url", ["file:///etc/hostname", "concat://a|b", "ftp://host/a.mp4", "data://text", "pipe://0"])
def test_schemes_that_are_not_allowed(url):
    with pytest.raises(SourceError, match="is not one of http, https, rtsp, rtsps, rtmp, rtmps, udp, rtp"):
        open_source(url)


def test_absurd_size(tmp_path):
    path = encode(tmp_path / "a.avi", codec="rawvideo", pix_fmt="bgr24", count=1)
    data = path.read_bytes()
    header = data.index(b"strf") + 8
    path.write_bytes(data[: header + 4] + (20_000).to_bytes(4, "little") * 2 + data[header + 12 :])
    with pytest.raises(SourceError, match=r"no frame that can be decoded: .* larger than the limit of 134,217,728"):
        open_source(path)


@pytest.mark.slow
def test_eight_thousand_square(tmp_path):
    path = tmp_path / "large.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", 25)
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "gray"
        gray = av.VideoFrame(8192, 8192, "gray")
        for plane in gray.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        container.mux([*stream.encode(gray), *stream.encode(None)])
    with open_source(path) as source:
        assert source.info.size == (8192, 8192)
        (frame,) = source.frames((64, 64))
    assert np.abs(frame.pixels.astype(int) - 128).max() <= 2


def test_folder_without_video(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="holds no video and no image; name a folder with mp4, mkv, mov, png, jpg"):
        find_sources(str(tmp_path))
    with pytest.raises(SourceError, match="holds no video and no image"):
        open_source(tmp_path)


def test_folder_of_videos_is_many_sources(tmp_path):
    for name in ("b10.mp4", "b9.mkv"):
        (tmp_path / name).write_bytes(b"x")
    assert find_sources(str(tmp_path)) == [str(tmp_path / "b9.mkv"), str(tmp_path / "b10.mp4")]
    with pytest.raises(SourceError, match="holds 2 videos and no image; name one of them"):
        open_source(tmp_path)


def test_times_that_are_none():
    with pytest.raises(OptionError, match="time 'soon' is not understood"):
        open_source("a.mp4", start="soon")
    with pytest.raises(OptionError, match="rate -1 is not positive"):
        open_source("a.mp4", rate=-1)


def test_video_whose_packets_are_all_corrupt(tmp_path):
    path = encode(tmp_path / "a.avi", codec="mpeg4", count=3)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        offsets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for offset, size in offsets:
        data[offset : offset + size] = bytes(size)
    path.write_bytes(data)
    why = "it is damaged, or larger than the limit of 134,217,728 pixels"
    advice = "copy or download it again, or raise that with --bounds pixels=NUMBER"
    assert refusal(path) == f"a.avi has video but no frame that can be decoded: {why}; {advice}"
