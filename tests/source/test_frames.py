import gc
import pickle
import weakref
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.addresses import Address
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.source import open_clip, open_source
from kinoscope.source.frames import FrameSequence, FrameSource, VideoAddress
from tests.helpers.sources import noise


def array(count=6, width=32, height=24):
    return np.stack(noise(count, width, height))


def test_an_array_is_a_source_whose_frames_are_views():
    pixels = array()
    source = FrameSource(FrameSequence(pixels, 30))
    frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(i, 30) for i in range(6)]
    assert all(np.shares_memory(frame.pixels, pixels[i]) for i, frame in enumerate(frames))
    assert frames[0].duration == Fraction(1, 30)
    info = source.info
    assert (info.path, info.size, info.rate, info.duration, info.frames) == (
        "frames",
        (32, 24),
        Fraction(30),
        Fraction(1, 5),
        6,
    )
    assert source.report.frames == 6
    assert not source.report.resizes


def test_one_frame_is_a_video_of_one():
    (frame,) = FrameSource(FrameSequence(array(1)[0])).frames()
    np.testing.assert_array_equal(frame.pixels, array(1)[0])


def test_a_part_and_a_lower_rate_are_read():
    source = FrameSource(FrameSequence(array(20), 10), Fraction(1, 2), Fraction(3, 2), Fraction(5))
    assert [frame.index for frame in source.frames()] == [5, 7, 9, 11, 13]
    assert (source.info.rate, source.info.frames) == (Fraction(5), None)


def test_a_list_is_read_as_often_as_needed():
    source = FrameSource(FrameSequence(noise(4)))
    assert len(list(source.frames())) == len(list(source.frames())) == 4


def test_a_generator_is_read_once_and_its_length_is_known_afterwards():
    source = FrameSource(FrameSequence((frame for frame in noise(5)), 10, "camera 3"))
    assert (source.info.size, source.info.duration, source.info.frames) == ((32, 24), None, None)
    assert [frame.index for frame in source.frames()] == [0, 1, 2, 3, 4]
    assert source.info.duration == Fraction(1, 2)
    with pytest.raises(SourceError, match="camera 3 can be read only once, as it is an iterator; give an array"):
        list(source.frames())


def test_frames_of_a_generator_are_not_kept():
    kept = []

    def generate():
        for frame in noise(8):
            copy = frame.copy()
            kept.append(weakref.ref(copy))
            yield copy
            del copy

    alive = []
    for _ in FrameSource(FrameSequence(generate())).frames():
        gc.collect()
        alive.append(sum(reference() is not None for reference in kept))
    assert max(alive) <= 2


def test_frames_of_another_size_are_scaled_to_the_first():
    source = FrameSource(FrameSequence([*noise(2), noise(1, 64, 48)[0]]))
    assert {frame.size for frame in source.frames()} == {(32, 24)}
    assert source.report.resizes == 1


