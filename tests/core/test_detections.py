import numpy as np
import pytest

import kinoscope
from kinoscope.core.detections import Detection, Detections
from kinoscope.core.errors import OptionError


@pytest.fixture
def detections():
    boxes = np.array([[1, 2, 30.06, 40], [5, 6, 70, 80], [0, 0, 9, 9]], np.float32)
    scores = np.array([0.9, 0.5, 0.25], np.float32)
    points = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    return Detections(boxes, scores, np.array([0, 2, 0]), ("person", "car", "dog"), points)


def test_it_is_public():
    assert kinoscope.Detections is Detections


def test_iteration_yields_each_object(detections):
    assert len(detections) == 3
    assert list(detections)[1] == Detection((5, 6, 70, 80), 0.5, "dog")
    assert detections[2] == detections[-1] == Detection((0, 0, 9, 9), 0.25, "person")
    box, score, label = detections[1]
    assert (box, score, label) == ((5, 6, 70, 80), 0.5, "dog")
    with pytest.raises(IndexError):
        detections[3]


@pytest.mark.parametrize("rows", [slice(0, 2), np.array([True, True, False]), np.array([0, 1])])
def test_a_mask_a_slice_and_indices_select(detections, rows):
    selected = detections[rows]
    assert selected.texts == ["person", "dog"]
    assert selected.names == detections.names
    np.testing.assert_array_equal(selected.boxes, detections.boxes[:2])
    np.testing.assert_array_equal(selected.points, detections.points[:2])
    assert selected.boxes.dtype == selected.scores.dtype == np.float32


def test_classes_are_selected_by_name(detections):
    assert detections.of("person").scores.tolist() == [np.float32(0.9), 0.25]
    assert len(detections.of("dog", "person")) == 3
    assert len(detections.of("car")) == 0
    with pytest.raises(OptionError, match="there is no label 'persn'; did you mean person\\?"):
        detections.of("persn")


def test_plain_types_are_rounded(detections):
    assert detections[:1].to_dict() == {"objects": [{"label": "person", "score": 0.9, "box": [1, 2, 30.1, 40]}]}


def test_classes_without_names_are_numbers():
    detections = Detections(np.zeros((1, 4)), np.ones(1), np.array([7]))
    assert detections.texts == ["7"]


def test_the_repr_lists_the_best(detections):
    assert repr(detections) == "Detections(3: person 0.90, dog 0.50, person 0.25)"
    assert repr(detections[[0, 0, 0, 0, 0, 0, 0]]).endswith("person 0.90 and 2 more)")
    assert repr(detections[:0]) == "Detections(0)"
