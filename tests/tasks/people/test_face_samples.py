import cv2
import numpy as np
import pytest

from kinoscope.models.inference.faces import TEMPLATE, FaceEmbedder
from kinoscope.tasks.people.face_samples import MAX_SAMPLES, FaceSamples, face_size, max_distance, mean_embedding

SHARP = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)


def offer(looks, time, score=1.0, points=TEMPLATE + 50, picture=SHARP):
    looks.offer(time, points, score, picture, f"picture at {time}".encode)


class FakeEmbedder(FaceEmbedder):
    def __init__(self):
        pass  # no model

    def __call__(self, chips):
        assert chips.shape[1:] == (150, 150, 3)
        return np.repeat(np.arange(len(chips), dtype=np.float32)[:, None], 128, axis=1)


def times(looks):
    return [look.time for look in looks.best.moments]


def test_the_best_samples_are_kept_best_first():
    looks = FaceSamples()
    for time, score in enumerate([0.5, 0.9, 0.7, 0.6, 0.8, 0.4]):
        offer(looks, 2.0 * time, score)
    assert times(looks) == [2, 8, 4, 6]
    assert len(looks.best.moments) == MAX_SAMPLES
    assert looks.best.moments[0].image == b"picture at 2.0"


def test_a_turned_or_blurred_or_small_face_is_a_worse_sample():
    turned = TEMPLATE + 50
    turned[2, 0] += 15
    looks = FaceSamples()
    offer(looks, 0.0)
    offer(looks, 2.0, points=turned)
    offer(looks, 4.0, picture=cv2.GaussianBlur(SHARP, (0, 0), 2))
    offer(looks, 6.0, points=TEMPLATE / 3 + 50)
    assert looks.best.moments[0].time == 0.0
    assert all(look.quality < looks.best.moments[0].quality for look in looks.best.moments[1:])


def test_a_face_in_profile_yields_no_sample():
    side = TEMPLATE + 50
    side[2, 0] += 60
    looks = FaceSamples()
    offer(looks, 0.0, points=side)
    assert looks.best.moments == []
    looks.embed(FakeEmbedder())


def test_embedding_lets_go_of_the_pixels():
    looks = FaceSamples()
    offer(looks, 0.0, 0.9)
    offer(looks, 2.0, 0.5)
    looks.embed(FakeEmbedder())
    assert [look.embedding[0] for look in looks.best.moments] == [0, 1]
    assert all(look.chip.size == 0 for look in looks.best.moments)
    first, second = looks.best.moments
    assert mean_embedding(looks.best.moments) == pytest.approx(
        np.full(128, second.quality / (first.quality + second.quality))
    )
    assert looks.best.within(1.0, 3.0) == [second]


def test_size_stops_at_the_template():
    assert face_size(TEMPLATE) == face_size(3 * TEMPLATE) == 1
    assert face_size(TEMPLATE / 2) == pytest.approx(0.5)


def test_how_far_samples_are_apart():
    looks = FaceSamples()
    assert max_distance(looks.best.moments) == 0
    for time in (0, 2, 4):
        offer(looks, time)
    looks.embed(FakeEmbedder())
    assert max_distance(looks.best.moments) == pytest.approx(2 * np.sqrt(128))
    assert max_distance(looks.best.moments[:1]) == 0
