import math

import pytest
import torch

from kinoscope.nets import mocogan, video_gan
from kinoscope.nets.mocogan import MoCoGAN
from kinoscope.nets.video_gan import VideoGAN, scale_channels


def sample_inputs(net, code, motion, count=3, seconds=2.0):
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    return (
        torch.randn(count, code, generator=random),
        torch.randn(count, net.steps(seconds), motion, generator=random),
        labels,
    )


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return VideoGAN(classes=2, size=16, width=8).eval().requires_grad_(False)


def at(*seconds, count=3):
    return torch.tensor(seconds).expand(count, -1)


def test_channels_double_from_fine_to_coarse_up_to_a_limit():
    assert scale_channels(32, 16, 96) == [96, 64, 32, 16]
    assert scale_channels(4, 16, 96) == [16]


def test_clips_can_be_sampled_at_any_times(net):
    codes = sample_inputs(net, 64, 64)
    slow, fast = net(*codes, at(0.0, 0.08, 0.16)), net(*codes, at(0.0, 0.04, 0.08, 0.12, 0.16))
    assert tuple(slow.shape) == (3, 3, 3, 16, 16)
    assert torch.allclose(slow, fast[:, ::2], atol=1e-5)


def test_motion_is_smooth_and_more_noise_at_the_end_changes_nothing_before(net):
    content, motion, labels = sample_inputs(net, 64, 64)
    times = torch.linspace(0, 1.5, 150).expand(3, -1)
    changes = (net.motion(motion, labels, times)[:, 1:] - net.motion(motion, labels, times)[:, :-1]).abs().amax((0, 2))
    assert float(changes.max()) < 12 * float(changes.median())
    longer = torch.cat([motion, torch.randn(3, 4, 64)], 1)
    assert torch.allclose(net(content, longer, labels, times[:, :20]), net(content, motion, labels, times[:, :20]))


def test_the_style_sets_the_content_and_the_motion_code_the_motion(net):
    content, motion, labels = sample_inputs(net, 64, 64)
    times = at(0.0, 0.3, 0.6)
    still, codes = net.still(net.style(content, labels)), net.motion(motion, labels, times)
    assert not torch.allclose(still[0], still[2])
    torch.testing.assert_close(net.still(net.style(content[:1], labels[:1])), still[:1])
    other = net.synthesize(net.style(content.roll(1, 0), labels), codes)
    assert not torch.allclose(other, net.synthesize(net.style(content, labels), codes))
    assert not torch.allclose(codes[0], codes[2])
    static = net.synthesize(net.style(content, labels), codes[:, :1].expand(-1, 3, -1))
    assert torch.allclose(static[:, 0], static[:, 2])


def test_the_background_shows_where_the_mask_is_zero(net):
    content, motion, labels = sample_inputs(net, 64, 64)
    style, codes = net.style(content, labels), net.motion(motion, labels, at(0.0, 0.5))
    bias = net.moving.colours.bias.clone()
    net.moving.colours.bias[12:] = -100  # the mask of all four sub-pixels
    clips = net.synthesize(style, codes)
    net.moving.colours.bias.copy_(bias)
    assert torch.allclose(clips, net.still(style)[:, None].expand_as(clips), atol=1e-6)


def test_without_a_backdrop_there_is_one_synthesis_network():
    plain = VideoGAN(classes=0, size=16, width=8, backdrop=False)
    assert plain.still is None
    content, motion, labels = sample_inputs(plain, 64, 64)
    assert tuple(plain(content, motion, labels * 0, at(0.0, 0.1)).shape) == (3, 2, 3, 16, 16)


def test_fourier_features_are_translated_by_pixels_and_stretched():
    ground = video_gan.FourierFeatures(3, 2)

    def features(shift, stretch):
        for layer, bias in ((ground.shift, shift), (ground.stretch, stretch)):
            torch.nn.init.zeros_(layer.weight)
            layer.bias.data = torch.tensor(bias)
        return ground(torch.zeros(1, 3), 16).detach()

    pixel, still = 2 / 16, features([0.0, 0.0], [0.0, 0.0])
    assert tuple(still.shape) == (1, video_gan.FourierFeatures.channels, 16, 16)
    moved = features([2 * pixel, 3 * pixel], [0.0, 0.0])
    assert torch.allclose(moved[..., 3:, 2:], still[..., :-3, :-2], atol=1e-5)
    narrow, x = features([0.0, 0.0], [100.0, 0.0]), torch.linspace(pixel / 2 - 1, 1 - pixel / 2, 16)
    assert torch.allclose(narrow[0, 0, 5], torch.sin(torch.pi / 2 * x * math.exp(0.5)), atol=1e-5)


