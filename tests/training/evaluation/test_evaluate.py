import json
import math

import numpy as np
import pytest

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.training.evaluation.comparison import compare
from kinoscope.training.evaluation.evaluate import calibrate, evaluate
from kinoscope.training.evaluation.scores import Scores, load_scores
from tests.helpers.predictions import predictions

# Five clips, three classes, of which c has none: two of three a are told right, and one of two b.
LOGITS = np.array([[2, 0, 0], [1, 0, 0], [0, 3, 0], [0, 1, 0], [0, 0, 1]], float)
ACTUAL = [0, 0, 0, 1, 1]


def test_scores_of_a_worked_case():
    scores = evaluate(predictions(LOGITS, ACTUAL), samples=200)
    top1, balanced = scores.measures["top1"], scores.measures["balanced_accuracy"]
    assert list(scores.measures) == ["top1", "balanced_accuracy"]
    assert (top1.value, top1.majority) == (0.6, 0.6)
    assert top1.uniform == pytest.approx(1 / 3)
    assert (balanced.value, balanced.uniform, balanced.majority) == pytest.approx((7 / 12, 1 / 3, 1 / 2))
    assert top1.low < 0.6 < top1.high
    assert scores.confusion == ((2, 1, 0), (0, 1, 1), (0, 0, 0))
    assert [(row.name, row.clips, row.recall, row.precision) for row in scores.by_class] == [
        ("a", 3, pytest.approx(2 / 3), 1),
        ("b", 2, 0.5, 0.5),
        ("c", 0, None, 0),
    ]
    assert [row.average_precision for row in scores.by_class][2] is None
    assert scores.groups == 5
    assert repr(scores) == "Scores('', '', clips=5, top1=0.6, balanced_accuracy=0.5833)"


def test_clips_are_sorted_by_their_loss():
    scores = evaluate(predictions(LOGITS, ACTUAL), samples=10)
    worst = scores.clips[0]
    assert (worst.path, worst.actual, worst.predicted, worst.right) == ("2.mp4", ("a",), ("b",), False)
    assert worst.loss == pytest.approx(math.log(2 + math.exp(3)), abs=1e-4)
    label, probability = worst.top[0]
    assert label == "b"
    assert probability == pytest.approx(math.exp(3) / (2 + math.exp(3)), abs=1e-4)
    losses = [clip.loss for clip in scores.clips]
    assert losses == sorted(losses, reverse=True)


def test_top_five_is_reported_for_more_than_five_classes():
    logits = -np.tile(np.arange(8.0), (4, 1))
    measure = evaluate(predictions(logits, [0, 4, 5, 7]), samples=10).measures["top5"]
    assert (measure.value, measure.uniform, measure.majority) == (0.5, 5 / 8, 1)


def test_whole_groups_are_sampled():
    logits, actual = np.tile([[1.0, 0]], (40, 1)), np.repeat([0, 1, 0, 0], 10)
    alone = evaluate(predictions(logits, actual), samples=300).measures["top1"]
    groups = evaluate(predictions(logits, actual, [f"person {i // 10}" for i in range(40)]), samples=300)
    grouped = groups.measures["top1"]
    assert groups.groups == 4
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    one = evaluate(predictions(logits, actual, ["same"] * 40)).measures["top1"]
    assert (one.value, one.low, one.high) == (0.75, None, None)


def test_what_is_all_right_is_not_certain():
    logits, actual = np.tile([[1.0, 0], [0, 1.0]], (4, 1)), [0, 1] * 4
    two = evaluate(predictions(logits, actual, ["ann", "bob"] * 4), samples=50)
    assert [(m.value, m.low, m.high) for m in two.measures.values()] == [(1, None, None)] * 2
    alone = evaluate(predictions(logits, actual), samples=50)
    assert [m.low for m in alone.measures.values()] == pytest.approx([0.6306, 0.6306], abs=1e-3)  # 0.025 ** (1 / 8)
    assert [row.low for row in alone.by_class] == pytest.approx([0.3976, 0.3976], abs=1e-3)  # 0.025 ** (1 / 4)
    many = evaluate(predictions(np.tile(logits, (5, 1)), actual * 5, [f"{i // 4}" for i in range(40)]), samples=50)
    assert [m.low < 0.025 ** (1 / 10) for m in many.measures.values()] == [True, True]
    assert [m.high for m in many.measures.values()] == [1, 1]


