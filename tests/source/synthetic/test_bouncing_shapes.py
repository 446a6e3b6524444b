import numpy as np
import pytest

from kinoscope.source import open_source
from kinoscope.source.synthetic.bouncing_shapes import (
    ITEM_NAMES,
    bounce,
    bouncing,
    draw_bouncing,
    draw_items,
    shape_items,
)


def test_items_go_straight_and_turn_back_at_the_edges():
    positions = bounce(np.array([[0.5, 0.5]]), np.array([[0.25, -0.125]]), 9)
    assert positions[:, 0].tolist() == [
        *([27, 13], [36, 9], [27, 4], [18, 0], [9, 4]),
        *([0, 9], [9, 13], [18, 18], [27, 22]),
    ]


def test_items_are_rendered_at_their_positions_and_the_brighter_is_visible():
    items = np.stack([np.full((28, 28), 100, np.uint8), np.full((28, 28), 200, np.uint8)])
    clip = draw_items(items, np.array([[[0, 0], [36, 36]], [[10, 10], [12, 12]]]))
    assert clip.shape == (2, 64, 64, 1)
    assert clip[0, :28, :28].min() == clip[0, :28, :28].max() == 100
    assert clip[0, 36:, 36:].min() == 200
    assert int(clip[0].astype(int).sum()) == 28 * 28 * 300
    assert clip[1, 11, 11, 0] == 100
    assert clip[1, 12, 12, 0] == 200


def test_the_same_seed_makes_the_same_clip_and_another_another():
    first, again, other = (draw_bouncing(20, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (20, 64, 64, 1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_all_shapes_differ_and_lie_within_their_square():
    items = shape_items()
    assert items.shape == (len(ITEM_NAMES), 28, 28)
    assert len({item.tobytes() for item in items}) == len(ITEM_NAMES)
    assert set(np.unique(items)) == {0, 255}


def test_a_source_reports_their_boxes():
    video = bouncing(duration=1, seed=5, count=1)
    (track,) = video.truth.tracks
    for frame in video.frames():
        left, top, right, bottom = track.box_at(float(frame.time))[:4].astype(int)
        lit = np.argwhere(frame.pixels[..., 0] > 0)
        assert (lit.min(0) >= (top, left)).all()
        assert (lit.max(0) < (bottom, right)).all()


def test_it_opens_by_its_address():
    with open_source("synthetic:bouncing?duration=0.5&seed=7&count=3") as source:
        assert (source.info.width, source.info.height, source.info.frames) == (64, 64, 5)
        clip = np.stack([frame.pixels for frame in source.frames()])
    assert np.array_equal(clip[..., 0], clip[..., 2])
    assert clip.max() == 255
    other = np.stack([frame.pixels for frame in open_source("synthetic:bouncing?duration=0.5&seed=8").frames()])
    assert not np.array_equal(clip, other)


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_items(count):
    assert draw_bouncing(3, np.random.default_rng(0), count=count).any()
