"""Losses against cases worked by hand."""

import math

import pytest
import torch
from torch import tensor

from kinoscope.training.classification.losses import (
    ArcFace,
    Binary,
    CombinedLoss,
    Contrastive,
    CrossEntropy,
    Focal,
    Triplet,
    make_loss,
)
from tests.helpers.tiny_networks import options

NONE = torch.zeros(2, 0)
ONE_EACH = torch.eye(2)
LOGITS = tensor([[math.log(3), 0], [0, 0]])
"""Probabilities 3/4 and 1/4, and one half each."""


def test_cross_entropy():
    assert float(CrossEntropy()(NONE, LOGITS, ONE_EACH)) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    smoothed = 0.9 * math.log(4 / 3) + 0.1 * math.log(4)
    loss = CrossEntropy(0.2)(NONE, LOGITS, ONE_EACH)
    assert float(loss) == pytest.approx((smoothed + math.log(2)) / 2)


def test_focal_leaves_aside_what_is_easy():
    expected = ((1 / 4) ** 2 * math.log(4 / 3) + (1 / 2) ** 2 * math.log(2)) / 2
    assert float(Focal(2)(NONE, LOGITS, ONE_EACH)) == pytest.approx(expected)
    plain = CrossEntropy()(NONE, LOGITS, ONE_EACH)
    assert float(Focal(0)(NONE, LOGITS, ONE_EACH)) == pytest.approx(float(plain))


def test_binary():
    loss = Binary()(NONE, LOGITS, tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert float(loss) == pytest.approx((math.log(4 / 3) + 3 * math.log(2)) / 4)


def on_circle(*degrees):
    angles = torch.deg2rad(tensor(degrees, dtype=torch.float32))
    return torch.stack([angles.cos(), angles.sin()], 1)


PAIRED = torch.eye(2)[[0, 0, 1]]


def test_triplet():
    # Of two clips of a class 60 degrees apart (distance 1), the second is 90 degrees from the other class (sqrt 2),
    # the first 150. The third has no other of its class and does not count.
    embeddings = 5 * on_circle(0, 60, 150)
    far = 2 * math.sin(math.radians(75))
    expected = (max(0, 1 - far + 0.6) + max(0, 1 - math.sqrt(2) + 0.6)) / 2
    assert float(Triplet(0.6)(embeddings, NONE, PAIRED)) == pytest.approx(expected, abs=1e-5)
    assert float(Triplet(0.6)(on_circle(0), NONE, ONE_EACH[:1])) == 0


def test_contrastive():
    # Cosines: 1/2 to the own class; to the other 0 for the second and cos 150 for the first. Temperature 1/2.
    cosine = math.cos(math.radians(150))
    first = -math.log(math.e / (math.e + math.exp(2 * cosine)))
    second = -math.log(math.e / (math.e + 1))
    loss = Contrastive(0.5)(on_circle(0, 60, 150), NONE, PAIRED)
    assert float(loss) == pytest.approx((first + second) / 2, abs=1e-5)
    assert float(Contrastive()(on_circle(0, 90), NONE, ONE_EACH)) == 0


def test_arcface():
    loss = ArcFace(2, 2, margin=math.pi / 6, scale=2)
    loss.directions.data = on_circle(0, 90)
    # 30 degrees from its own direction, which counts as 60; 60 from the other.
    found = loss(on_circle(30), NONE, ONE_EACH[:1])
    assert found.item() == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("loss", [Triplet(), Contrastive(), ArcFace(2, 2)])
def test_gradients_are_numbers_where_embeddings_coincide(loss):
    embeddings = torch.ones(4, 2, requires_grad=True)
    loss(embeddings, NONE, torch.eye(2)[[0, 0, 1, 1]]).backward()
    assert bool(torch.isfinite(embeddings.grad).all())


def test_the_options_name_the_loss():
    kinds = {name: make_loss(options(f"loss={name}"), False, 3, 2) for name in ("triplet", "arcface", "focal", "auto")}
    assert isinstance(kinds["triplet"], CombinedLoss)
    assert isinstance(kinds["triplet"].first, Triplet)
    assert isinstance(kinds["arcface"], CombinedLoss)
    assert isinstance(kinds["arcface"].first, ArcFace)
    assert kinds["arcface"].first.directions.shape == (2, 3)
    assert isinstance(kinds["focal"], Focal)
    assert isinstance(kinds["auto"], CrossEntropy)
    assert isinstance(make_loss(options(), True, 3, 2), Binary)
