"""Localization and faithfulness of the maps, on clips whose class depends on one moving shape."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kinoscope.core.errors import ModelError
from kinoscope.core.explanation import Faithfulness
from kinoscope.explanation.attribution import integrated_gradients
from kinoscope.explanation.cam import feature_maps, grad_cam, grad_cam_plus_plus
from kinoscope.explanation.explain import METHODS, coverage_map, frozen_inference, map_similarity, normalized_map
from kinoscope.explanation.faithfulness import DeletionInsertion, area_under_curve, points_inside, rank_correlation
from kinoscope.explanation.perturbation import blurred_mean, cell_indices, freeze_segment, temporal_importance
from kinoscope.explanation.target import Target
from tests.helpers.toy_networks import BUILD, FRAMES, SIDE, clip, looks_apart, toy

pytestmark = pytest.mark.slow

CELL = 4
"""Pixels of one cell of the toy networks' feature maps: no map can be finer."""


@pytest.fixture(params=BUILD, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def net(name):
    return toy(name)


def held_out(name, count, **options):
    return [clip(seed, apart=looks_apart(name), **options) for seed in range(count)]


def hits(net, clips, method):
    with frozen_inference(net):
        return np.mean(
            [points_inside(normalized_map(Target(net, c.label), method, c.pixels), c.inside, CELL) for c in clips]
        )


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
def test_the_maximum_lies_on_the_shape_that_decides(name, net, method):
    assert hits(net, held_out(name, 60), METHODS[method]) >= 0.95


@pytest.mark.parametrize(("method", "count"), [("integrated-gradients", 20), ("occlusion", 8)])
def test_so_does_that_of_captum(name, net, method, count):
    pytest.importorskip("captum")
    assert hits(net, held_out(name, count), METHODS[method]) >= 0.9


def test_the_curve_rises_where_the_shape_moves(name, net):
    found = []
    for seed in range(12):
        first = seed % 6
        one = clip(seed, moving=(first, first + 5), apart=looks_apart(name))
        with frozen_inference(net):
            curve = temporal_importance(Target(net, one.label), one.pixels)
        found.append(first <= curve.argmax() <= first + 6)
        assert curve.shape == (FRAMES,)
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
def test_the_frame_with_the_largest_mean_is_one_in_which_the_shape_moves(name, net, method):
    found = []
    for seed in range(60):
        first = seed % 6
        one = clip(seed, moving=(first, first + 5), apart=looks_apart(name))
        with frozen_inference(net):
            over_time = normalized_map(Target(net, one.label), METHODS[method], one.pixels).mean((1, 2))
        found.append(first <= over_time.argmax() <= first + 6)
    assert np.mean(found) >= 0.9


def test_maps_do_better_than_random_orders(name, net):
    gains, random = [], []
    for one in held_out(name, 6):
        with frozen_inference(net):
            target = Target(net, one.label)
            metric = DeletionInsertion(target, one.pixels)
            gains.append(metric.run_map(normalized_map(target, grad_cam, one.pixels)).gain)
            random.append(metric.run_random(0).gain)
    assert np.mean(gains) > np.mean(random) + 0.1


def test_shuffled_weights_yield_another_map(name, net):
    one = clip(1, apart=looks_apart(name))
    with frozen_inference(net):
        target = Target(net, one.label)
        metric, first = DeletionInsertion(target, one.pixels), normalized_map(target, grad_cam, one.pixels)
        covered = coverage_map(target, one.pixels)
        assert covered.min() == 1
        found = [
            map_similarity(metric, covered, first, normalized_map(target.shuffled(seed), grad_cam, one.pixels))
            for seed in range(3)
        ]
        assert map_similarity(metric, covered, first, normalized_map(target, grad_cam, one.pixels)) == pytest.approx(1)
    assert np.mean(found) < 0.5


class Corner(nn.Module):
    """A 3-D CNN that sees the top left quarter of each frame only."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv3d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, pixels):
        half = pixels.shape[2] // 2
        maps = self.maps(pixels.permute(0, 4, 1, 2, 3)[..., :half, :half].float() / 255).relu()
        return maps.mean((2, 3, 4)), self.head(maps.mean((2, 3, 4)))

    def uncrop(self, heatmap, pixels):
        uncropped = torch.zeros(pixels.shape[:3])
        uncropped[:, : heatmap.shape[1], : heatmap.shape[2]] = heatmap
        return uncropped


def test_maps_of_a_crop_are_compared_within_it():
    torch.manual_seed(0)
    frames = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 3)).astype(np.uint8)
    target = Target(Corner().eval(), 0)
    metric, covered = DeletionInsertion(target, frames), coverage_map(target, frames)
    maps = [normalized_map(one, grad_cam, frames) for one in (target, target.shuffled(1))]
    assert covered[:, :14, :14].min() == 1
    assert covered.sum() == 8 * 14 * 14
    assert all(one[covered == 0].max() == 0 for one in maps)
    # The zeros outside the crop would make any two maps similar.
    assert abs(map_similarity(metric, covered, *maps)) < 0.3
    assert map_similarity(metric, np.ones_like(covered), *maps) > 0.6


def classifier_weights(net: Any) -> torch.Tensor:
    return net.classifier.weight.detach()


def test_shuffling_keeps_the_values_and_the_network():
    net = toy("toy-conv3d")
    before = classifier_weights(net).clone()
    other = classifier_weights(Target(net, 0).shuffled(3).net)
    assert torch.equal(before, classifier_weights(net))
    assert not torch.equal(before, other)
    assert torch.equal(before.flatten().sort()[0], other.flatten().sort()[0])


class ColourNet(nn.Module):
    """A network whose feature maps are red, for class 0, and green, for class 1: (N, 2, T, H, W)."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.head = nn.Linear(2, 2, bias=False)
        nn.init.eye_(self.head.weight)

    def forward(self, pixels):
        maps = self.maps(pixels.permute(0, 4, 1, 2, 3)[:, :2].float() / 255)
        return maps.mean((2, 3, 4)), self.head(maps.mean((2, 3, 4)))


def spots():
    """Red at the top left of the first frame, green at the bottom right of the last."""
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[0, 0, 0, 0] = pixels[1, 3, 3, 1] = 255
    return pixels


@pytest.mark.parametrize("method", [grad_cam, grad_cam_plus_plus, integrated_gradients])
@pytest.mark.parametrize(("index", "place"), [(0, (0, 0, 0)), (1, (1, 3, 3))])
def test_a_worked_case(method, index, place):
    if method is integrated_gradients:
        pytest.importorskip("captum")
    found = normalized_map(Target(ColourNet(), index), method, spots())
    assert found[place] == 1
    assert np.unravel_index(found.argmax(), found.shape) == place
    if method is not integrated_gradients:  # which also says that what is blurred away is missed
        assert np.count_nonzero(found) == 1


def test_grad_cam_weighs_each_map_by_its_mean_gradient():
    target = Target(ColourNet(), 0)
    maps = feature_maps(target, target.tensor(spots()))
    # Log-odds of two classes are the difference of their logits, each the mean over 32 places.
    assert torch.allclose(maps.gradient[0], torch.tensor(1 / 32))
    assert torch.allclose(maps.gradient[1], torch.tensor(-1 / 32))


@pytest.mark.parametrize("method", [grad_cam, grad_cam_plus_plus])
def test_missing_feature_maps_are_reported(method):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, pixels):
            mean = pixels.float().mean((1, 2, 3))
            return mean, self.head(mean)

    target = Target(Flat(), 0)
    with pytest.raises(ModelError, match=r"^Flat has no feature maps with height and width; use the method occlusion"):
        method(target, target.tensor(spots()))


