import pytest
import torch

from kinoscope.nets.conv_lstm import ConvLSTM, ConvLSTMCell
from kinoscope.nets.patches import fold_frames, output_channels, output_layer, unfold_frames
from kinoscope.nets.simvp import SimVP

NETS = [ConvLSTM(3, 5, 3, 8), SimVP(3, 5, 3, 8, depth=2)]


def clip(count=2, frames=3, seed=0):
    return torch.randint(0, 256, (count, frames, 16, 24, 3), generator=torch.Generator().manual_seed(seed)).byte()


@pytest.mark.parametrize("net", NETS)
def test_the_next_frames_have_the_shape_of_those_before(net):
    predicted = net(clip())
    assert (predicted.shape, predicted.dtype) == ((2, 5, 16, 24, 3), torch.float32)
    assert 0 <= predicted.min() <= predicted.max() <= 1
    assert torch.equal(net(clip().float()), predicted)
    assert torch.allclose(net(clip()[1:]), predicted[1:], atol=1e-6)


@pytest.mark.parametrize("net", NETS)
def test_every_parameter_has_a_gradient(net):
    net(clip()).square().mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("net", NETS)
def test_every_frame_before_matters(net):
    predicted = net(clip())
    for frame in range(3):
        changed = clip()
        changed[:, frame] = 255 - changed[:, frame]
        assert not torch.allclose(net(changed), predicted, atol=1e-5)


def test_patches_fold_and_unfold():
    frames = clip()
    patches = fold_frames(frames)
    assert patches.shape == (2, 3, 48, 4, 6)
    assert torch.equal(patches[0, 1, 17, 2, 3], frames[0, 1, 8, 13, 1] / 255)
    predicted = torch.full((2, 5, output_channels(3), 4, 6), 50.0)
    assert torch.allclose(unfold_frames(predicted, patches), frames[:, -1:].expand(-1, 5, -1, -1, -1) / 255)
    predicted[:, :, 48:] = -50
    assert torch.equal(unfold_frames(predicted, patches), torch.ones(2, 5, 16, 24, 3))


@pytest.mark.parametrize("still", [0.05, 0.95])
def test_the_initial_copy_mask_is_still(still):
    patches, maps = fold_frames(clip()), torch.randn(2, 5, 8, 4, 6) / 10
    predicted = output_layer(8, 3, still)(maps.flatten(0, 1)).unflatten(0, (2, 5))
    last = clip()[:, -1:] / 255
    by_hand = still * last + (1 - still) * 0.5
    assert (unfold_frames(predicted, patches) - by_hand).abs().mean() < 0.05


def test_a_cell_with_an_open_forget_gate_keeps_its_state():
    cell = ConvLSTMCell(1, 2)
    with torch.no_grad():
        cell.norm.weight.zero_()
        cell.norm.bias.copy_(torch.tensor([-50.0, -50, 50, 50, 50, 50, 0, 0]))
    cell_state = torch.randn(1, 2, 4, 4)
    hidden, new_state = cell(torch.randn(1, 1, 4, 4), (torch.randn(1, 2, 4, 4), cell_state))
    assert torch.allclose(new_state, cell_state)
    assert torch.allclose(hidden, cell_state.tanh())


def test_a_forecaster_begins_where_the_encoder_ended():
    net = ConvLSTM(2, 1, 1, 4, depth=1).eval()
    frames = torch.randint(0, 256, (1, 2, 8, 8, 1)).byte()
    (state,) = net._encode(fold_frames(frames))
    hidden, _ = net.forecaster[0](None, state)
    by_hand = unfold_frames(net.paint(hidden)[:, None], fold_frames(frames))
    assert torch.equal(net(frames), by_hand)