def test_flipped_channels_are_scaled_alike():
    pixels = array(2, 64, 48)
    (flipped, _), (plain, _) = (
        list(FrameSource(FrameSequence(value)).frames((32, 24)))
        for value in (pixels[..., ::-1], pixels[..., ::-1].copy())
    )
    np.testing.assert_array_equal(flipped.pixels, plain.pixels)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((4, 24, 32, 3), np.float32), "frame 0 of frames is float32; give uint8, as in .255 . frame"),
        (np.zeros((4, 24, 32, 4), np.uint8), r"frame 0 of frames has shape \(24, 32, 4\); give \(H, W, 3\) RGB"),
        (np.zeros((24, 32), np.uint8), r"has shape \(24, 32\); give \(H, W, 3\) RGB, as in np.stack"),
        (np.zeros((2, 0, 32, 3), np.uint8), r"has shape \(0, 32, 3\)"),
        (7, r"frames is int; give an array \(T, H, W, 3\) or an iterable of frames"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused_at_once(frames, message):
    with pytest.raises(SourceError, match=message):
        FrameSequence(frames)


@pytest.mark.parametrize(("rate", "message"), [(0, "rate 0 is not possible"), ("fast", "'fast' is not understood")])
def test_rates_are_checked(rate, message):
    with pytest.raises(OptionError, match=message):
        FrameSequence(array(), rate)


def test_an_invalid_frame_of_an_iterable_is_named():
    source = FrameSource(FrameSequence(iter([*noise(2), np.zeros((24, 32, 3))])))
    with pytest.raises(SourceError, match="frame 2 of frames is float64; give uint8"):
        list(source.frames())


def test_what_is_no_array_is_named():
    with pytest.raises(SourceError, match="frame 0 of frames is no array"):
        FrameSource(FrameSequence([[[1], [1, 2]]]))


@pytest.mark.parametrize("item", [None, "a.mp4", 5])
def test_what_a_camera_returns_without_a_frame_is_named(item):
    with pytest.raises(SourceError, match=f"frame 0 of frames is {type(item).__name__}; give uint8"):
        FrameSource(FrameSequence(iter([item])))
    with pytest.raises(SourceError, match=f"frame 2 of frames is {type(item).__name__}; give uint8"):
        list(FrameSequence([*noise(2), item]))


def test_an_error_of_an_iterator_is_that_of_its_frame():
    def camera(count):
        yield from noise(count)
        raise RuntimeError("unplugged")

    source = FrameSource(FrameSequence(camera(2)))
    with pytest.raises(SourceError, match="frame 2 of frames cannot be read: its iterator raised RuntimeError: unplug"):
        list(source.frames())
    with pytest.raises(SourceError, match="frame 0 of frames cannot be read: its iterator raised RuntimeError"):
        FrameSource(FrameSequence(camera(0)))


@pytest.mark.parametrize("frames", [np.zeros((0, 24, 32, 3), np.uint8), [], iter([])])
def test_there_must_be_a_frame(frames):
    with pytest.raises(SourceError, match="frames has no frame; give at least one"):
        FrameSource(FrameSequence(frames))


def test_the_digest_depends_on_every_pixel_and_the_rate():
    pixels = array()
    digest = FrameSequence(pixels).digest()
    assert digest == FrameSequence(list(pixels)).digest()
    assert digest != FrameSequence(pixels, 30).digest()
    pixels[3, 5, 7, 1] ^= 1
    assert digest != FrameSequence(pixels).digest()
    assert FrameSequence(iter(pixels)).digest() is None


def test_an_address_carries_frames_to_where_they_are_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").write_bytes(b"a file of that name")
    address = VideoAddress("frames", frames=FrameSequence(array()))
    for opener in (open_source, open_clip):
        with opener(address) as source:
            assert isinstance(source, FrameSource)
    with open_source(address, start=0.1, rate=5) as source:
        assert [frame.index for frame in source.frames()] == [3]
    with pytest.raises(OptionError, match="frames is no video file, whose audio tracks could be chosen"):
        open_source(address, audio_track=0)
    with pytest.raises(SourceError, match="start 9 s is past the end of frames"):
        open_source(address, start=9)


def test_the_options_of_an_address_are_those_of_its_source():
    address = VideoAddress("synthetic:shapes?duration=2", {"start": 1})
    with open_source(address, end=1.2) as source:
        assert [frame.time for frame in source.frames()] == [1 + Fraction(i, 25) for i in range(5)]
    with open_source(address, start=0, end=1.04) as source:
        assert [frame.time for frame in source.frames()] == [1]
    address = VideoAddress("a.mp4", {"video_track": 1})
    assert address.merge({"video_track": 1, "start": None}) == {"video_track": 1}
    with pytest.raises(OptionError, match=r"video_track is 1 for the Video of a.mp4, and 0 for the call; give it once"):
        open_source(address, video_track=0)


def test_pickling_leaves_the_frames_behind():
    copy = pickle.loads(pickle.dumps(VideoAddress("frames", frames=FrameSequence(array()))))
    assert (type(copy), copy) == (Address, "frames")
