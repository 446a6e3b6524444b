import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import OptionError
from kinoscope.imaging.augment import (
    Augment,
    ClipMix,
    ClipTransform,
    apply_colour_matrix,
    resize_clip,
    sample_mix,
    sample_transform,
    scaling,
    transform_boxes,
    translation,
    warp,
)

SAME = np.eye(3, 4)
seeds = st.integers(0, 2**32 - 1)


def noise(frames=2, height=24, width=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)


def mirror(width):
    return (translation(width / 2, 0) @ scaling(-1, 1) @ translation(-width / 2, 0))[:2]


def sampled(augment, source=(32, 24), size=(32, 24), seed=0):
    return sample_transform(augment, source, size, np.random.default_rng(seed))


@given(seeds, st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30)
def test_a_flip_twice_is_the_identity(seed, width, height):
    pixels = noise(1, height, width, seed)
    once = warp(pixels, mirror(width), (width, height))
    assert np.array_equal(once, pixels[:, :, ::-1])
    assert np.array_equal(warp(once, mirror(width), (width, height)), pixels)


def find(pixels, position):
    """Return the (x, y) of all pixels of the bright thing at a place: its mirror images at the edges are others."""
    _, labels = cv2.connectedComponents((pixels[..., 0] > 127).astype(np.uint8))
    x, y = int(position[0]), int(position[1])
    assert labels[y, x] > 0
    return np.argwhere(labels == labels[y, x])[:, ::-1]


@given(seeds, st.sampled_from([0, 30]))
@settings(max_examples=80)
def test_a_box_follows_its_object(seed, rotate):
    generator = np.random.default_rng(seed)
    width, height = generator.integers(60, 200, 2).tolist()
    x1, y1 = (generator.uniform(0.2, 0.5, 2) * (width, height)).astype(int).tolist()
    x2, y2 = x1 + width // 4, y1 + height // 4
    pixels = np.zeros((1, height, width, 3), np.uint8)
    pixels[:, y1:y2, x1:x2] = 255
    augment = Augment.off(crop=0.4, aspect=1.5, rotate=rotate, scale=1.2, flip=0.5)
    look = sample_transform(augment, (width, height), (96, 80), generator)
    box = look.boxes(np.array([[x1, y1, x2, y2]]))[0]
    assume(box[0] > 0 and box[1] > 0 and box[2] < 96 and box[3] < 80)
    centre = look.points(np.array([[(x1 + x2) / 2, (y1 + y2) / 2]]))[0]
    found = find(look(pixels)[0], centre)
    assert np.abs(found.mean(0) + 0.5 - centre).max() <= 0.5
    edges = np.array([*found.min(0), *(found.max(0) + 1)])
    beyond = np.array([*(box[:2] - edges[:2]), *(edges[2:] - box[2:])])
    assert beyond.max() <= 1
    # A corner that points outwards is finer than a pixel, so the box of a turned thing may reach further than is seen.
    assert beyond.min() >= (-3 if rotate else -1)


def test_points_go_where_the_boxes_go():
    look = sampled(Augment.off(crop=0.5, rotate=20, flip=1))
    corners = np.array([[3.0, 4], [9, 4], [3, 8], [9, 8]])
    carried = look.points(corners)
    box = transform_boxes(np.array([[3, 4, 9, 8]]), look.matrix, (10_000, 10_000))[0]
    assert np.allclose(np.maximum([*carried.min(0), *carried.max(0)], 0), box)


def test_a_box_outside_the_frame_has_no_area():
    assert transform_boxes(np.array([[0, 0, 4, 4]]), translation(100, 0)[:2], (32, 24)).tolist() == [[32, 0, 32, 4]]


def test_nothing_is_done_when_all_is_off():
    look = sampled(Augment.off())
    pixels = noise()
    assert np.array_equal(look(pixels), pixels)
    assert look.hole is None
    assert np.allclose(look.colour, SAME)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("crop", 0.5), ("aspect", 1.5), ("rotate", 20), ("scale", 1.5), ("flip", 1), ("brightness", 1), ("contrast", 1),
     ("saturation", 1), ("hue", 90), ("gray", 1), ("blur", 3), ("noise", 30), ("erase", 1)],
)  # fmt: skip
def test_each_transform_changes_the_frame_by_itself(kind, value):
    pixels = noise()
    changed = [sampled(Augment.off(**{kind: value}), seed=seed)(pixels) for seed in range(4)]
    assert any(not np.array_equal(one, pixels) for one in changed)


def test_all_frames_of_a_clip_are_treated_alike():
    still = np.repeat(noise(1), 4, axis=0)
    out = sampled(Augment(erase=1, blur=2))(still)
    assert all(np.array_equal(out[0], picture) for picture in out)


def test_noise_differs_from_frame_to_frame():
    still = np.full((4, 24, 32, 3), 128, np.uint8)
    out = sampled(Augment.off(noise=20), seed=3)(still).astype(int)
    assert len({picture.tobytes() for picture in out}) > 1
    assert abs(out.mean() - 128) < 3


def test_same_seed_same_clip():
    augment = Augment(noise=10, blur=1, erase=0.5, scale=1.1)
    assert np.array_equal(sampled(augment, seed=5)(noise()), sampled(augment, seed=5)(noise()))