def test_rigid_objects_are_translated_and_have_the_same_appearance():
    torch.manual_seed(0)
    synthesis = video_gan.FrameSynthesis(3, 2, [8, 8, 8], 3).eval().requires_grad_(False)
    torch.nn.init.eye_(synthesis.ground.shift.weight[:, 1:])  # the third number shifts down
    torch.nn.init.zeros_(synthesis.ground.shift.bias)
    appearance = torch.tensor([0.7, 0.0])
    codes = torch.stack([torch.cat([appearance, torch.tensor([pixels * 2 / 32])]) for pixels in (0, 4)])
    first, second = synthesis(codes)
    assert first.shape == (3, 32, 32)
    difference = (second[:, 10:26] - first[:, 6:22]).abs().max()
    assert float(difference) < 0.1 * float((second - first)[:, 10:26].abs().max())


def test_motion_of_rigid_objects_sets_only_their_position():
    torch.manual_seed(0)
    rigid = VideoGAN(classes=0, size=16, width=8, rigid=True).eval().requires_grad_(False)
    content, motion, labels = sample_inputs(rigid, 64, 64)
    clips = rigid(content, motion, labels * 0, at(0.0, 0.4))
    assert not torch.allclose(clips[:, 0], clips[:, 1], atol=1e-3)
    torch.nn.init.zeros_(rigid.moving.ground.shift.weight)
    clips = rigid(content, motion, labels * 0, at(0.0, 0.4))
    assert torch.allclose(clips[:, 0], clips[:, 1], atol=1e-6)
    assert not torch.allclose(clips[0], clips[1], atol=1e-3)


def test_no_checkerboard_is_left():
    synthesis = video_gan.FrameSynthesis(4, 4, [8, 8], 3)
    torch.nn.init.normal_(synthesis.colours.weight)  # so that sub-pixels differ
    frame = synthesis(torch.randn(2, 4)).detach()
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)
    inner = (frame * board)[:, :, :-2, :-2].mean((2, 3))
    assert float(inner.abs().max()) < 0.05 * float(frame.abs().max())


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_discriminator_scores_frames_and_the_clip(size):
    torch.manual_seed(0)
    discriminator = video_gan.VideoDiscriminator(classes=2, size=size, frames=12, width=8)
    clips, labels = torch.randn(4, 12, 3, size, size), torch.tensor([0, 1, 0, 1])
    assert tuple(discriminator(clips, labels).shape) == (4, 2)
    for kind in discriminator.kinds.parameters():
        torch.nn.init.normal_(kind)
    assert not torch.allclose(discriminator(clips, labels)[:, 1], discriminator(clips, 1 - labels)[:, 1])


def test_the_branch_of_clips_depends_on_the_order_of_frames():
    torch.manual_seed(0)
    discriminator = video_gan.VideoDiscriminator(classes=0, size=16, frames=12, width=8)
    clips, labels = torch.randn(4, 12, 3, 16, 16), torch.zeros(4, dtype=torch.long)
    assert not torch.allclose(discriminator(clips, labels)[:, 1], discriminator(clips.flip(1), labels)[:, 1])


def test_mocogan_steps_at_its_rate_and_takes_the_nearest_step():
    torch.manual_seed(0)
    net = MoCoGAN(classes=2, size=16, width=8, rate=10.0).eval()
    codes = sample_inputs(net, mocogan.CONTENT_DIM, mocogan.MOTION_DIM)
    clips = net(*codes, at(0.0, 0.1, 0.14, 0.2)).detach()
    assert tuple(clips.shape) == (3, 4, 3, 16, 16)
    assert torch.allclose(clips[:, 1], clips[:, 2], atol=1e-6)
    assert not torch.allclose(clips[:, 1], clips[:, 3])
    assert float(clips.abs().max()) <= 1


def test_the_discriminator_of_mocogan_returns_logits_of_patches_and_classes():
    torch.manual_seed(0)
    discriminator = mocogan.MoCoGANDiscriminator(classes=3, width=8)
    logits, kinds = discriminator(torch.randn(2, 16, 3, 64, 64), torch.tensor([0, 1]))
    assert tuple(logits.shape) == (2, 2 * mocogan.PATCH_LOGITS)
    assert tuple(kinds.shape) == (2, 3)
    assert mocogan.MoCoGANDiscriminator(classes=0, width=8)(torch.randn(2, 16, 3, 64, 64), torch.zeros(2))[1] is None
