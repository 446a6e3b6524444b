from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import OptionError, SourceError
from kinoscope.source import open_source
from kinoscope.source.frames import in_memory
from kinoscope.source.names import name_of, name_sources
from kinoscope.source.video_object import Video
from tests.helpers.sources import noise


def array(count=4):
    return np.stack(noise(count))


class ImageObject:
    """What imaging libraries hold: pixels behind the array interface, and no iterator."""

    def __init__(self):
        self.__array_interface__ = noise(1)[0].__array_interface__
        self.pixels = noise(1)[0]


@pytest.mark.parametrize("source", ["a.mp4", Path("a.mp4"), Video("a.mp4", start=1)])
def test_a_path_and_a_video_are_one_source(source):
    assert name_sources(source) == (["a.mp4"], True)
    assert name_sources([source]) == (["a.mp4"], False)


@pytest.mark.parametrize(
    ("frames", "count"),
    [
        (array(), 4),
        (noise(4), 4),
        (tuple(noise(4)), 4),
        (noise(1)[0], 1),
        ((frame for frame in noise(4)), 4),
        (iter(noise(4)), 4),
        ([ImageObject(), ImageObject()], 2),
        (ImageObject(), 1),
    ],
)
def test_frames_are_one_source(frames, count):
    (name,), is_one = name_sources(frames)
    assert (name, is_one) == ("frames", True)
    with open_source(name) as source:
        assert len(list(source.frames())) == count


@pytest.mark.parametrize(
    "sources",
    [
        [array(), array(2)],
        (noise(4), noise(2)),
        ["frames", array()],
        iter(["frames", "frames"]),
        [Video.from_frames(array()), (frame for frame in noise(4))],
    ],
)
def test_a_list_of_videos_is_several_sources(sources):
    assert name_sources(sources) == (["frames", "frames"], False)


def test_a_generator_is_asked_for_its_first_item_alone():
    seen = []

    def generate():
        for index, frame in enumerate(noise(3)):
            seen.append(index)
            yield frame

    (name,), _ = name_sources(generate())
    assert seen == [0]
    with open_source(name) as source:
        assert len(list(source.frames())) == 3


def test_nothing_is_no_source():
    assert name_sources([]) == ([], False)
    with pytest.raises(OptionError, match="int is no source; give a path, a Video, frames or a list of them"):
        name_sources(7)


def test_a_grey_image_is_refused_with_the_remedy():
    with pytest.raises(SourceError, match=r"frame 0 of frames has shape \(24, 32\); give \(H, W, 3\) RGB"):
        name_of(np.zeros((24, 32), np.uint8))


def test_a_tensor_is_read_in_place():
    torch = pytest.importorskip("torch")
    pixels = torch.zeros(2, 24, 32, 3, dtype=torch.uint8)
    (name,), _ = name_sources(pixels)
    frames = in_memory(name)
    assert frames is not None
    pixels[1] = 7
    assert [int(frame.max()) for frame in frames] == [0, 7]


def test_a_path_that_no_file_has_is_refused():
    with pytest.raises(SourceError, match=r"path 'a\\x00b' contains a null character, which no file name has"):
        name_of("a\0b")
