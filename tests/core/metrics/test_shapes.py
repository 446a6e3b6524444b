import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.metrics.shapes import COLOURS, MOTIONS, SHAPES, evaluate_moving_shapes, is_smooth, read_moving_shape
from kinoscope.source.synthetic.moving_shapes import draw_moving


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 64])
def test_what_was_drawn_is_read_back(size):
    drawn = [draw_moving(seed, 16, 25, size) for seed in range(60)]
    for pixels, truth in drawn:
        reading = read_moving_shape(pixels)
        assert (reading.shape, reading.colour, reading.steady) == (truth.shape, truth.colour, True)
        assert np.abs(reading.centres * size - truth.centres).max() < 0.3
        assert is_smooth(reading.centres, 25)
        assert np.abs(np.sqrt(reading.areas / np.pi) * size - truth.radius).max() < 0.25 * truth.radius
    assert {truth.shape for _, truth in drawn} == {*SHAPES}
    assert {truth.colour for _, truth in drawn} == {*COLOURS}
    assert {truth.motion for _, truth in drawn} == {*MOTIONS}


def test_a_little_noise_and_blur_change_nothing():
    random = np.random.default_rng(0)
    right = 0
    for seed in range(40):
        pixels, truth = draw_moving(seed, 8, 25, 32)
        soft = (pixels.astype(float) + np.roll(pixels, 1, 1) + np.roll(pixels, 1, 2)) / 3
        noisy = (soft + random.normal(0, 4, soft.shape)).clip(0, 255).astype(np.uint8)
        reading = read_moving_shape(noisy)
        right += (reading.shape, reading.colour) == (truth.shape, truth.colour)
    assert right >= 36


def test_defects_are_detected():
    pixels, _ = draw_moving(1, 16, 25, 32, shape="disc", colour="red", motion="circle")
    other, _ = draw_moving(1, 16, 25, 32, shape="square", colour="red", motion="circle")
    green, _ = draw_moving(1, 16, 25, 32, shape="disc", colour="green", motion="circle")
    morphed, recoloured = pixels.copy(), pixels.copy()
    morphed[8:], recoloured[8:] = other[8:], green[8:]
    assert not read_moving_shape(morphed).steady
    assert not read_moving_shape(recoloured).steady
    shuffled = pixels[np.random.default_rng(0).permutation(16)]
    assert read_moving_shape(shuffled).steady
    assert not is_smooth(read_moving_shape(shuffled).centres, 25)
    assert not is_smooth(read_moving_shape(np.repeat(pixels[:1], 16, 0)).centres, 25)
    empty = read_moving_shape(np.full_like(pixels, 40))
    assert not empty.steady
    assert not is_smooth(empty.centres, 25)


def test_shares_and_modes():
    pixels, truth = draw_moving(3, 16, 25, 32)
    good, still = read_moving_shape(pixels), read_moving_shape(np.repeat(pixels[:1], 16, 0))
    found = evaluate_moving_shapes([good, still], 25, [truth.shape, "none"])
    assert found == {"steady": 1.0, "smooth": 0.5, "both": 0.5, "modes": 1 / 18, "intended": 0.5}
    many = [read_moving_shape(draw_moving(seed, 6, 25, 32)[0]) for seed in range(120)]
    assert evaluate_moving_shapes(many, 25)["modes"] == 1.0


def test_the_same_seed_draws_the_same_and_names_can_be_chosen():
    first, again = draw_moving(5), draw_moving(5)
    assert np.array_equal(first[0], again[0])
    assert draw_moving(5, shape="disc", colour="cyan", motion="swing")[1].motion == "swing"
    with pytest.raises(OptionError, match="no shape 'star'"):
        draw_moving(0, shape="star")
