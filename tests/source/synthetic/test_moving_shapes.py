import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.metrics.shapes import SHAPES, read_moving_shape
from kinoscope.source import open_source
from kinoscope.source.synthetic.moving_shapes import draw_moving, moving


@pytest.mark.parametrize("shape", SHAPES)
def test_a_source_reports_its_box(shape: str) -> None:
    video = moving(duration=1, size=64, seed=3, shape=shape, colour="red")
    (track,) = video.truth.tracks
    assert track.label == f"red {shape}"
    for frame in video.frames():
        box = track.box_at(float(frame.time))[:4]
        lit = np.argwhere(np.ptp(frame.pixels.astype(int), axis=2) > 20)[:, ::-1]
        assert abs(lit.min(0) - box[:2]).max() < 1.5
        assert abs(lit.max(0) + 1 - box[2:]).max() < 1.5


def test_its_address_opens_the_same_clip() -> None:
    with open_source("synthetic:moving?duration=0.64&size=32&seed=7&shape=disc") as source:
        clip = np.stack([frame.pixels for frame in source.frames()])
    rendered, attributes = draw_moving(7, 16, 25, 32, "disc")
    assert np.array_equal(clip, rendered)
    assert read_moving_shape(clip).shape == attributes.shape == "disc"


def test_an_unknown_shape_names_those_there_are() -> None:
    with pytest.raises(OptionError, match="square, disc"):
        open_source("synthetic:moving?shape=star")
