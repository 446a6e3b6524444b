"""Learned edges: candidates, what is seen of them, and the files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from kinoscope.core.errors import ModelError
from kinoscope.models.inference.segment_refiner import (
    FEATURES,
    REFINER_FILE,
    SegmentRefiner,
    candidates,
    features,
    pairwise_iou,
    read_refiner,
    write_refiner,
)


def constant(start, end, overlap):
    """A network that always returns the same."""
    logit = np.log(overlap / (1 - overlap))
    return SegmentRefiner(np.zeros((4, FEATURES)), np.zeros(4), np.zeros((3, 4)), np.array([start, end, logit]))


GRID = np.arange(11.0)
COURSE = np.array([0, 0, 0.35, 0.95, 0.95, 0.95, 0.35, 0, 0, 0])


def test_candidates_stay_over_a_threshold():
    assert candidates(GRID, COURSE).tolist() == [[2, 7], [3, 6]]
    assert candidates(GRID, np.zeros(10)).shape == (0, 2)


def test_what_is_seen_are_the_scores_around_both_edges():
    seen = features(GRID, COURSE, np.array([[3.0, 6.0]]))
    assert seen.shape == (1, FEATURES)
    # Four strides before and after the start, every half: -1 is in the stretch before it, 0 at its beginning.
    assert seen[0, :17].tolist() == [0, 0, 0, 0, 0, 0, 0.35, 0.35, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.35, 0.35, 0]
    assert seen[0, -3:] == pytest.approx([0.95, 0.95, np.log(3)])


def test_edges_are_moved_and_duplicates_fall():
    assert constant(0.5, -0.25, 0.8).refine(GRID, COURSE)[:1] == pytest.approx(np.array([[2.5, 6.75, 0.8]]))
    assert len(constant(0, 0, 0.8).refine(GRID, COURSE)) == 1  # the two candidates overlap by 3 / 5


def test_what_is_expected_to_overlap_little_is_left_out():
    assert constant(0, 0, 0.29).refine(GRID, COURSE).shape == (0, 3)
    assert constant(9, -9, 0.9).refine(GRID, COURSE).shape == (0, 3)  # turned inside out


def test_overlaps_by_hand():
    assert pairwise_iou(np.array([[0, 4.0]]), np.array([[2, 6.0], [5, 6], [0, 4]])).tolist() == [[2 / 6, 0, 1]]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(-3, 3), st.floats(-3, 3))
def test_segments_lie_within_the_video_and_do_not_repeat(scores, start, end):
    rows = constant(start, end, 0.6).refine(np.arange(len(scores) + 1.0), np.array(scores))
    assert ((rows[:, 0] >= 0) & (rows[:, 0] < rows[:, 1]) & (rows[:, 1] <= len(scores))).all()
    shared = pairwise_iou(rows[:, :2], rows[:, :2]) - np.eye(len(rows))
    assert shared.max(initial=0) <= 0.5


def test_files_round_trip_and_damaged_ones_are_reported(tmp_path):
    assert read_refiner(tmp_path) is None
    judge = constant(0.5, -0.25, 0.75)
    write_refiner(tmp_path / REFINER_FILE, judge)
    again = read_refiner(tmp_path)
    assert again is not None
    assert again.out_bias == pytest.approx(judge.out_bias, abs=1e-6)
    save_file({"hidden": np.zeros((2, 3), np.float32)}, tmp_path / REFINER_FILE)
    with pytest.raises(ModelError, match="is damaged"):
        read_refiner(tmp_path)
    (tmp_path / REFINER_FILE).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="train segments"):
        read_refiner(tmp_path)
