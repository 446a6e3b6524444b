from typing import cast

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.models import sample
from kinoscope.models.inference import faces
from kinoscope.models.runtime.runner import Runner


def test_the_pyramid_halves_the_area_until_no_cell_fits():
    sizes = [(small.shape[:2], scale) for small, scale in faces.image_pyramid(np.zeros((60, 100, 3), np.uint8), 24)]
    assert [size for size, _ in sizes] == [(30, 50), (21, 35), (15, 25)]
    assert sizes[0][1] == 0.5


def test_corrections_are_parts_of_the_sides():
    moved = faces.apply_regression(np.array([[0.0, 0, 10, 20]]), np.array([[0.1, -0.1, 0.2, 0.0]]))
    assert moved.tolist() == [[1, -2, 12, 20]]


def test_squares_keep_the_centre_and_the_longer_side():
    assert faces.to_squares(np.array([[0.0, 0, 10, 20]])).tolist() == [[-5, 0, 15, 20]]
    assert faces.to_squares(np.zeros((0, 4))).shape == (0, 4)


def test_crops_are_black_outside_the_frame():
    picture = np.full((20, 20, 3), 200, np.uint8)
    cut = faces.crop_squares(picture, np.array([[-10.0, 0, 10, 20], [0, 10, 20, 30], [30, 30, 40, 40]]), 20)
    assert cut.shape == (3, 20, 20, 3)
    assert np.all(cut[0, :, :10] == 0)
    assert np.all(cut[0, :, 10:] == 200)
    assert np.all(cut[1, :10] == 200)
    assert np.all(cut[1, 10:] == 0)
    assert np.all(cut[2] == 0)
    assert faces.crop_squares(picture, np.zeros((0, 4)), 24).shape == (0, 24, 24, 3)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("angle", [0, 25, 180])
def test_an_aligned_face_meets_the_template(scale, angle):
    turn = scale * np.exp(1j * np.deg2rad(angle))
    complex_points = (faces.TEMPLATE - 75) @ [1, 1j] * turn + (300 + 260j)
    points = np.stack([complex_points.real, complex_points.imag], axis=1)
    picture = np.zeros((520, 600, 3), np.uint8)
    for point in points:
        cv2.circle(picture, point.round().astype(int).tolist(), max(2, round(6 * scale)), (255, 255, 255), -1)
    chip = faces.align_face(picture, points)
    _, _, _, centres = cv2.connectedComponentsWithStats((chip[..., 0] > 80).astype(np.uint8))
    distances = np.linalg.norm(centres[1:, None] - faces.TEMPLATE[None], axis=2)
    assert chip.shape == (150, 150, 3)
    assert distances.shape == (5, 5)
    assert distances.min(axis=0).max() < 1.5


@pytest.mark.timeout(20)
def test_five_points_in_one_place_are_no_crash():
    assert faces.align_face(np.zeros((50, 50, 3), np.uint8), np.full((5, 2), 20.0)).shape == (150, 150, 3)
    assert faces.frontality(np.full((5, 2), 20.0)) == 0


def test_a_straight_face_is_more_frontal_than_a_turned_one():
    turned = faces.TEMPLATE.copy()
    turned[2, 0] += 20
    assert faces.frontality(faces.TEMPLATE) == pytest.approx(1)
    assert 0 < faces.frontality(turned) < 0.5


def test_a_blurred_face_is_less_sharp():
    chip = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(chip, (0, 0), 3).astype(np.uint8)
    assert 0 < faces.sharpness(blurred) < faces.sharpness(chip) < 1
    assert faces.sharpness(np.zeros((150, 150, 3), np.uint8)) == 0


