import json
import math
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.core.metrics.mot import evaluate_mot
from kinoscope.core.metrics.mot_io import MotRows, concatenate_sequences

PARITY = Path(__file__).parent / "mot_parity"
GOLDEN = json.loads((PARITY / "golden.json").read_text())


def load_sequences():
    spec = util.spec_from_file_location("mot_parity_sequences", PARITY / "sequences.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEQUENCES = load_sequences()


def rows(*frames):
    """Frames from 1, each a dict from id to the left edge of a box of 10 by 10."""
    flat = [(n, i, x) for n, frame in enumerate(frames, 1) for i, x in frame.items()]
    boxes = [(x, 0, x + 10, 10) for _, _, x in flat]
    frame_numbers, ids = (np.array([row[column] for row in flat], int) for column in (0, 1))
    return MotRows(frame_numbers, ids, np.array(boxes, float).reshape(-1, 4))


def pair(seed):
    sides = SEQUENCES.sequence(seed)
    return tuple(MotRows(s[:, 0], s[:, 1], np.hstack([s[:, 2:4], s[:, 2:4] + s[:, 4:]])) for s in sides)


def assert_equal(found, expected):
    for part in (found.hota, found.clear, found.identity):
        for name in part.__dataclass_fields__:
            np.testing.assert_allclose(getattr(part, name), expected[name], atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.parametrize("seed", SEQUENCES.SEEDS)
def test_scores_are_those_of_trackeval(seed):
    assert_equal(evaluate_mot(*pair(seed)), GOLDEN[str(seed)])


def test_scores_of_many_sequences_are_those_of_trackeval():
    assert_equal(evaluate_mot(*concatenate_sequences([pair(seed) for seed in SEQUENCES.SEEDS])), GOLDEN["all"])


def test_the_truth_itself_is_perfect():
    truth = rows({1: 0, 2: 50}, {1: 5, 2: 55}, {1: 10})
    told = evaluate_mot(truth, truth).to_dict()
    assert {told[n] for n in ("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "idp", "idr")} == {1.0}
    assert (told["tp"], told["fn"], told["fp"], told["idsw"], told["frag"]) == (5, 0, 0, 0, 0)
    assert (told["mt"], told["pt"], told["ml"]) == (2, 0, 0)


def test_a_switch_in_the_middle_halves_the_association():
    truth = rows(*[{1: 0}] * 4)
    told = evaluate_mot(truth, rows({7: 0}, {7: 0}, {8: 0}, {8: 0})).to_dict()
    # Each match: 2 frames together, of 4 frames of the object and 2 of the result.
    assert (told["deta"], told["assa"], told["hota"]) == (1.0, 0.5, math.sqrt(0.5))
    assert (told["idsw"], told["mota"], told["idf1"]) == (1, 0.75, 0.5)


def test_a_gap_is_a_fragment_and_no_switch():
    truth = rows(*[{1: 0, 2: 90}] * 5)
    told = evaluate_mot(truth, rows({1: 0, 2: 90}, {1: 0, 2: 90}, {2: 90}, {1: 0, 2: 90}, {1: 0, 2: 90})).to_dict()
    assert (told["frag"], told["idsw"], told["fn"], told["mt"], told["pt"]) == (1, 0, 1, 1, 1)


def test_detection_counts_at_each_level_of_overlap():
    # Boxes 10 wide, 3 apart: IoU 7 / 13 = 0.538, so 10 of the 19 levels are met.
    told = evaluate_mot(rows({1: 0}), rows({1: 3})).hota
    assert told.deta.tolist() == [1.0] * 10 + [0.0] * 9
    assert told.loca.tolist() == pytest.approx([7 / 13] * 10 + [1.0] * 9)


def test_nothing_found_is_all_missed():
    told = evaluate_mot(rows({1: 0}, {1: 0}), rows()).to_dict()
    assert (told["hota"], told["mota"], told["idf1"], told["fn"], told["ml"]) == (0, 0, 0, 2, 1)
    assert math.isnan(told["motp"])


def test_what_has_no_truth_has_no_accuracy():
    told = evaluate_mot(rows(), rows({1: 0})).to_dict()
    assert math.isnan(told["mota"])
    assert (told["fp"], told["hota"]) == (1, 0)


def test_an_id_twice_in_a_frame_is_refused():
    twice = MotRows(np.array([3, 3]), np.array([4, 4]), np.array([[0, 0, 9, 9], [5, 5, 9, 9]]))
    with pytest.raises(DatasetError, match="the result has id 4 twice in frame 3"):
        evaluate_mot(rows({1: 0}), twice)
