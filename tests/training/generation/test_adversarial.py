import math

import pytest
import torch
from torch import nn

from kinoscope.core.errors import TrainingError
from kinoscope.training.generation.adversarial import Balance, DiscriminatorTrainer, advise, stall
from kinoscope.training.generation.losses import HINGE, NON_SATURATING, RELATIVISTIC, gradient_penalty

ZERO = torch.zeros(4, 1)


@pytest.mark.parametrize("game", [NON_SATURATING, RELATIVISTIC, HINGE])
def test_a_guess_costs_the_judge_what_chance_says(game):
    assert float(game.judge(ZERO, ZERO)) == pytest.approx(game.chance, abs=1e-6)


@pytest.mark.parametrize("game", [NON_SATURATING, RELATIVISTIC, HINGE])
def test_each_player_wants_what_the_other_does_not(game):
    real, made = ZERO + 3, ZERO - 3
    assert game.judge(real, made) < game.judge(ZERO, ZERO) < game.judge(made, real)
    assert game.maker(made, real) < game.maker(ZERO, ZERO) < game.maker(real, made)


def test_losses_of_pairs_are_exact():
    real, made = torch.tensor([1.0]), torch.tensor([-1.0])
    assert float(RELATIVISTIC.judge(real, made)) == pytest.approx(math.log1p(math.exp(-2)))
    assert float(NON_SATURATING.judge(real, made)) == pytest.approx(math.log1p(math.exp(-1)))
    assert float(HINGE.judge(real, made)) == 0


def test_the_penalty_is_the_squared_slope():
    seen = torch.randn(3, 2, 2, requires_grad=True)
    assert float(gradient_penalty(3 * seen.sum((1, 2)), seen)) == pytest.approx(9 * 4)


def test_the_penalty_does_not_grow_with_the_patches():
    seen = torch.randn(3, 1, 4, 4, requires_grad=True)
    few, many = (gradient_penalty((3 * seen.sum((1, 2, 3)))[:, None].expand(3, count), seen) for count in (1, 196))
    assert float(few) == pytest.approx(float(many)) == pytest.approx(9 * 16)


def judge_of_numbers(rate=0.05):
    torch.manual_seed(0)
    judge = nn.Linear(1, 1)
    return DiscriminatorTrainer(judge, torch.optim.Adam(judge.parameters(), rate))


def test_a_judge_learns_what_is_real_and_a_maker_learns_from_it():
    match = judge_of_numbers()
    place = nn.Parameter(torch.tensor(-2.0))
    maker = torch.optim.Adam([place], 0.05)
    for _ in range(150):
        real, made = torch.randn(16, 1) * 0.1 + 1, place + torch.randn(16, 1) * 0.1
        match.teach(real, made)
        loss = match.persuade(real, made)
        maker.zero_grad()
        loss.backward()
        maker.step()
    assert float(place.detach()) > 0
    assert match.turn == 150


def test_persuasion_leaves_the_judge_as_it_is():
    match = judge_of_numbers()
    before = [p.clone() for p in match.judge.parameters()]
    made = torch.ones(4, 1, requires_grad=True)
    match.persuade(ZERO, made).backward()
    assert made.grad is not None
    assert all(p.grad is None for p in match.judge.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, match.judge.parameters(), strict=True))


def test_the_penalty_is_lazy():
    match = judge_of_numbers()
    match.lazy = 4
    for _ in range(8):
        match.teach(ZERO + 1, ZERO)
    assert match.balance.counts == {"slope": 2, "judge_loss": 8, "judge_right": 8, "judge_gap": 8}


def test_a_broken_loss_stops_before_the_weights_are_spoilt():
    match = judge_of_numbers()
    with pytest.raises(TrainingError, match="no longer a number at turn 1; lower its lr"):
        match.teach(ZERO, ZERO * math.nan)
    assert torch.isfinite(match.judge.weight).all()


def test_a_balance_gives_means_and_begins_anew():
    balance = Balance()
    balance.note(a=1.0)
    balance.note(a=3.0, b=5.0)
    assert balance.take() == {"a": 2.0, "b": 5.0}
    assert balance.take() == {}


def test_a_stall_is_told_from_a_start_and_from_progress():
    flat, falling = [0.69] * 400, [0.69 - 0.001 * i for i in range(400)]
    assert stall(flat) == 0
    assert stall([0.9] * 50 + flat) == 50
    assert stall(flat[:200]) is None
    assert stall(flat + falling) is None
    assert stall(falling + flat, patience=300) == len(falling)


@pytest.mark.parametrize(
    ("measures", "advice"),
    [
        ({"judge_loss": 0.69, "judge_right": 0.5}, "it cannot tell made from real; lower penalty, or raise judge_lr"),
        ({"judge_loss": 0.02, "judge_right": 1.0}, "is right 100 % of the time"),
        ({"judge_loss": 0.5, "judge_right": 0.8}, None),
        ({"l1": 0.1}, None),
    ],
)
def test_advice_names_what_is_wrong_and_its_cure(measures, advice):
    told = advise(measures)
    assert told is None if advice is None else advice in told
