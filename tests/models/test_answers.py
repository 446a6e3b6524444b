"""Real images and videos, and what every person sees in them."""

from __future__ import annotations

from itertools import islice

import av
import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.models import Runner, load, sample

pytestmark = pytest.mark.models


@pytest.fixture
def picture():
    """Read a sample image as RGB (H, W, 3)."""

    def read(name: str) -> np.ndarray:
        try:
            return cv2.cvtColor(cv2.imread(str(sample(name))), cv2.COLOR_BGR2RGB)
        except WeightsMissing as error:
            pytest.skip(str(error))

    return read


@pytest.fixture
def model():
    """Load a model, or skip where its weights cannot be had."""

    def get(name: str) -> Runner:
        try:
            return load(name)
        except WeightsMissing as error:
            pytest.skip(str(error))

    return get


def fitted(runner: Runner, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the image as the input of the card, and the factors that map its boxes back."""
    width, height = runner.card.size
    if runner.card.resize == "stretch":
        return cv2.resize(pixels, (width, height))[None], np.array(pixels.shape[1::-1]) / (width, height)
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    small = cv2.resize(pixels, None, fx=scale, fy=scale)
    canvas = np.full((1, height, width, 3), 114, np.uint8)
    canvas[0, : small.shape[0], : small.shape[1]] = small
    return canvas, np.full(2, 1 / scale)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes xyxy."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inner = float(np.prod(np.maximum(sides, 0)))
    return inner / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inner)


@pytest.mark.parametrize(
    ("name", "label", "least"), [("coffee.png", "espresso", 0.9), ("chelsea.png", "Egyptian cat", 0.7)]
)
def test_efficientnet_names_what_fills_the_image(model, picture, name, label, least):
    runner = model("efficientnet-lite0")
    features, logits = runner(cv2.resize(picture(name), (224, 224))[None])
    odds = np.exp(logits[0] - logits[0].max())
    assert runner.card.labels[int(odds.argmax())] == label
    assert odds.max() / odds.sum() > least
    assert (features >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["nanodet", "yolox-nano"])
@pytest.mark.parametrize(
    ("name", "label", "least", "where"),
    [
        ("astronaut.png", "person", 0.7, (0, 0, 370, 512)),
        ("motorcycle_left.png", "motorcycle", 0.75, (115, 75, 705, 455)),
    ],
)
def test_a_detector_finds_the_main_object(model, picture, detector, name, label, least, where):
    runner = model(detector)
    pixels, factors = fitted(runner, picture(name))
    boxes, scores = runner(pixels)
    best = int(scores[0].max(1).argmax())
    assert runner.card.labels[int(scores[0, best].argmax())] == label
    assert scores[0, best].max() > least
    assert overlap(boxes[0, best] * np.tile(factors, 2), np.array(where, float)) > 0.7


FACE = (165, 55, 285, 175)
"""The astronaut's face."""


def test_mtcnn_sees_the_astronauts_face_and_its_points(model, picture):
    pixels = picture("astronaut.png")
    x1, y1, x2, y2 = FACE
    face, wall = cv2.resize(pixels[y1:y2, x1:x2], (48, 48)), cv2.resize(pixels[350:470, 0:120], (48, 48))
    _, probability, points = model("mtcnn-onet")(np.stack([face, wall]))
    assert probability[0] > 0.99
    assert probability[1] < 0.5
    left_eye, right_eye, nose, left_mouth, right_mouth = points[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    small = np.stack([cv2.resize(x, (24, 24)) for x in (face, wall)])
    _, probability = model("mtcnn-rnet")(small)
    assert probability[0] > 0.9 > probability[1]


def test_mtcnn_proposes_the_astronauts_face(model, picture):
    scale = 12 / 120
    pixels = picture("astronaut.png")
    _, probability = model("mtcnn-pnet")(
        cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[None]
    )
    row, column = np.unravel_index(probability[0].argmax(), probability[0].shape)
    square = np.array([column * 2, row * 2, column * 2 + 12, row * 2 + 12]) / scale
    assert probability[0].max() > 0.9
    assert overlap(square, np.array(FACE, float)) > 0.4


def test_dlib_distinguishes_the_astronaut_from_the_cat_but_not_from_her_mirror_image(model, picture):
    x1, y1, x2, y2 = FACE
    face = cv2.resize(picture("astronaut.png")[y1:y2, x1:x2], (150, 150))
    cat = cv2.resize(picture("chelsea.png")[30:230, 120:320], (150, 150))
    brighter = np.clip(face.astype(int) + 20, 0, 255).astype(np.uint8)
    (embedding,) = model("dlib-resnet")(np.stack([face, face[:, ::-1], brighter, cat]))
    distance = np.linalg.norm(embedding - embedding[0], axis=1)
    assert distance[1] < 0.6
    assert distance[2] < 0.6
    assert distance[3] > 0.6


def frames(name: str, size: tuple[int, int], count: int) -> np.ndarray:
    with av.open(str(sample(name))) as video:
        pictures = [frame.reformat(*size, "rgb24").to_ndarray() for frame in islice(video.decode(video=0), count)]
    return np.stack(pictures)


@pytest.mark.slow
def test_transnet_finds_the_cuts_of_a_real_video(model, picture):
    """The bikes are cut after frames 29 and 75; the rest of the hundred moves fast but is not cut."""
    picture("coffee.png")  # the samples can be had
    cut, transition = model("transnetv2")(frames("bikes.mp4", (48, 27), 100)[None])
    assert np.flatnonzero(cut[0] > 0.5).tolist() == [29, 75]
    assert (transition[0, [29, 75]] > 0.5).all()


@pytest.mark.slow
def test_nobody_fights_while_talking(model, picture):
    picture("coffee.png")
    runner = model("mc3-18-fights")
    clip = frames("carphone_pristine.mp4", (171, 128), 64)[::4, 8:120, 29:141]
    _, logits = runner(clip[None])
    assert runner.card.labels[int(logits[0].argmax())] == "no fight"