def test_models_that_differ_in_clips_of_one_group_alone_differ_by_chance():
    actual, groups = [0] * 20, [f"{i // 5}" for i in range(20)]
    right = np.arange(20) >= 5
    worse, better = (
        predictions(np.where(one[:, None], [1.0, 0], [0, 1.0]), actual, groups) for one in (right, right | True)
    )
    found = compare(worse, better, samples=100)
    assert (found.p, found.groups) == (1, 4)
    assert found.measures["top1"].low < 0 < found.measures["top1"].high


def test_multi_label_scores_of_a_worked_case():
    # Classes a and b: ranked, a is yes no yes, AP (1 + 2/3) / 2; b is yes yes no, AP 1.
    logits = [[3, 1], [2, 2], [1, -1]]
    scores = evaluate(predictions(logits, [[1, 1], [0, 1], [1, 0]]), samples=50)
    measure = scores.measures["map"]
    assert measure.value == pytest.approx((5 / 6 + 1) / 2)
    assert measure.uniform == pytest.approx(2 / 3)
    assert measure.majority is None
    assert (scores.confusion, scores.multilabel) == ((), True)
    assert [(row.recall, row.precision) for row in scores.by_class] == [(1, pytest.approx(2 / 3)), (1, 1)]
    assert {clip.path: clip.predicted for clip in scores.clips}["0.mp4"] == ("a", "b")
    assert {clip.path: clip.right for clip in scores.clips} == {"0.mp4": True, "1.mp4": False, "2.mp4": True}


def test_the_temperature_calibrates_and_changes_no_answer():
    generator = np.random.default_rng(0)
    actual = generator.integers(0, 3, 600)
    logits = 8 * (np.eye(3)[np.where(generator.random(600) < 0.7, actual, (actual + 1) % 3)])
    found = predictions(logits, actual)
    temperature = calibrate(found)
    assert temperature > 2
    plain, scaled = (evaluate(found, temperature=t, samples=10) for t in (1.0, temperature))
    assert plain.calibration.before == plain.calibration.after == scaled.calibration.before
    assert scaled.calibration.after < 0.05 < scaled.calibration.before
    assert plain.measures == scaled.measures
    assert {(clip.path, clip.predicted) for clip in plain.clips} == {
        (clip.path, clip.predicted) for clip in scaled.clips
    }


def test_few_clips_have_few_bins():
    # Of ten, 6 are right and all are 73 % sure; 30 have three bins, of which one is filled.
    logits, actual = np.tile([[1.0, 0]], (10, 1)), [0] * 6 + [1] * 4
    few = evaluate(predictions(logits, actual), samples=2).calibration
    ((count, confidence, accuracy),) = few.bins_before
    assert (count, accuracy) == (10, 0.6)
    assert confidence == pytest.approx(1 / (1 + math.exp(-1)))
    more = evaluate(predictions(np.tile(logits, (3, 1)), actual * 3), samples=2).calibration
    assert [row[0] for row in more.bins_before] == [0, 0, 30]


def test_calibration_knows_multi_label_data():
    targets = np.tile([[1, 0], [1, 0], [0, 0], [1, 1]], (200, 1))
    # Half of the answers come true, all are said to be 98 % sure: no sharpness but none fits.
    found = predictions(np.full((800, 2), 4.0), targets)
    assert calibrate(found) == pytest.approx(20, rel=1e-3)
    assert evaluate(found, temperature=20, samples=2).calibration.before == pytest.approx(0.482, abs=1e-3)


