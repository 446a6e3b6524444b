"""MoViNet-A0: the paper's size, and the same output frame by frame as on the whole clip."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kinoscope.nets.movinet import CausalConv, MoViNetA0, StreamBuffer, cumulative_mean, round_to_multiple


@pytest.fixture(scope="module")
def net():
    """Build a network whose residual scales are 1, whose norms have statistics, and whose outputs are not near zero."""
    torch.manual_seed(0)
    net = MoViNetA0(5)
    linear = net.dense[0]
    assert isinstance(linear, torch.nn.Linear)
    for name, parameter in net.named_parameters():
        if name.endswith("share"):
            torch.nn.init.ones_(parameter)
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(4, 4, 40, 40, 3) * 255)
        linear.weight.mul_(30)
    return net.eval()


def test_parameters_and_multiply_adds_are_near_those_of_the_paper():
    with torch.device("meta"):
        net = MoViNetA0(600).eval()
        clip = torch.zeros(1, 50, 172, 172, 3)
    assert sum(parameter.numel() for parameter in net.parameters()) == 3_111_719
    with FlopCounterMode(display=False) as counter:
        net(clip)
    assert counter.get_total_flops() / 2e9 == pytest.approx(2.7, rel=0.03)


@pytest.mark.slow
@torch.no_grad()
def test_the_output_after_each_frame_is_that_of_the_clip_up_to_it(net):
    clip = torch.randint(0, 256, (2, 9, 48, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    state = None
    for t in range(clip.shape[1]):
        embedding, logits, state = net.step(clip[:, t : t + 1], state)
        whole = net(clip[:, : t + 1])
        assert whole[0].abs().max() > 1
        torch.testing.assert_close((embedding, logits), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", [(9,), (1, 8), (2, 3, 4), (6, 1, 2), (4, 4, 1)], ids=str)
@torch.no_grad()
def test_chunks_of_any_length_have_the_output_of_the_clip(net, parts):
    clip = torch.randint(0, 256, (2, 9, 48, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    state = None
    for part in clip.split(parts, 1):
        embedding, logits, state = net.step(part, state)
    torch.testing.assert_close((embedding, logits), net(clip), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_state_does_not_grow(net):
    frame = torch.zeros(1, 1, 40, 40, 3, dtype=torch.uint8)
    _, _, first = net.step(frame)
    _, _, second = net.step(frame, first)
    assert [tensor.shape for tensor in second] == [tensor.shape for tensor in first]
    assert float(second[-1]) == 2


@torch.no_grad()
def test_two_videos_can_be_interleaved(net):
    """A step changes nothing in the network: all memory is in the state."""
    clips = torch.randint(0, 256, (2, 3, 40, 40, 3), generator=torch.Generator().manual_seed(2))
    states: list = [None, None]
    for t in range(3):
        for i in range(2):
            _, logits, states[i] = net.step(clips[i : i + 1, t : t + 1], states[i])
    torch.testing.assert_close(logits, net(clips[1:])[1], rtol=1e-4, atol=1e-4)


def test_no_frame_sees_a_later_one():
    conv = CausalConv(1, 3, 1, 1)
    torch.nn.init.ones_(conv.weight)
    x = torch.arange(1.0, 6).view(1, 1, 5, 1, 1)
    assert conv(x, StreamBuffer(None)).flatten().tolist() == [1, 3, 6, 9, 12]


def test_the_cumulative_mean():
    x = torch.tensor([2.0, 4, 9]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 2, 2)
    buffer = StreamBuffer(None)
    assert cumulative_mean(x, buffer).flatten().tolist() == [2, 3, 5]
    again = StreamBuffer((*buffer.next, torch.tensor(3.0)))
    assert cumulative_mean(torch.full((1, 1, 1, 2, 2), 1.0), again).item() == 4


def test_widths_are_multiples_of_eight():
    assert [round_to_multiple(width) for width in (1, 6, 20, 28, 96)] == [8, 8, 24, 32, 96]
