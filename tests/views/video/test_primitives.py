import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.video import primitives
from kinoscope.views.video.primitives import TextRenderer

RED = (255, 0, 0)


def _blank(width=20, height=16):
    return np.zeros((height, width, 3), np.uint8)


def test_a_frame_covers_exactly_its_edges():
    pixels, wanted = _blank(), np.zeros((16, 20), bool)
    primitives.rectangle(pixels, (3, 2, 13, 10), RED, 2)
    wanted[2:10, 3:13] = True
    wanted[4:8, 5:11] = False
    np.testing.assert_array_equal(pixels[..., 0] == 255, wanted)
    assert not pixels[..., 1:].any()


def test_corners_cover_a_quarter_of_each_side():
    pixels, wanted = _blank(), np.zeros((16, 20), bool)
    primitives.corners(pixels, (0, 0, 12, 8), RED, 1)
    for row, columns in [(0, slice(0, 3)), (0, slice(9, 12)), (7, slice(0, 3)), (7, slice(9, 12))]:
        wanted[row, columns] = True
    for column, rows in [(0, slice(0, 2)), (11, slice(0, 2)), (0, slice(6, 8)), (11, slice(6, 8))]:
        wanted[rows, column] = True
    np.testing.assert_array_equal(pixels[..., 0] == 255, wanted)


@settings(max_examples=40)
@given(st.tuples(*[st.integers(-100, 100)] * 4))
def test_shapes_may_reach_over_any_edge(sides):
    x1, y1, x2, y2 = sides
    rect = (min(x1, x2), min(y1, y2), max(x1, x2) + 1, max(y1, y2) + 1)
    for shape in (primitives.rectangle, primitives.corners):
        small, large = _blank(), _blank(220, 216)
        shape(small, rect, RED, 2)
        shape(large, tuple(side + 100 for side in rect), RED, 2)
        np.testing.assert_array_equal(small, large[100:116, 100:120])
    primitives.panel(_blank(), rect, RED, 0.5, 4)


def test_a_panel_lets_the_image_through():
    pixels = np.full((40, 60, 3), 200, np.uint8)
    primitives.panel(pixels, (10, 10, 50, 30), (0, 0, 0), 0.75, 6)
    assert pixels[20, 30].tolist() == [50, 50, 50]
    assert pixels[10, 30].tolist() == [50, 50, 50]
    assert pixels[10, 10].tolist() == [200, 200, 200]  # outside the round corner
    outside = pixels.copy()
    outside[10:30, 10:50] = 200
    assert np.all(outside == 200)


def test_text_stays_in_its_line_and_width():
    pen = TextRenderer(20)
    pixels = _blank(400, 80)
    pen.write(pixels, "Àgjpqy|Ż ()", 30, 20, primitives.WHITE)
    rows, columns = np.nonzero(pixels.any(2))
    assert rows.min() >= 20
    assert rows.max() < 20 + pen.height
    assert columns.min() >= 28
    assert columns.max() < 30 + pen.width("Àgjpqy|Ż ()") + 2


@pytest.mark.parametrize("text", ["a much too long label " * 5, "你好" * 40, "x\ny\tz" * 30])
def test_a_long_text_is_cut_to_its_width(text):
    pen = TextRenderer(14)
    short = pen.fit(text, 120)
    assert short.endswith("…")
    assert 80 < pen.width(short) <= 120


def test_a_short_text_is_left_as_it_is():
    assert TextRenderer(14).fit("dog #1", 120) == "dog #1"


@pytest.mark.parametrize("text", ["", "\udce9", "\x00\x1b[31m\n", "🎬 שלום", "%s {0}"])
def test_any_text_can_be_written(text):
    pen = TextRenderer(12)
    pen.write(_blank(), pen.fit(text, 10), 0, 0, RED)


def test_text_contrasts_with_its_background():
    assert primitives.contrast((255, 255, 0)) == primitives.BLACK
    assert primitives.contrast((60, 0, 120)) == primitives.WHITE
