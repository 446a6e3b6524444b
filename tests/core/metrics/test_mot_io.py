import numpy as np
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.core.metrics.mot_io import MotRows, concatenate_sequences, drop_ignored, read_mot


def written(tmp_path, *lines):
    path = tmp_path / "gt.txt"
    path.write_text("\n".join(lines))
    return path


def test_corners_and_confidence_are_read(tmp_path):
    rows = read_mot(written(tmp_path, "2,5,10,20,30.5,40,0.75,-1,-1,-1", "", "1, 6, 1, 2, 3, 4"))
    assert rows.frames.tolist() == [2, 1]
    assert rows.ids.tolist() == [5, 6]
    assert rows.boxes.tolist() == [[10, 20, 40.5, 60], [1, 2, 4, 6]]
    assert rows.scores.tolist() == [0.75, 1.0]


def test_the_eighth_of_nine_columns_is_a_class(tmp_path):
    rows = read_mot(written(tmp_path, "1,1,0,0,9,9,1,7,0.5", "1,2,0,0,9,9,1,4.48,5.5,0"))
    assert rows.classes.tolist() == [7, 1]


def test_an_empty_file_has_no_rows(tmp_path):
    assert len(read_mot(written(tmp_path))) == 0


@pytest.mark.parametrize("line", ["1,2,3", "1,1,0,0,9,nine,1", "1,1,0,0,9,nan,1", "1,1,0,0,-9,9,1"])
def test_a_bad_line_is_named(tmp_path, line):
    with pytest.raises(DatasetError, match=r"gt\.txt, line 2, is not MOTChallenge's"):
        read_mot(written(tmp_path, "1,1,0,0,9,9,1", line))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.txt: No such file"):
        read_mot(tmp_path / "none.txt")


def test_truth_that_does_not_count_and_results_on_distractors_are_left_out():
    boxes = np.array([[x, 0, x + 10, 10] for x in (0, 20, 40, 60)], float)
    truth = MotRows(np.ones(4, int), np.arange(1, 5), boxes, np.array([1.0, 0.0, 1.0, 1.0]), np.array([1, 1, 8, 3]))
    found = MotRows(np.ones(5, int), np.arange(5), np.vstack([boxes, boxes[2:3] + 4]))
    kept, scored = drop_ignored(truth, found)
    assert kept.ids.tolist() == [1]
    # The car is a false alarm; of the two near the distractor the nearer goes.
    assert scored.ids.tolist() == [0, 1, 3, 4]


def test_joined_sequences_share_neither_frames_nor_ids():
    one = MotRows(np.array([1, 4]), np.array([1, 2]), np.zeros((2, 4)))
    none = MotRows(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)))
    truth, found = concatenate_sequences([(one, none), (one, one), (none, none)])
    assert truth.frames.tolist() == [1, 4, 6, 9]
    assert truth.ids.tolist() == [1, 2, 4, 5]
    assert (found.frames.tolist(), found.ids.tolist()) == ([6, 9], [4, 5])
