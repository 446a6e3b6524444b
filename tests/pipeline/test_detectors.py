"""Detectors as objects, with networks that know what they find."""

from threading import Thread
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

import kinoscope
from kinoscope.core.detections import Detections
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.models import sample
from kinoscope.models.inference.faces import FaceDetections
from kinoscope.models.inference.ocr import TextLines
from kinoscope.pipeline.detectors import Detector
from kinoscope.source.video_object import Video

CARD = SimpleNamespace(name="squares", task="objects", labels=("square", "disc"))


class SquareDetector:
    """Finds one square of the frame's height at the left, at half the size; and a disc of a low score."""

    shapes: ClassVar[list[tuple[int, ...]]] = []

    def __init__(self, model, device, threads, min_score):
        assert (model, device, threads, min_score) == ("squares", "cpu", 3, 0.05)
        self.runner = SimpleNamespace(runtime="fake")

    def input_size(self, shown):
        return shown[0] // 2, shown[1] // 2

    def __call__(self, frames, shown):
        self.shapes.append(frames.shape)
        boxes = np.array([[0, 0, shown[1], shown[1]], [0, 0, 9, 9]], np.float64)
        found = Detections(boxes, np.array([0.75, 0.125]), np.array([0, 1]), CARD.labels)
        return [found for _ in frames]


@pytest.fixture
def detector(monkeypatch):
    monkeypatch.setattr("kinoscope.pipeline.detectors.find", lambda name: CARD)
    monkeypatch.setattr("kinoscope.models.inference.detector.ObjectDetector", SquareDetector)
    SquareDetector.shapes.clear()
    return Detector("squares", "cpu", 3)


def frame(height, width):
    return np.zeros((height, width, 3), np.uint8)


def test_a_frame_has_detections(detector):
    found = detector(frame(40, 60))
    assert found.boxes.tolist() == [[0, 0, 40, 40]]
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert found.texts == ["square"]
    assert SquareDetector.shapes == [(1, 20, 30, 3)]


@pytest.mark.parametrize("kind", [np.stack, list, iter])
def test_several_frames_of_a_size_are_detected_together(detector, kind):
    found = detector(kind([frame(40, 60)] * 3))
    assert [each.boxes.tolist() for each in found] == [[[0, 0, 40, 40]]] * 3
    assert SquareDetector.shapes == [(3, 20, 30, 3)]


def test_frames_may_differ_in_size(detector):
    found = detector([frame(40, 60), frame(20, 20), frame(20, 20)])
    assert [each.boxes[0, 3] for each in found] == [40, 20, 20]
    assert SquareDetector.shapes == [(1, 20, 30, 3), (2, 10, 10, 3)]


def test_frames_of_a_video_are_taken_as_they_come(detector):
    video = Video.from_frames(np.zeros((2, 40, 60, 3), np.uint8))
    assert [len(detector(each)) for each in video] == [1, 1]
    assert len(detector(video)) == len(detector(video.read())) == 2


def test_the_lowest_score_is_chosen(detector):
    assert detector(frame(40, 60), min_score=0.1).texts == ["square", "disc"]
    assert len(detector(frame(40, 60), min_score=0.8)) == 0
    with pytest.raises(OptionError, match=r"min_score 0\.01 is not possible; give 0.05 to 1"):
        detector(frame(40, 60), min_score=0.01)


def test_what_is_no_frame_is_refused(detector):
    with pytest.raises(SourceError, match="frame 0 of frames is float64; give uint8"):
        detector(np.zeros((40, 60, 3)))


def test_it_says_what_it_is(detector):
    assert (detector.name, detector.labels, detector.runtime) == ("squares", ("square", "disc"), "fake")
    assert repr(detector) == "Detector('squares'; labels: square, disc; fake)"


class TwoFaces:
    output_net = SimpleNamespace(runtime="fake")

    def __init__(self, device, threads):
        pass

    def __call__(self, small, shown):
        assert max(small.shape[:2]) == 960
        boxes = np.array([[0, 0, 9, 9], [1, 1, shown[0], shown[1]]], np.float64)
        return FaceDetections(boxes, np.array([0.8, 0.9]), np.arange(20, dtype=np.float64).reshape(2, 5, 2))


def test_faces_have_landmarks_and_come_best_first(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", TwoFaces)
    detector = Detector("mtcnn-onet")
    found = detector(frame(600, 1200))
    assert found.texts == ["face", "face"]
    assert found.boxes[0].tolist() == [1, 1, 1200, 600]
    assert found.points.shape == (2, 5, 2)
    assert found.points[0, 0].tolist() == [10, 11]
    assert (detector.labels, detector.card.name) == (("face",), "mtcnn-onet")


class OneLine:
    def __init__(self, device, threads):
        pass

    @staticmethod
    def input_size(shown, max_side):
        return 64, 32

    def __call__(self, small, shown):
        assert small.shape == (32, 64, 3)
        return TextLines(np.array([[1.0, 2, 3, 4]]), np.array([0.6]), np.zeros((1, 4, 2)))


def test_lines_of_text_have_corners(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.ocr.TextDetector", OneLine)
    found = Detector("ppocr-v4-det")(frame(40, 60))
    assert found.to_dict() == {"objects": [{"label": "text", "score": 0.6, "box": [1, 2, 3, 4]}]}
    assert found.points.shape == (1, 4, 2)


@pytest.mark.models
def test_a_person_is_found_in_a_photograph():
    found = kinoscope.load_model("nanodet")(Video(sample("astronaut.png")).at(0))
    (person,) = found.of("person")
    np.testing.assert_allclose(person.box, [15, 14, 364, 508], atol=5)


def test_a_few_frames_of_a_long_iterable_are_in_memory_at_a_time(detector, monkeypatch):
    monkeypatch.setattr("kinoscope.pipeline.detectors.MAX_FRAMES", 2)
    assert len(detector(frame(40, 60) for _ in range(5))) == 5
    assert [shape[0] for shape in SquareDetector.shapes] == [2, 2, 1]


def test_calls_from_several_threads_wait_for_one_another(detector):
    free = []

    def is_free(frames):
        other = Thread(target=lambda: free.append(detector._lock.acquire(blocking=False)))
        other.start()
        other.join()
        return []

    detector._detect = is_free
    assert detector([frame(40, 60)]) == []
    assert free == [False]
