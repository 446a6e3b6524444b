import numpy as np
import pytest

from kinoscope.views.video.contact_sheet import GAP
from kinoscope.views.video.grid import enlarge, grid, strips


def clips(count, frames=5, height=4, width=6):
    made = np.zeros((count, frames, height, width, 3), np.uint8)
    made[..., 0] = 10 * np.arange(count)[:, None, None, None]
    made[..., 1] = np.arange(frames)[None, :, None, None]
    return made


@pytest.mark.parametrize(
    ("count", "columns", "rows", "across"), [(4, None, 2, 2), (5, None, 2, 3), (6, 2, 3, 2), (1, None, 1, 1)]
)
def test_clips_stand_side_by_side(count, columns, rows, across):
    laid = grid(clips(count), columns)
    assert laid.shape == (5, rows * (4 + GAP) + GAP, across * (6 + GAP) + GAP, 3)
    for number in range(count):
        row, column = divmod(number, across)
        pixel = laid[3, GAP + row * (4 + GAP), GAP + column * (6 + GAP)]
        assert pixel.tolist() == [10 * number, 3, 0]
    assert laid[0, 0, 0].tolist() == [255, 255, 255]


def test_strips_show_first_and_last():
    drawn = strips(clips(2, frames=9), columns=3)
    assert drawn.shape == (2 * (4 + GAP) + GAP, 3 * (6 + GAP) + GAP, 3)
    assert [drawn[GAP, GAP + column * (6 + GAP), 1] for column in range(3)] == [0, 4, 8]
    assert strips(clips(1, frames=2), columns=8).shape[1] == 2 * (6 + GAP) + GAP


def test_larger_frames():
    clip = clips(1)[0]
    assert enlarge(clip, 1) is clip
    assert enlarge(clip, 3).shape == (5, 12, 18, 3)
