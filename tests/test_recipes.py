"""The recipe of the bundled weights: the fit of the classifier, and the card of the weights."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from kinoscope.models import find
from kinoscope.models.formats.trained_model import load_net, trained_card
from kinoscope.models.trainable.classifiers import build_network
from kinoscope.training.data.dataset import Dataset, Example

ROOT = Path(__file__).parents[1]
FIGHT = ROOT / "src/kinoscope/models/weights/fight"


@pytest.fixture(scope="module")
def probe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("probe", ROOT / "recipes" / "probe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def clouds(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings (N, 5) of two classes that only the second feature separates, and targets (N, 2)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    x = generator.normal(3, 1, (count, 5)) * [1, 10, 1, 100, 0]
    x[:, 1] += 60 * labels
    return x.astype(np.float32), np.eye(2, dtype=np.float32)[labels]


def test_the_fit_finds_the_feature_that_separates_the_classes(probe: ModuleType) -> None:
    layer = probe.fit(*clouds(200, 0), decay=0.01)
    x, y = clouds(100, 1)
    assert (probe.logits(layer, x).argmax(1) == y.argmax(1)).mean() >= 0.97
    weight = (layer.weight[1] - layer.weight[0]).abs() * torch.tensor([1.0, 10, 1, 100, 0])
    assert weight.argmax() == 1


def test_a_strong_weight_decay_keeps_weights_small(probe: ModuleType) -> None:
    weak, strong = (probe.fit(*clouds(200, 0), decay=decay).weight.norm() for decay in (0.01, 10.0))
    assert strong < weak / 10


def test_folds_never_share_a_group_and_every_clip_is_predicted_by_another(probe: ModuleType) -> None:
    x, y = clouds(40, 0)
    names = ("a", "b")
    examples = tuple(Example(f"{i}.mp4", (names[i % 2],), group=str(i // 8)) for i in range(40))
    predictions = probe.crossvalidate(Dataset("data", examples, names), x, x[None], 5, 0.01)
    assert (predictions.argmax(1) == y.argmax(1)).mean() >= 0.9
    # If the label depends on the group only, it cannot be predicted from other groups.
    shuffled = tuple(Example(f"{i}.mp4", (names[i // 8 % 2],), group=str(i // 8)) for i in range(40))
    own = np.repeat(np.eye(5, dtype=np.float32), 8, 0)
    predictions = probe.crossvalidate(Dataset("data", shuffled, names), own, own[None], 5, 0.01)
    truth = np.arange(40) // 8 % 2
    assert (predictions.argmax(1) == truth).mean() <= 0.5


def test_the_card_of_fights_matches_the_weights() -> None:
    card, own = find("fight"), trained_card(FIGHT)
    for name in {one.name for one in fields(card)} - {"name", "task", "about", "licence", "sources", "net", "measured"}:
        if name not in ("outputs", "priority"):
            assert getattr(card, name) == getattr(own, name), name
    assert card.outputs[-1] == own.outputs[-1]
    assert "85.8 %" in str(card.measured)
    assert "0.858" in str(own.measured)


def test_the_bundled_network_is_the_one_of_the_table() -> None:
    net, trained = load_net(FIGHT)
    assert sum(parameter.numel() for parameter in net.parameters()) < 12e6
    wanted = build_network(trained.network, 2, trained.options).state_dict()
    assert {name: tensor.shape for name, tensor in net.state_dict().items()} == {n: t.shape for n, t in wanted.items()}
    assert sum(path.stat().st_size for path in FIGHT.iterdir()) <= 8_000_000
