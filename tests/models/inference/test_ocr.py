import cv2
import numpy as np
import pytest

from kinoscope.core.errors import WeightsMissing
from kinoscope.models.inference.ocr import LINE_HEIGHT, TextDetector, TextRecognizer, crop_line, ctc_decode, find_lines


def painted(*boxes, likely=0.9, angle=0.0):
    """Draw cores of lines (centre, size) into a map."""
    found = np.zeros((160, 240), np.float32)
    for centre, size in boxes:
        corners = cv2.boxPoints((centre, size, angle)).round().astype(np.int32)
        cv2.fillPoly(found, [corners], likely)
    return found


def test_a_core_is_grown_back_by_its_area_over_its_perimeter():
    ((corners, score),) = find_lines(painted(((120, 80), (100, 20))))
    assert score == pytest.approx(0.9, abs=0.06)
    # 100 x 20 over 240, times 1.6, is 13 on each side.
    reach = 1.6 * 100 * 20 / 240
    assert corners[0] == pytest.approx([70 - reach, 70 - reach], abs=2)
    assert corners[2] == pytest.approx([170 + reach, 90 + reach], abs=2)


def test_lines_apart_are_lines_of_their_own_and_specks_are_none():
    assert len(find_lines(painted(((60, 40), (80, 10)), ((60, 100), (80, 10)), ((200, 20), (1, 1))))) == 2
    assert find_lines(np.zeros((64, 64), np.float32)) == []


@pytest.mark.parametrize("angle", [-30, 0, 20, 44])
def test_corners_run_clockwise_from_the_upper_left(angle):
    ((corners, _),) = find_lines(painted(((120, 80), (100, 16)), angle=angle))
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    assert np.degrees(np.arctan2(right[1], right[0])) == pytest.approx(angle, abs=2)
    assert right[0] * down[1] - right[1] * down[0] > 0


def test_a_line_is_cut_out_level_and_one_that_stands_is_laid_down():
    picture = np.zeros((160, 240, 3), np.uint8)
    cv2.line(picture, (40, 120), (200, 40), (255, 255, 255), 30)
    ((corners, _),) = find_lines((picture[..., 0] > 0).astype(np.float32))
    line = crop_line(picture, corners)
    assert line.shape[0] == LINE_HEIGHT
    assert line.shape[1] > 3 * LINE_HEIGHT
    assert line[LINE_HEIGHT // 2, line.shape[1] // 4 : -line.shape[1] // 4].min() > 200
    standing = np.array([[10, 10], [20, 10], [20, 90], [10, 90]], float)
    assert crop_line(picture, standing).shape[1] > 3 * LINE_HEIGHT


def test_repeats_and_blanks_are_left_out():
    rows = np.eye(4, dtype=np.float32)[[0, 1, 1, 0, 1, 2, 2, 3]] * 0.8
    text, score = ctc_decode(rows, ["", "l", "o", " "])
    assert text == "llo"
    assert score == pytest.approx(0.8)
    assert ctc_decode(np.eye(4, dtype=np.float32)[[0, 0]], ["", "a", "b", " "]) == ("", 0.0)


@pytest.mark.parametrize(
    ("shown", "size"),
    [((1280, 720), (960, 544)), ((1080, 1920), (544, 960)), ((320, 240), (640, 480)), ((8, 8), (32, 32))],
)
def test_input_sizes_are_ones_that_the_network_accepts(shown, size):
    assert TextDetector.input_size(shown, 960) == size


@pytest.mark.models
@pytest.mark.slow
def test_real_characters_are_detected_and_read():
    try:
        finder, reader = TextDetector(), TextRecognizer()
    except WeightsMissing as error:
        pytest.skip(str(error))
    picture = np.full((192, 320, 3), 90, np.uint8)
    cv2.putText(picture, "KX 71 RBT", (60, 110), (255, 255, 255), cv2.FontFace("sans"), 30, 600)
    found = finder(picture, (640, 384))
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes[0]
    assert (x1 < 120, y1 < 176, x2 > 380, y2 > 220) == (True,) * 4
    text, score = reader(crop_line(picture, found.corners[0] / 2))
    assert text.replace(" ", "") == "KX71RBT"
    assert score > 0.8
