"""The three ResNets for clips, compared with torchvision's published sizes for the 400 classes of Kinetics."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kinoscope.nets.resnet3d import LAYER_CONVOLUTIONS, ResidualBlock3D, ResNet3D, middle_channels

PUBLISHED = {"r3d": (33_371_472, 40.70), "mc3": (11_695_440, 43.34), "r2plus1d": (31_505_325, 40.52)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_multiply_adds_are_the_published_ones(name):
    parameters, gmacs = PUBLISHED[name]
    with torch.device("meta"):
        net = ResNet3D(400, LAYER_CONVOLUTIONS[name]).eval()
        clip = torch.zeros(1, 16, 112, 112, 3)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    with FlopCounterMode(display=False) as counter:
        embedding, logits = net(clip)
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=0.005)
    assert (embedding.shape, logits.shape) == ((1, 512), (1, 400))


@pytest.mark.parametrize(
    ("name", "frames"), [("r3d", [8, 8, 4, 2, 1]), ("mc3", [8, 8, 8, 8, 8]), ("r2plus1d", [8, 8, 4, 2, 1])]
)
def test_each_stage_but_one_halves_the_frames_and_temporal_convolutions_halve_time(name, frames):
    with torch.device("meta"):
        x = torch.zeros(2, 3, 8, 32, 48)
        shapes = [(x := stage(x)).shape for stage in ResNet3D(2, LAYER_CONVOLUTIONS[name]).stages]
    sides = [(16, 24), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [shape[2:] for shape in shapes] == [(t, *side) for t, side in zip(frames, sides, strict=True)]


def test_a_2plus1d_convolution_has_as_many_weights_as_a_3d_one():
    assert middle_channels(64, 64) == 144
    assert 144 * (9 * 64 + 3 * 64) == 27 * 64 * 64


def test_a_block_whose_convolutions_are_zero_is_the_identity():
    block = ResidualBlock3D(4, 4, 1, "3d").eval()
    convolution = block.second[0]
    assert isinstance(convolution, torch.nn.Conv3d)
    torch.nn.init.zeros_(convolution.weight)
    x = torch.rand(1, 4, 2, 3, 3)
    assert torch.equal(block(x), x)


def test_a_2d_convolution_does_not_depend_on_the_order_of_frames():
    block = ResidualBlock3D(3, 6, 2, "2d").eval()
    x = torch.rand(1, 3, 4, 6, 6)
    assert torch.allclose(block(x.flip(2)), block(x).flip(2), atol=1e-6)
