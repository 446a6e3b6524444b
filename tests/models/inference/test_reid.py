import cv2
import numpy as np
import pytest

from kinoscope.core.errors import ModelError
from kinoscope.models.inference.reid import AppearanceEmbedder, colour_histogram, decode_jpeg


def person(shirt, trousers, size=(40, 80), seed=0):
    picture = np.random.default_rng(seed).integers(90, 110, (size[1], size[0], 3))
    picture[10:45, 8:32] = shirt
    picture[45:78, 10:30] = trousers
    return picture.astype(np.uint8)


RED, BLUE, GREEN = (200, 30, 30), (30, 40, 190), (30, 170, 50)


def test_colours_distinguish_shirts_and_trousers_and_where_they_are():
    red_blue, again = colour_histogram(person(RED, BLUE)), colour_histogram(person(RED, BLUE, seed=1))
    blue_red, red_green = colour_histogram(person(BLUE, RED)), colour_histogram(person(RED, GREEN))
    near, upside_down, other = (np.linalg.norm(red_blue - one) for one in (again, blue_red, red_green))
    assert near < 0.3 * min(upside_down, other)


def test_colours_do_not_depend_on_the_size():
    small, large = person(RED, BLUE), cv2.resize(person(RED, BLUE), (120, 240), interpolation=cv2.INTER_NEAREST)
    assert np.linalg.norm(colour_histogram(small) - colour_histogram(large)) < 0.4


def test_each_stripe_is_a_histogram():
    described = colour_histogram(person(RED, BLUE)).reshape(6, -1) ** 2
    assert described.sum(axis=1) == pytest.approx(np.ones(6))


def test_a_pixel_wide_image_has_colours_too():
    assert np.isfinite(colour_histogram(np.full((1, 1, 3), 7, np.uint8))).all()


def test_a_jpeg_is_read_as_rgb():
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, :, 0] = 250
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert decode_jpeg(data.tobytes()).mean((0, 1)) == pytest.approx([250, 0, 0], abs=4)


@pytest.fixture(scope="module")
def embedder():
    try:
        return AppearanceEmbedder()
    except ModelError as error:
        pytest.skip(f"the weights cannot be had: {error}")


def test_embeddings_have_length_one_and_the_same_lies_nearer(embedder):
    rows = embedder([person(RED, BLUE), person(RED, BLUE, seed=1), person(GREEN, RED)])
    assert rows.shape == (3, embedder.length)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.linalg.norm(rows[0] - rows[1]) < 0.5 * np.linalg.norm(rows[0] - rows[2])
    assert embedder([]).shape == (0, embedder.length)
