import math
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kinoscope.training.optim import (
    ExponentialMovingAverage,
    freeze,
    frozen_stages,
    learning_rate_factor,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
    set_training,
)
from tests.helpers.tiny_networks import Tiny, options


def test_stages_are_freed_from_the_top():
    stages = [nn.Linear(1, 1) for _ in range(4)]
    net = SimpleNamespace(trunk=lambda: stages)
    counts = {share: len(frozen_stages(net, share)) for share in (0, 0.1, 0.25, 0.5, 1)}
    assert counts == {0: 4, 0.1: 3, 0.25: 3, 0.5: 2, 1: 0}
    assert frozen_stages(net, 0.5) == stages[:2]


def norm(net: Tiny, stage: int) -> nn.Module:
    return cast(nn.Sequential, net.maps[stage])[1]


def test_frozen_norms_stay_in_evaluation_mode():
    net = Tiny(2, dropout=0.5)
    frozen = freeze(net, 0.5, freeze_norms=True)
    set_training(net, frozen)
    assert not net.maps[0].training
    assert not norm(net, 0).training
    assert net.maps[1].training
    assert not norm(net, 1).training
    assert net.dropout.training
    learned = {name for name, one in net.named_parameters() if one.requires_grad}
    assert learned == {"maps.1.0.weight", "maps.1.0.bias", "head.weight", "head.bias"}


def test_groups_of_parameters():
    net = Tiny(2)
    groups = parameter_groups(net, nn.Linear(1, 1), options("trunk_lr=0.1", "weight_decay=0.5"))
    sizes = {(group["share"], group["weight_decay"]): len(group["params"]) for group in groups}
    # Of each stage a kernel; its bias, and both vectors of its norm. Of head and loss a matrix and a bias each.
    assert sizes == {(0.1, 0.5): 2, (0.1, 0.0): 6, (1.0, 0.5): 2, (1.0, 0.0): 2}


def test_rates_of_groups():
    chosen = options("trunk_lr=0.1", "lr=0.5", "schedule=constant", "warmup=0")
    optimizer = make_optimizer(parameter_groups(Tiny(2), nn.Identity(), chosen), chosen)
    assert set_learning_rate(optimizer, chosen, 3, 10) == 0.5
    assert sorted(group["lr"] for group in optimizer.param_groups) == [0.05, 0.05, 0.5, 0.5]
    assert isinstance(make_optimizer([{"params": [torch.zeros(1)]}], options("optimizer=sgd")), torch.optim.SGD)


def test_schedules():
    assert [learning_rate_factor("constant", step, 10, 0.3) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert [round(learning_rate_factor("cosine", step, 4, 0), 4) for step in range(4)] == [1, 0.8536, 0.5, 0.1464]
    cycle = [learning_rate_factor("one-cycle", step, 10, 0) for step in range(10)]
    assert cycle[3] == 1
    assert cycle[1] == pytest.approx(0.5)
    assert cycle[9] == pytest.approx((1 + math.cos(math.pi * 6 / 7)) / 2)


@given(st.sampled_from(("constant", "cosine", "one-cycle")), st.integers(1, 300), st.floats(0, 0.9))
def test_a_schedule_rises_then_falls(schedule, steps, warmup):
    rates = [learning_rate_factor(schedule, step, steps, warmup) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_the_average_forgets_its_start():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data[:] = 0
    average = ExponentialMovingAverage(0.5)
    average.start(net)
    net.weight.data[:] = 1
    average.update(net)
    # The first decay is 1/10, the second 2/11.
    assert float(average.tensors["weight"]) == pytest.approx(0.9)
    average.update(net)
    assert float(average.tensors["weight"]) == pytest.approx(1 - 0.1 * 2 / 11)
    average.steps = 1000
    net.weight.data[:] = 0
    before = float(average.tensors["weight"])
    average.update(net)
    assert float(average.tensors["weight"]) == pytest.approx(before / 2)
    with average.applied_to(net):
        assert net.weight.item() == pytest.approx(before / 2)
    assert net.weight.item() == 0


def test_the_average_counts_as_the_network_does():
    net = Tiny(2).train()
    average = ExponentialMovingAverage(0.9)
    average.start(net)
    net(torch.zeros(2, 2, 8, 8, 3))
    average.update(net)
    assert int(average.tensors["maps.0.1.num_batches_tracked"]) == 1