def test_scores_come_back_from_their_file(tmp_path):
    for found in (
        predictions(LOGITS, ACTUAL, unreadable={"x.mp4": "no picture"}),
        predictions(LOGITS, np.eye(3)[ACTUAL]),
    ):
        scores = evaluate(found, samples=20)
        scores.save(tmp_path / "scores.json")
        assert load_scores(tmp_path / "scores.json") == scores
    assert "NaN" not in (tmp_path / "scores.json").read_text()


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"schema": 99}', '{"schema": 1, "classes": 3}'])
def test_what_are_no_scores_is_reported_in_one_line(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(OptionError, match="kinoscope evaluate") as told:
        load_scores(tmp_path / "scores.json")
    assert "\n" not in str(told.value)


def test_scores_from_a_newer_version_are_refused():
    plain = json.loads(json.dumps(evaluate(predictions(LOGITS, ACTUAL), samples=2).to_dict()))
    with pytest.raises(OptionError, match="schema 2 is newer than 1"):
        Scores.from_dict(plain | {"schema": 2})


def test_nothing_to_score_names_the_first_clip_that_is_unreadable():
    none = predictions(np.zeros((0, 2)), np.zeros(0, int), unreadable={"a.mp4": "it is no video"})
    with pytest.raises(DatasetError, match=r"none of the 1 clips can be read, as a\.mp4: it is no video"):
        evaluate(none)


def test_a_comparison_of_a_worked_case():
    # The second is right where the first is, and in one clip more; of ten clips 7 and 8.
    actual = [0] * 5 + [1] * 5
    right = np.array([1, 1, 1, 1, 0, 1, 1, 1, 0, 0], bool)
    better = right | (np.arange(10) == 4)

    def told(right):
        return predictions(np.where((right == (np.array(actual) == 0))[:, None], [1.0, 0], [0, 1.0]), actual)

    found = compare(told(right), told(better), ("old", "new"), samples=300)
    top1 = found.measures["top1"]
    assert (top1.first, top1.second) == (0.7, 0.8)
    assert top1.difference == pytest.approx(0.1)
    # One clip of ten says little of which is better, as McNemar's test does too.
    assert -0.3 < top1.low < 0
    assert (0.1 < top1.high < 0.5, found.clips) == (True, 10)
    assert (found.only_first, found.only_second, found.p) == ((), ("4.mp4",), 1)
    assert found.measures["balanced_accuracy"].difference == pytest.approx(0.1)
    same = compare(told(right), told(right), samples=10).measures["top1"]
    assert same.difference == 0
    assert same.low == pytest.approx(-same.high)
    assert 0 < same.high < 0.2


def test_a_comparison_takes_the_clips_that_both_have_classified():
    both = predictions(LOGITS, ACTUAL)
    backwards = predictions(LOGITS[::-1], ACTUAL[::-1])
    object.__setattr__(backwards, "paths", both.paths[::-1])
    assert compare(both, backwards, samples=5).p == 1
    fewer = predictions(LOGITS[:3], ACTUAL[:3])
    assert compare(both, fewer, samples=5).clips == 3
    others = predictions(LOGITS, ACTUAL)
    object.__setattr__(others, "paths", ("x",) * 5)
    with pytest.raises(DatasetError, match="no clip in common"):
        compare(both, others)
    with pytest.raises(DatasetError, match="only one of them is multi-label"):
        compare(both, predictions(LOGITS, np.eye(3)[ACTUAL]))


def test_multi_label_models_are_compared_by_their_map():
    targets = [[1, 0], [0, 1], [1, 1], [0, 1]]
    found = compare(predictions(np.eye(4)[:, :2], targets), predictions(np.array(targets) * 2.0, targets), samples=20)
    assert (found.measures["map"].second, found.p) == (1, None)