class FakeCascade(faces.FaceDetector):
    """The cascade with networks that see a face in a white square."""

    def __init__(self, min_size=24):
        self.min_size, self.min_scores = min_size, (0.7, 0.7, 0.8)
        self.propose_net, self.refine_net = cast(Runner, self._propose), cast(Runner, self._refine)
        self.output_net = cast(Runner, self._output)
        self.looks = 0

    def _propose(self, pictures):
        """See a face in a cell that is white and has a dark rim."""
        light = np.pad(pictures[0, ..., 0] / 255, 2)
        rows, columns = ((length - 12) // 2 + 1 for length in pictures.shape[1:3])
        wide = [[light[y : y + 16, x : x + 16] for x in range(0, 2 * columns, 2)] for y in range(0, 2 * rows, 2)]
        inner = np.array([[cell[2:14, 2:14].mean() for cell in row] for row in wide])
        rim = np.array([[(cell.sum() - cell[2:14, 2:14].sum()) / 112 for cell in row] for row in wide])
        return np.zeros((1, rows, columns, 4), np.float32), (inner - rim)[None].astype(np.float32)

    def _refine(self, crops):
        return np.zeros((len(crops), 4), np.float32), crops.mean((1, 2, 3), dtype=np.float32) / 255

    def _output(self, crops):
        self.looks += len(crops)
        points = np.tile(faces.TEMPLATE.astype(np.float32) / 150, (len(crops), 1, 1))
        return np.zeros((len(crops), 4), np.float32), crops.mean((1, 2, 3), dtype=np.float32) / 255, points


def white(x, y, side):
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[y : y + side, x : x + side] = 255
    return picture


def test_the_cascade_finds_what_all_three_networks_see():
    found = FakeCascade()(white(48, 36, 24), (320, 240))
    assert len(found) == 1
    assert found.boxes[0].tolist() == [96, 72, 144, 120]
    x1, y1, x2, y2 = found.boxes[0]
    assert np.allclose(found.points[0], [x1, y1] + faces.TEMPLATE / 150 * [x2 - x1, y2 - y1])


def test_nothing_is_found_in_the_dark():
    found = FakeCascade()(np.zeros((120, 160, 3), np.uint8), (320, 240))
    assert (found.boxes.shape, found.scores.shape, found.points.shape) == ((0, 4), (0,), (0, 5, 2))


def test_an_expected_face_is_tracked_without_a_search():
    finder = FakeCascade()
    found = finder(white(48, 36, 34), (320, 240), np.array([[100.0, 76, 160, 136], [200, 20, 260, 80]]), search=False)
    assert found.boxes.tolist() == [[100, 76, 160, 136]]
    assert finder.looks == 2
    assert len(finder(white(48, 36, 34), (320, 240), search=False)) == 0


def test_a_frame_smaller_than_a_face_has_none():
    assert len(FakeCascade()(np.full((8, 8, 3), 255, np.uint8), (8, 8))) == 0


@pytest.fixture(scope="module")
def astronaut():
    """The sample image as RGB, a detector and an embedder."""
    try:
        picture = cv2.cvtColor(cv2.imread(str(sample("astronaut.png"))), cv2.COLOR_BGR2RGB)
        return picture, faces.FaceDetector(), faces.FaceEmbedder()
    except WeightsMissing as error:
        pytest.skip(str(error))


@pytest.mark.models
def test_the_astronaut_has_one_face_with_its_points_in_place(astronaut):
    picture, finder, _ = astronaut
    found = finder(picture, (512, 512))
    assert len(found) == 1
    assert found.scores[0] > 0.99
    assert np.abs(found.boxes[0] - [170, 65, 270, 190]).max() < 25
    left_eye, right_eye, nose, left_mouth, right_mouth = found.points[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.models
def test_a_face_is_found_at_half_the_size_and_mirrored_and_stays_the_same_person(astronaut):
    picture, finder, embedder = astronaut
    chips = []
    for version in (picture, cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), picture[:, ::-1]):
        made = np.ascontiguousarray(version)
        found = finder(made, made.shape[1::-1])
        assert len(found) == 1
        chips.append(faces.align_face(made, found.points[0]))
    one, half, mirrored = embedder(np.stack(chips))
    assert np.linalg.norm(one - half) < 0.35
    assert np.linalg.norm(one - mirrored) < 0.4
