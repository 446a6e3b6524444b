"""X3D-S, compared with the sizes in its paper for the 400 classes of Kinetics."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kinoscope.nets.x3d import STAGES, X3DS, SqueezeExcite


@pytest.mark.slow
def test_parameters_and_multiply_adds_are_those_of_the_paper():
    with torch.device("meta"):
        net = X3DS(400).eval()
        clip = torch.zeros(1, 13, 160, 160, 3)
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(3.76, abs=0.01)
    with FlopCounterMode(display=False) as counter:
        embedding, logits = net(clip)
    assert counter.get_total_flops() / 2e9 == pytest.approx(1.96, abs=0.005)
    assert (embedding.shape, logits.shape) == ((1, 2048), (1, 400))


def test_all_frames_are_kept_and_every_second_block_has_squeeze_and_excitation():
    with torch.device("meta"):
        net = X3DS(2)
        x = torch.zeros(1, 3, 5, 64, 96)
        shapes = [(x := stage(x)).shape for stage in net.trunk()]
    assert [shape[2:] for shape in shapes[:-1]] == [(5, 64 // s, 96 // s) for s in (2, 4, 8, 16, 32)]
    assert shapes[-1] == (1, 432, 5, 2, 3)
    squeezing = sum(isinstance(module, SqueezeExcite) for module in net.modules())
    assert squeezing == sum((count + 1) // 2 for _, count in STAGES)