def test_switching_one_kind_off_leaves_the_others_as_they_were():
    assert np.array_equal(sampled(Augment(), seed=7).matrix, sampled(Augment(hue=0, gray=0, erase=1), seed=7).matrix)


@given(seeds, st.floats(0.05, 1), st.floats(1, 3))
@settings(max_examples=60)
def test_a_crop_lies_in_the_frame(seed, crop, aspect):
    look = sampled(Augment.off(crop=crop, aspect=aspect), (64, 48), (16, 16), seed)
    inverse = np.linalg.inv(np.vstack([look.matrix, [0, 0, 1]]))
    (x1, y1), (x2, y2) = (np.array([[0, 0], [16, 16]]) @ inverse[:2, :2].T + inverse[:2, 2]).tolist()
    assert -1e-9 <= x1 < x2 <= 64 + 1e-9
    assert -1e-9 <= y1 < y2 <= 48 + 1e-9
    assert (x2 - x1) * (y2 - y1) <= 64 * 48 + 1e-6


def test_the_middle_and_the_corners():
    def crop(position, seed):
        inverse = np.linalg.inv(
            np.vstack([sampled(Augment.off(crop=0.25, crop_position=position), seed=seed).matrix, [0, 0, 1]])
        )
        (x1, y1), (x2, y2) = (np.array([[0, 0], [32, 24]]) @ inverse[:2, :2].T + inverse[:2, 2]).round(6).tolist()
        return x1, y1, x2, y2

    for seed in range(5):
        x1, y1, x2, y2 = crop("centre", seed)
        assert (x1 + x2, y1 + y2) == pytest.approx((32, 24))
        x1, y1, x2, y2 = crop("corners", seed)
        assert x1 == 0 or x2 == 32
        assert y1 == 0 or y2 == 24


def test_a_colour_matrix_by_hand():
    swap = np.array([[0, 0, 1, 0], [0, 2, 0, 0], [1, 0, 0, -10.0]])
    assert apply_colour_matrix(np.array([[[[5, 200, 30]]]], np.uint8), swap).tolist() == [[[[30, 255, 0]]]]


def test_gray_has_no_colour_and_keeps_its_brightness():
    out = sampled(Augment.off(gray=1))(np.full((1, 4, 4, 3), (200, 100, 50), np.uint8))
    assert set(out.ravel().tolist()) == {round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)}


def test_hue_leaves_grey_alone():
    grey = np.full((1, 4, 4, 3), 90, np.uint8)
    assert np.abs(sampled(Augment.off(hue=180), (4, 4), (4, 4), 3)(grey).astype(int) - 90).max() <= 1


def test_stretching_takes_the_mean_of_what_a_pixel_covers():
    pixels = noise(2, 8, 12)
    means = pixels.reshape(2, 4, 2, 6, 2, 3).mean((2, 4))
    assert np.abs(resize_clip(pixels, (6, 4)) - means).max() <= 0.5
    assert resize_clip(pixels, (12, 8)) is pixels
    assert resize_clip(pixels, (24, 4)).shape == (2, 4, 24, 3)


def test_mixup_blends_frames_and_targets():
    ours, other = np.full((2, 4, 4, 3), 200, np.uint8), np.full((2, 4, 4, 3), 100, np.uint8)
    mix = ClipMix(0.25)
    assert set(mix(ours, other).ravel().tolist()) == {125}
    assert mix.targets(np.array([1, 0], np.float32), np.array([0, 1], np.float32)).tolist() == [0.25, 0.75]


@given(seeds)
@settings(max_examples=30)
def test_cutmix_shares_are_those_of_the_area(seed):
    mix = sample_mix(Augment.off(cutmix=1.0), (20, 10), np.random.default_rng(seed))
    out = mix(np.zeros((3, 10, 20, 3), np.uint8), np.full((3, 10, 20, 3), 255, np.uint8))
    assert (out == 0).mean() == pytest.approx(mix.share)
    assert np.array_equal(out[0], out[2])


def test_mixup_and_cutmix_both_occur():
    augment = Augment.off(mixup=1.0, cutmix=1.0)
    kinds = {sample_mix(augment, (8, 8), np.random.default_rng(seed)).patch is None for seed in range(20)}
    assert kinds == {True, False}
    assert augment.mixes
    assert not Augment().mixes


@pytest.mark.parametrize(
    ("options", "message"),
    [({"crop": 0}, r"crop=0 is not possible; give 0.01 to 1"),
     ({"flip": 1.5}, r"flip=1.5 is not possible; give 0 to 1"),
     ({"stride": float("nan")}, r"stride=nan is not possible; give 1 to 2"),
     ({"crop_position": "left"}, r"crop_position=left is unknown; choose random, centre or corners")],
)  # fmt: skip
def test_impossible_values(options, message):
    with pytest.raises(OptionError, match=message):
        Augment(**options)


def test_a_transform_can_be_constructed_directly():
    look = ClipTransform((2, 2), np.eye(2, 3), SAME, hole=(0, 0, 1, 2), paint=(1, 2, 3))
    assert look(np.zeros((1, 2, 2, 3), np.uint8))[0].tolist() == [[[1, 2, 3], [0, 0, 0]]] * 2
