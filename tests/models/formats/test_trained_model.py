"""Trained models on disk: what is written is read, and nothing else is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.models import find, load
from kinoscope.models.formats.trained_model import load_net, read_trained_model, trained_card
from kinoscope.models.trainable import classifiers
from tests.helpers.tiny_models import NETWORK, train_tiny


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    monkeypatch.setattr(classifiers, "NETWORKS", (*classifiers.NETWORKS, NETWORK))
    return train_tiny(tmp_path / "colours", temperature=2.0, score={"top1": 0.9})


def change(folder: Path, **facts: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_a_card_says_what_the_folder_says(folder: Path) -> None:
    card = trained_card(folder)
    assert (card.name, card.task, card.labels) == ("colours", "classify", ("red", "green", "blue"))
    assert (card.input, card.outputs, card.rate, card.temperature) == ((4, 12, 16, 3), ((None,), (3,)), 4.0, 2.0)
    assert (card.multilabel, card.measured) == (False, "top1 0.9")
    assert read_trained_model(folder).sampling == Sampling(4, 4.0, (16, 12))
    assert find(str(folder)).digest == card.digest


def test_it_runs_by_its_folder(folder: Path) -> None:
    pixels = np.zeros((1, 4, 12, 16, 3), np.uint8)
    pixels[..., 1] = 255
    embedding, logits = load(str(folder), device="cpu")(pixels)
    np.testing.assert_allclose(embedding, [[0, 1, 0]], atol=1e-5)
    assert logits.argmax() == 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"schema": 99}, "has schema 99, and this version reads up to 1; update kinoscope"),
        ({"files": ["../../etc/passwd"]}, r"is damaged \(a file lies outside the folder\)"),
        ({"sampling": {"frames": 4}}, r"model.json is damaged \('size'\)"),
        ({"surprise": 1}, "model.json is damaged .*unexpected keyword argument 'surprise'"),
    ],
)
def test_inconsistent_metadata_is_reported(folder: Path, facts: dict[str, Any], message: str) -> None:
    change(folder, **facts)
    with pytest.raises(ModelError, match=message):
        load_net(folder)


def test_json_that_is_none_is_reported(folder: Path) -> None:
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match=r"model.json is damaged \(.*\); train the model again or restore the file"):
        read_trained_model(folder)


def test_a_network_is_not_built_from_a_file_elsewhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cnn.keras").touch()
    change(folder, network="keras-gru", options={"backbone": str(tmp_path / "cnn.keras")})
    with pytest.raises(ModelError, match=r"has backbone=.*cnn.keras, a file outside the model's folder"):
        load_net(folder)


def test_an_unknown_network_is_reported(folder: Path) -> None:
    change(folder, network="reddish")
    with pytest.raises(OptionError, match="no network is called 'reddish'; did you mean reddest"):
        load_net(folder)


def test_a_folder_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is no trained model: it has no model.json; give a folder that"):
        find(str(tmp_path))


def test_missing_weights_are_reported(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors is missing; restore it or train the model again"):
        trained_card(folder)
    with pytest.raises(ModelError, match=r"model.safetensors cannot be read"):
        load_net(folder)


def test_torn_weights_are_reported(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        ModelError, match=r"model.safetensors cannot be read \(.*\); restore it or train the model again"
    ):
        load_net(folder)


def test_weights_of_another_network_are_reported(folder: Path, tmp_path: Path) -> None:
    other = train_tiny(tmp_path / "other", ("red", "green"))
    (folder / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"model.safetensors holds the weights of another network"):
        load_net(folder)


def test_nothing_is_unpickled(folder: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (folder / "harmed",))

    (folder / "model.safetensors").write_bytes(pickle.dumps({"head.weight": Harm()}))
    with pytest.raises(ModelError, match="cannot be read"):
        load_net(folder)
    torch.save({"head.weight": Harm()}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="cannot be read"):
        load_net(folder)
    assert not (folder / "harmed").exists()


def test_everyone_may_read_what_is_written(folder: Path) -> None:
    assert {path.stat().st_mode & 0o044 for path in folder.iterdir()} == {0o044}
