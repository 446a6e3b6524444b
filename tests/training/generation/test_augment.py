import pytest
import torch

from kinoscope.training.generation.augment import MAX_PROBABILITY, STRONG_PROBABILITY, AdaptiveAugment, make_augment


def clips(count=6):
    torch.manual_seed(0)
    return torch.rand(count, 4, 3, 16, 16) * 2 - 1


def test_nothing_is_augmented_at_probability_zero():
    given = clips()
    assert AdaptiveAugment(0.0)(given) is given


def test_all_frames_of_a_clip_are_augmented_alike():
    still = clips()[:, :1].expand(-1, 4, -1, -1, -1)
    varied = AdaptiveAugment(0.7)(still)
    assert torch.allclose(varied[:, 0], varied[:, 3], atol=1e-5)
    assert not torch.allclose(varied, still)


def test_clips_are_augmented_independently_and_some_not_at_all():
    torch.manual_seed(1)
    one = clips(1).expand(64, -1, -1, -1, -1)
    changed = (AdaptiveAugment(0.2)(one) - one).abs().amax((1, 2, 3, 4)) > 1e-4
    assert 10 < int(changed.sum()) < 64


def test_gradients_flow_to_the_clips():
    given = clips().requires_grad_()
    AdaptiveAugment(0.7)(given).square().mean().backward()
    assert (given.grad.abs().amax((1, 2, 3, 4)) > 0).all()


def test_clips_are_mirrored_only_where_that_is_allowed():
    torch.manual_seed(0)
    ramp = torch.linspace(-1, 1, 16).expand(64, 1, 3, 16, 16)

    def mirrored(flip):
        rows = AdaptiveAugment(0.7, flip)(ramp).mean((1, 2, 3))
        return int((rows[:, -1] < rows[:, 0]).sum())

    assert mirrored(False) == 0
    assert mirrored(True) > 10


def test_it_adapts_to_how_much_the_discriminator_classifies_correctly():
    varying = make_augment("adaptive", 0.9, True)
    for _ in range(100):
        varying.adapt(0.95, 160)
    assert varying.probability == MAX_PROBABILITY
    varying.adapt(0.5, 1600)
    assert varying.probability == pytest.approx(MAX_PROBABILITY - 0.1)
    for _ in range(10):
        varying.adapt(0.5, 16_000)
    assert varying.probability == 0


def test_strong_and_none_do_not_adapt():
    strong, none = make_augment("strong", 0.9, True), make_augment("none", 0.9, True)
    for one in (strong, none):
        one.adapt(1.0, 10_000)
    assert (strong.probability, none.probability) == (STRONG_PROBABILITY, 0.0)
