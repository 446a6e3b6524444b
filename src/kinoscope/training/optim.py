"""Frozen stages, parameter groups, learning-rate schedules and the moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from kinoscope.training.classification.options import ClassificationOptions


def frozen_stages(net: Any, unfreeze: float) -> list[nn.Module]:
    """Return the stages of a network's trunk that are not trained: all but the share ``unfreeze``, from the top."""
    stages = list(net.trunk())
    return stages[: len(stages) - math.ceil(unfreeze * len(stages) - 1e-9)]


def batch_norms(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the BatchNorm layers inside modules: the norms that keep running statistics."""
    kinds = (nn.modules.batchnorm._BatchNorm,)
    return [layer for module in modules for layer in module.modules() if isinstance(layer, kinds)]


def freeze(net: Any, unfreeze: float, freeze_norms: bool) -> list[nn.Module]:
    """Stop the gradients of frozen weights; return the modules that stay in evaluation mode during training."""
    stages = frozen_stages(net, unfreeze)
    frozen = [*stages, *(batch_norms(net.trunk()) if freeze_norms else [])]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def set_training(net: nn.Module, frozen: Sequence[nn.Module]) -> None:
    """Put a network in training mode, except for the frozen modules."""
    net.train()
    for module in frozen:
        module.eval()


def parameter_groups(net: Any, loss: nn.Module, options: ClassificationOptions) -> list[dict[str, Any]]:
    """Return the trained parameters in groups of one learning rate and weight decay.

    The learning rate of the trunk is scaled by ``trunk_lr``. Vectors and scalars (norms, biases) have no weight decay.
    ``share`` of a group is its share of the learning rate.
    """
    trunk = {id(module) for stage in net.trunk() for module in stage.parameters()}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in [*net.parameters(), *loss.parameters()]:
        if parameter.requires_grad:
            share = options.trunk_lr if id(parameter) in trunk and options.trunk_lr is not None else 1.0
            decay = options.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((share, decay), []).append(parameter)
    return [
        {"params": parameters, "share": share, "weight_decay": decay} for (share, decay), parameters in groups.items()
    ]


def gradients(net: nn.Module) -> list[Tensor]:
    """Return the gradients of a network's parameters, without those that have none."""
    return [parameter.grad for parameter in net.parameters() if parameter.grad is not None]


PEAK_LEARNING_RATES = {"adamw": 1e-3, "sgd": 0.02}
"""Default peak learning rates, by optimizer."""


def make_optimizer(groups: list[dict[str, Any]], options: ClassificationOptions) -> torch.optim.Optimizer:
    """Build the optimizer that the options name.

    AdamW: Loshchilov and Hutter, ICLR 2019. SGD with Nesterov momentum: Sutskever et al., ICML 2013.
    """
    lr = PEAK_LEARNING_RATES[options.optimizer] if options.lr is None else options.lr
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, options: ClassificationOptions, step: int, steps: int) -> float:
    """Set the learning rate of each group for a step; return the highest."""
    peak = PEAK_LEARNING_RATES[options.optimizer] if options.lr is None else options.lr
    rate = peak * learning_rate_factor(options.schedule, step, steps, options.warmup)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    return rate


MIN_ONE_CYCLE_WARMUP = 0.3
"""Minimum share of the steps in which the learning rate of one-cycle rises."""


def learning_rate_factor(schedule: str, step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak learning rate for a step of 0 to ``steps`` - 1.

    It rises linearly over the share ``warmup`` of the steps (Goyal et al., 2017), then falls along half a cosine to
    near 0 (Loshchilov and Hutter, "SGDR", ICLR 2017) or stays constant. One-cycle rises longer, along a cosine itself
    (Smith and Topin, "Super-Convergence", 2018).
    """
    one_cycle = schedule == "one-cycle"
    rising = round((max(warmup, MIN_ONE_CYCLE_WARMUP) if one_cycle else warmup) * steps)
    if step < rising:
        share = (step + 1) / (rising + 1)
        return (1 - math.cos(math.pi * share)) / 2 if one_cycle else share
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2


@dataclass
class ExponentialMovingAverage:
    """Exponential moving average of a network's state: Polyak and Juditsky, 1992; Tarvainen and Valpola, NeurIPS 2017.

    The decay grows from 0.1 to ``decay`` with the steps, so that the random initialization is soon forgotten.

    Attributes:
        decay: share of the average that stays with each step.
        tensors: the averages, by name.
        steps: number of updates so far.
    """

    decay: float
    tensors: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0

    def start(self, net: nn.Module) -> None:
        """Initialize the average with a network's state."""
        self.tensors = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the tensors of a checkpoint, each on the device where it is.

        Raises:
            ValueError: they are those of another network.
        """
        shapes = ({name: value.shape for name, value in one.items()} for one in (tensors, self.tensors))
        if len({frozenset(one.items()) for one in shapes}) > 1:
            raise ValueError("the average of its weights has other tensors")
        self.tensors = {name: tensor.to(self.tensors[name].device) for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Update the average with a network's state."""
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        frozen = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
        state = {name: tensor for name, tensor in net.state_dict().items() if name not in frozen}
        floats = [name for name, tensor in state.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.tensors[name] for name in floats], [state[name] for name in floats], share)
        for name in state.keys() - set(floats):
            self.tensors[name].copy_(state[name])

    @contextmanager
    def applied_to(self, net: nn.Module) -> Iterator[None]:
        """Load the averages into a network while the block runs."""
        own = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        net.load_state_dict(self.tensors)
        try:
            yield
        finally:
            net.load_state_dict(own)
