import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kinoscope.core import boxes as bx


def array(*rows):
    return np.array(rows, np.float64).reshape(-1, 4)


def test_iou_of_hand_worked_pairs():
    a = array((0, 0, 10, 10), (5, 0, 15, 10))
    b = array((0, 0, 10, 10), (20, 20, 30, 30), (0, 0, 5, 10))
    assert np.allclose(bx.iou(a, b), [[1, 0, 0.5], [50 / 150, 0, 0]])


def test_iou_of_nothing_is_empty():
    assert bx.iou(array(), array((0, 0, 1, 1))).shape == (0, 1)
    assert bx.iou(array((3, 3, 3, 3)), array((3, 3, 3, 3))) == [[0]]


def test_areas_of_inside_out_boxes_are_zero():
    assert bx.areas(array((5, 5, 0, 9), (0, 0, 2, 3))).tolist() == [0, 6]


def test_nms_keeps_the_best_of_overlapping_boxes():
    boxes = array((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    assert bx.nms(boxes, np.array([0.6, 0.9, 0.3]), 0.5).tolist() == [1, 2]


def test_nms_over_the_smaller_area_drops_a_part_inside_a_whole():
    boxes, scores = array((0, 0, 10, 10), (2, 2, 5, 5)), np.array([0.9, 0.8])
    assert bx.nms(boxes, scores, 0.5).tolist() == [0, 1]
    assert bx.nms(boxes, scores, 0.5, over_smaller=True).tolist() == [0]


def test_clip_cuts_at_the_edges():
    assert bx.clip(array((-3, 2, 700, 900)), 640, 480).tolist() == [[0, 2, 640, 480]]


corners = hnp.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 40).map(float))


@given(corners, st.floats(0.1, 0.9))
def test_no_two_kept_boxes_overlap_more_than_the_threshold(boxes, threshold):
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1)
    kept = boxes[bx.nms(boxes, np.linspace(1, 0.1, len(boxes)), threshold)]
    overlaps = bx.iou(kept, kept) - np.eye(len(kept))
    assert np.all(overlaps <= threshold + 1e-9)
