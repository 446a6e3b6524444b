"""Which weights are learned, how fast, and their moving average."""

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
    """Give the stages of a network's trunk that are not learned: all but the share ``unfreeze``, from the top."""
    stages = list(net.trunk())
    return stages[: len(stages) - math.ceil(unfreeze * len(stages) - 1e-9)]


def norms(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Give the norms inside modules that keep statistics of what they have seen."""
    kinds = (nn.modules.batchnorm._BatchNorm,)
    return [one for module in modules for one in module.modules() if isinstance(one, kinds)]


def freeze(net: Any, unfreeze: float, freeze_norms: bool) -> list[nn.Module]:
    """Stop gradients to what is not learned; give the modules that stay in evaluation mode while training."""
    stages = frozen_stages(net, unfreeze)
    still = [*stages, *(norms(net.trunk()) if freeze_norms else [])]
    for module in still:
        module.requires_grad_(False)
    return still


def set_training(net: nn.Module, still: Sequence[nn.Module]) -> None:
    """Put a network in training mode, save the modules that are frozen."""
    net.train()
    for module in still:
        module.eval()


def parameter_groups(net: Any, loss: nn.Module, options: ClassificationOptions) -> list[dict[str, Any]]:
    """Give what is learned in groups of one learning rate and weight decay.

    The trunk learns slower by ``trunk_lr``. Vectors and numbers (norms, biases) are not pulled towards zero.
    ``share`` of a group is that of the learning rate.
    """
    trunk = {id(one) for stage in net.trunk() for one in stage.parameters()}
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in [*net.parameters(), *loss.parameters()]:
        if parameter.requires_grad:
            share = options.trunk_lr if id(parameter) in trunk and options.trunk_lr is not None else 1.0
            decay = options.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((share, decay), []).append(parameter)
    return [
        {"params": parameters, "share": share, "weight_decay": decay} for (share, decay), parameters in groups.items()
    ]


RATES = {"adamw": 1e-3, "sgd": 0.02}
"""Highest learning rates, if none is given."""


def make_optimizer(groups: list[dict[str, Any]], options: ClassificationOptions) -> torch.optim.Optimizer:
    """Make the optimizer that the options name.

    AdamW: Loshchilov and Hutter, ICLR 2019. SGD with the momentum of Nesterov: Sutskever et al., ICML 2013.
    """
    lr = RATES[options.optimizer] if options.lr is None else options.lr
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=lr, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, options: ClassificationOptions, step: int, steps: int) -> float:
    """Set the learning rate of each group for a step; give the highest."""
    peak = RATES[options.optimizer] if options.lr is None else options.lr
    rate = peak * factor(options.schedule, step, steps, options.warmup)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    return rate


ONE_CYCLE_RISE = 0.3
"""Share of the steps in which the rate of one-cycle rises, at least."""


def factor(schedule: str, step: int, steps: int, warmup: float) -> float:
    """Give the share of the highest learning rate for a step of 0 to ``steps`` - 1.

    It rises in a line over the share ``warmup`` of the steps (Goyal et al., 2017), then falls along half a cosine to
    near 0 (Loshchilov and Hutter, "SGDR", ICLR 2017) or stays. One-cycle rises longer, along a cosine itself
    (Smith and Topin, "Super-Convergence", 2018).
    """
    one_cycle = schedule == "one-cycle"
    rising = round((max(warmup, ONE_CYCLE_RISE) if one_cycle else warmup) * steps)
    if step < rising:
        share = (step + 1) / (rising + 1)
        return (1 - math.cos(math.pi * share)) / 2 if one_cycle else share
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2


@dataclass
class ExponentialMovingAverage:
    """Exponential moving average of a network's state: Polyak and Juditsky, 1992; Tarvainen and Valpola, NeurIPS 2017.

    The decay grows from 0.1 to ``decay`` with the steps, so that the random start is soon forgotten.

    Attributes:
        decay: how much of the average stays with each step.
        tensors: the averages, by name.
        steps: how many have been taken in.
    """

    decay: float
    tensors: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0

    def start(self, net: nn.Module) -> None:
        """Begin with a network's state."""
        self.tensors = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}

    def fill(self, tensors: Mapping[str, Tensor], steps: int, device: torch.device) -> None:
        """Be as a checkpoint says, on a device."""
        self.tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.steps = steps

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take in a network's state."""
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        still = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
        state = {name: tensor for name, tensor in net.state_dict().items() if name not in still}
        floats = [name for name, tensor in state.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.tensors[name] for name in floats], [state[name] for name in floats], share)
        for name in state.keys() - set(floats):
            self.tensors[name].copy_(state[name])

    @contextmanager
    def inside(self, net: nn.Module) -> Iterator[None]:
        """Put the averages into a network while the block runs."""
        own = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        net.load_state_dict(self.tensors)
        try:
            yield
        finally:
            net.load_state_dict(own)