def test_log_odds_and_probabilities_agree():
    net, frames = toy("toy-conv3d"), clip(0).pixels
    with frozen_inference(net):
        probabilities = Target(net, 1).probabilities([frames])
        assert probabilities.sum() == pytest.approx(1)
        assert Target(net, 1).scores([frames])[0] == pytest.approx(
            np.log(probabilities[0, 1] / probabilities[0, 0]), abs=1e-3
        )
        many = Target(net, 1, multilabel=True, temperature=2.0).probabilities([frames, frames])
    assert many.shape == (2, 2)
    assert np.all((many > 0) & (many < 1))


def test_deletion_and_insertion_of_a_worked_case():
    assert area_under_curve([1, 1, 0, 0]) == pytest.approx(0.5)
    assert Faithfulness(0.2, 0.9).gain == pytest.approx(0.7)
    target = Target(ColourNet(), 0)
    metric = DeletionInsertion(target, spots())
    order = np.argsort(-metric.means(normalized_map(target, grad_cam, spots())), kind="stable")
    assert order[0] == 0  # the cell at the first frame's top left
    good, bad = metric.run(order), metric.run(order[::-1].copy())
    assert good.deletion < bad.deletion
    assert good.insertion > bad.insertion
    assert metric.run_random(5) == metric.run_random(5)


def test_rank_correlation_of_worked_cases():
    assert rank_correlation([1, 2, 3], [10, 20, 300]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3], [5, 5, 5]) == 0
    assert rank_correlation([0, 0, 0], [5, 5, 5]) == 1


def test_the_pointing_game_of_worked_cases():
    inside = np.zeros((1, 8, 8), bool)
    inside[0, 2, 2] = True
    found = np.zeros((1, 8, 8), np.float32)
    assert not points_inside(found, inside)
    found[0, 4, 2] = 1
    assert [points_inside(found, inside, slack) for slack in (0, 1, 2)] == [False, False, True]


def test_clips_with_something_taken_away():
    frames = clip(0).pixels
    still = blurred_mean(frames)
    assert (still == still[:1]).all()
    assert still.std((1, 2)).max() < frames.std((1, 2)).max() / 2
    assert (freeze_segment(frames, 3, 2)[3:5] == frames[2]).all()
    assert (freeze_segment(frames, 3, 2)[5:] == frames[5:]).all()
    assert (freeze_segment(frames, 0, 2)[:2] == frames[2]).all()
    numbers = cell_indices((FRAMES, SIDE, SIDE), (2, 2, 2))
    assert np.bincount(numbers.ravel()).tolist() == [FRAMES * SIDE * SIDE // 8] * 8
    assert numbers[-1, 0, -1] == 5
