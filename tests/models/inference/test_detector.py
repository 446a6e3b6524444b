from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kinoscope.core.arrays import Float32Array
from kinoscope.models.inference.detector import MAX_DETECTIONS, ObjectDetector, select_detections


def proposals(*rows: Any) -> tuple[Float32Array, Float32Array]:
    """Make boxes and scores of rows (box, label, score), with four classes."""
    boxes, scores = np.zeros((len(rows), 4), np.float32), np.zeros((len(rows), 4), np.float32)
    for n, (box, label, score) in enumerate(rows):
        boxes[n], scores[n, label] = box, score
    return boxes, scores


def test_the_best_of_one_class_stays():
    found = select_detections(
        *proposals(((0, 0, 10, 10), 1, 0.6), ((1, 0, 11, 10), 1, 0.9), ((50, 0, 60, 10), 1, 0.3)), 0.1
    )
    assert found.scores == pytest.approx([0.9, 0.3])
    assert found.boxes.tolist() == [[1, 0, 11, 10], [50, 0, 60, 10]]
    assert found.labels.tolist() == [1, 1]


def test_two_classes_may_overlap_until_they_are_the_same_box():
    rider, horse, again = ((0, 0, 10, 10), 0, 0.9), ((0, 3, 10, 13), 1, 0.8), ((0, 0, 10, 10.5), 2, 0.7)
    assert select_detections(*proposals(rider, horse, again), 0.1).labels.tolist() == [0, 1]


def test_doubtful_proposals_are_dropped():
    assert len(select_detections(*proposals(((0, 0, 10, 10), 0, 0.09)), 0.1)) == 0


def test_no_more_than_so_many_objects_are_given():
    rows = [((20 * n, 0, 20 * n + 10, 10), 0, 0.5) for n in range(MAX_DETECTIONS + 20)]
    assert len(select_detections(*proposals(*rows), 0.1)) == MAX_DETECTIONS


class FakeRunner:
    """Finds the brightest square, of class 1; keeps what it was given."""

    runtime = "fake"

    def __init__(self, resize, stride=None):
        self.card = SimpleNamespace(name="fake", size=(416, 416), resize=resize, stride=stride, labels=())

    def __call__(self, pictures):
        self.given = pictures
        rows, columns = np.nonzero(pictures[0].min(axis=2) > 200)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        boxes, scores = proposals((box, 1, 0.8))
        return boxes[None], scores[None]


@pytest.fixture
def detector(monkeypatch):
    def make(*card):
        monkeypatch.setattr("kinoscope.models.inference.detector.load", lambda *_, **__: FakeRunner(*card))
        return ObjectDetector()

    return make


def picture(width, height):
    """A black frame whose second quarter, across and down, is white."""
    made = np.zeros((1, height, width, 3), np.uint8)
    made[:, height // 4 : height // 2, width // 4 : width // 2] = 255
    return made


@pytest.mark.parametrize(
    ("card", "given", "padded"),
    [
        (("stretch",), (416, 416), (416, 416)),
        (("letterbox",), (416, 208), (416, 416)),
        (("letterbox", 32), (416, 208), (416, 224)),
    ],
)
def test_boxes_are_in_pixels_of_the_displayed_frame(detector, card, given, padded):
    made = detector(*card)
    assert made.input_size((1600, 800)) == given
    (found,) = made(picture(*given), (1600, 800))
    assert found.boxes.tolist() == [[400, 200, 800, 400]]
    assert made.runner.given.shape[2:0:-1] == padded
    assert np.all(made.runner.given[0, given[1] :] == 114)


def test_a_small_frame_is_enlarged_and_a_narrow_one_keeps_its_shape(detector):
    made = detector("letterbox")
    assert made.input_size((208, 104)) == (416, 208)
    assert made.input_size((100, 1000)) == (42, 416)
    assert made.input_size((1, 5000)) == (2, 416)


def test_boxes_are_cut_at_the_edges(detector, monkeypatch):
    made = detector("stretch")
    monkeypatch.setattr(
        "kinoscope.models.inference.detector.select_detections",
        lambda *_: select_detections(*proposals(((-9, -9, 500, 90), 0, 0.9)), 0.1),
    )
    (found,) = made(picture(416, 416), (832, 832))
    assert found.boxes.tolist() == [[0, 0, 832, 180]]
