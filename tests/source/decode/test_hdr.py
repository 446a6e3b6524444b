"""Frames of high dynamic range are converted and written like those of their twin of standard range."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from kinoscope.core.results import describe_source
from kinoscope.source import open_source
from kinoscope.source.decode.hdr import HLG_TRANSFER, PQ_TRANSFER, to_sdr
from kinoscope.source.encode.writer import Writer

TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""Linear RGB of BT.709 to that of BT.2020 (ITU-R BT.2087)."""

DARK = [(0, 0, 0), (40, 40, 40), (94, 94, 94), (140, 140, 140), (90, 60, 40), (30, 80, 110), (60, 120, 50)]


def pq(nits):
    """Return the code of light, in 0 to 1 (SMPTE ST 2084)."""
    power = (np.asarray(nits) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits):
    """Return the code of light, in 0 to 1, on a display of 1,000 nits (ARIB STD-B67, ITU-R BT.2100)."""
    display = np.asarray(nits) / 1000
    luma = np.maximum(display @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = display / luma ** (0.2 / 1.2)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(12 * scene.clip(1 / 12) - 0.28466892) + 0.55991073
    )


def twin(colours, code):
    """Return the 16-bit codes with which HDR shows 8-bit colours of a display of 100 nits."""
    light = 100 * (np.array(colours, float) / 255) ** 2.4 @ TO_BT2020.T
    return np.rint(code(light.clip(0)) * 65535).astype(np.uint16)[None]


@pytest.mark.parametrize(("transfer", "code"), [(PQ_TRANSFER, pq), (HLG_TRANSFER, hlg)])
def test_what_any_display_can_show_stays_as_it_is(transfer, code):
    np.testing.assert_allclose(to_sdr(twin(DARK, code), transfer)[0].astype(int), DARK, atol=2)


@pytest.mark.parametrize(("transfer", "code"), [(PQ_TRANSFER, pq), (HLG_TRANSFER, hlg)])
def test_highlights_are_distinguished_up_to_1000_nits(transfer, code):
    nits = np.array([0, 1, 5, 27, 50, 100, 203, 400, 1000])
    codes = np.rint(code(np.repeat(nits[:, None], 3, 1)) * 65535).astype(np.uint16)[None]
    grey = to_sdr(codes, transfer)[0].astype(int)
    assert (np.ptp(grey, axis=1) <= 1).all()
    assert (np.diff(grey[:, 0]) > 0).all()
    assert grey[0, 0] == 0
    assert 205 <= grey[5, 0] <= 230  # the white of standard range leaves room above it
    assert grey[-1, 0] == 255


def test_light_beyond_1000_nits_is_white_and_primaries_are_minded():
    brightest = np.full((1, 1, 3), 65535, np.uint16)
    assert (to_sdr(brightest, PQ_TRANSFER) == 255).all()
    light = 100 * (np.array([DARK]) / 255) ** 2.4
    same = np.rint(pq(light) * 65535).astype(np.uint16)
    np.testing.assert_allclose(to_sdr(same, PQ_TRANSFER, primaries=1)[0].astype(int), DARK, atol=2)


def test_strips_of_rows_join_without_a_seam():
    ramp = np.linspace(0, 65535, 300 * 5 * 3).astype(np.uint16).reshape(300, 5, 3)
    np.testing.assert_array_equal(
        to_sdr(ramp, PQ_TRANSFER), np.concatenate([to_sdr(row[None], PQ_TRANSFER) for row in ramp])
    )


@pytest.fixture(params=[PQ_TRANSFER, HLG_TRANSFER], ids=["pq", "hlg"])
def video(request, tmp_path):
    """Write a ten-bit BT.2020 video of patches; return it and the transfer that it is tagged with."""
    code = pq if request.param == PQ_TRANSFER else hlg
    patches = np.repeat(np.repeat(twin(DARK, code), 32, 0), 32, 1)
    with av.open(str(tmp_path / "hdr.mp4"), "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "0", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = 32, 32 * len(DARK), "yuv420p10le"
        context = stream.codec_context
        context.colorspace = context.color_primaries = 9
        context.color_trc, context.color_range = request.param, ColorRange.MPEG
        frame = av.VideoFrame.from_ndarray(patches, "rgb48le").reformat(
            format="yuv420p10le",
            dst_colorspace=Colorspace.BT2020,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return tmp_path / "hdr.mp4", "pq" if request.param == PQ_TRANSFER else "hlg"


@pytest.mark.parametrize("size", [(32 * len(DARK), 32), (8 * len(DARK), 8), (64 * len(DARK), 64)])
def test_frames_equal_those_of_the_twin(video, size):
    with open_source(video[0]) as source:
        displayed = next(source.frames(size)).pixels
    middles = ((np.arange(len(DARK)) + 0.5) * size[0] / len(DARK)).astype(int)
    np.testing.assert_allclose(displayed[size[1] // 2, middles].astype(int), DARK, atol=4)


def test_the_transfer_stands_in_the_timeline_and_written_video_is_of_standard_range(video, tmp_path):
    path, name = video
    with open_source(path) as source, Writer(tmp_path / "out.mp4", source.info.size) as writer:
        assert describe_source(source.info)["transfer"] == name
        (frame,) = source.frames()
        writer.write(frame)
    with open_source(tmp_path / "out.mp4") as source:
        assert (source.info.transfer, source.info.colour_space) == ("bt709", "bt709")
        displayed = next(source.frames()).pixels
    np.testing.assert_allclose(displayed[16, 16::32].astype(int), DARK, atol=6)


def test_standard_video_says_its_transfer_and_stays(tmp_path):
    from kinoscope.core.media import Frame

    with Writer(tmp_path / "a.mp4", (32, 32)) as writer:
        writer.write(Frame(np.full((32, 32, 3), 94, np.uint8), Fraction(0)))
    with open_source(tmp_path / "a.mp4") as source:
        assert source.info.transfer == "bt709"
        assert np.abs(next(source.frames()).pixels.astype(int) - 94).max() <= 1
