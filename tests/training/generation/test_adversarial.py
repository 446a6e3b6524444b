import math

import pytest
import torch
from torch import nn

from kinoscope.core.errors import TrainingError
from kinoscope.training.generation.adversarial import DiscriminatorTrainer, MeanMetrics, diagnose_balance, find_stall
from kinoscope.training.generation.losses import HINGE, NON_SATURATING, RELATIVISTIC, gradient_penalty

ZERO = torch.zeros(4, 1)


@pytest.mark.parametrize("gan_loss", [NON_SATURATING, RELATIVISTIC, HINGE])
def test_a_guess_costs_the_discriminator_the_chance_loss(gan_loss):
    assert float(gan_loss.discriminator(ZERO, ZERO)) == pytest.approx(gan_loss.chance, abs=1e-6)


@pytest.mark.parametrize("gan_loss", [NON_SATURATING, RELATIVISTIC, HINGE])
def test_each_player_wants_what_the_other_does_not(gan_loss):
    real, fake = ZERO + 3, ZERO - 3
    assert gan_loss.discriminator(real, fake) < gan_loss.discriminator(ZERO, ZERO) < gan_loss.discriminator(fake, real)
    assert gan_loss.generator(fake, real) < gan_loss.generator(ZERO, ZERO) < gan_loss.generator(real, fake)


def test_losses_of_pairs_are_exact():
    real, fake = torch.tensor([1.0]), torch.tensor([-1.0])
    assert float(RELATIVISTIC.discriminator(real, fake)) == pytest.approx(math.log1p(math.exp(-2)))
    assert float(NON_SATURATING.discriminator(real, fake)) == pytest.approx(math.log1p(math.exp(-1)))
    assert float(HINGE.discriminator(real, fake)) == 0


def test_the_penalty_is_the_squared_slope():
    seen = torch.randn(3, 2, 2, requires_grad=True)
    assert float(gradient_penalty(3 * seen.sum((1, 2)), seen)) == pytest.approx(9 * 4)


def test_the_penalty_does_not_grow_with_the_patches():
    seen = torch.randn(3, 1, 4, 4, requires_grad=True)
    few, many = (gradient_penalty((3 * seen.sum((1, 2, 3)))[:, None].expand(3, count), seen) for count in (1, 196))
    assert float(few) == pytest.approx(float(many)) == pytest.approx(9 * 16)


def number_trainer(rate=0.05):
    torch.manual_seed(0)
    discriminator = nn.Linear(1, 1)
    return DiscriminatorTrainer(discriminator, torch.optim.Adam(discriminator.parameters(), rate))


def test_a_discriminator_learns_what_is_real_and_a_generator_learns_from_it():
    trainer = number_trainer()
    place = nn.Parameter(torch.tensor(-2.0))
    maker = torch.optim.Adam([place], 0.05)
    for _ in range(150):
        real, fake = torch.randn(16, 1) * 0.1 + 1, place + torch.randn(16, 1) * 0.1
        trainer.discriminator_step(real, fake)
        loss = trainer.generator_loss(real, fake)
        maker.zero_grad()
        loss.backward()
        maker.step()
    assert float(place.detach()) > 0
    assert trainer.steps == 150


def test_a_generator_loss_leaves_the_discriminator_as_it_is():
    trainer = number_trainer()
    before = [p.clone() for p in trainer.discriminator.parameters()]
    fake = torch.ones(4, 1, requires_grad=True)
    trainer.generator_loss(ZERO, fake).backward()
    assert fake.grad is not None
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.discriminator.parameters(), strict=True))


def test_the_penalty_is_lazy():
    trainer = number_trainer()
    trainer.r1_interval = 4
    for _ in range(8):
        trainer.discriminator_step(ZERO + 1, ZERO)
    assert trainer.metrics.counts == {"gradient_penalty": 2, "disc_loss": 8, "disc_accuracy": 8, "disc_gap": 8}


def test_a_loss_that_is_no_number_stops_before_the_weights_are_spoilt():
    trainer = number_trainer()
    with pytest.raises(TrainingError, match="no longer finite in step 1; lower disc_lr"):
        trainer.discriminator_step(ZERO, ZERO * math.nan)
    assert torch.isfinite(trainer.discriminator.weight).all()


def test_a_balance_returns_means_and_is_reset():
    metrics = MeanMetrics()
    metrics.add(a=1.0)
    metrics.add(a=3.0, b=5.0)
    assert metrics.take_means() == {"a": 2.0, "b": 5.0}
    assert metrics.take_means() == {}


def test_a_stall_is_distinguished_from_a_start_and_from_progress():
    flat, falling = [0.69] * 400, [0.69 - 0.001 * i for i in range(400)]
    assert find_stall(flat) == 0
    assert find_stall([0.9] * 50 + flat) == 50
    assert find_stall(flat[:200]) is None
    assert find_stall(flat + falling) is None
    assert find_stall(falling + flat, patience=300) == len(falling)


@pytest.mark.parametrize(
    ("measures", "advice"),
    [
        (
            {"disc_loss": 0.69, "disc_accuracy": 0.5},
            "cannot distinguish generated from real; lower r1_weight, or raise disc_lr",
        ),
        ({"disc_loss": 0.02, "disc_accuracy": 1.0}, "accuracy is 100 %"),
        ({"disc_loss": 0.5, "disc_accuracy": 0.8}, None),
        ({"l1": 0.1}, None),
    ],
)
def test_advice_names_what_is_wrong_and_its_fix(measures, advice):
    diagnosis = diagnose_balance(measures)
    assert diagnosis is None if advice is None else advice in diagnosis
