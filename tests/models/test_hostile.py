"""Models from a stranger that are made to do harm."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from kinoscope.core.errors import KinoscopeError, ModelError
from kinoscope.models import find
from kinoscope.models.formats.trained_model import load_net
from kinoscope.models.inference.lipsync import LipSyncMetadata, load_lipsync, new_nets, save_lipsync
from kinoscope.models.trainable import classifiers
from kinoscope.models.trainable.generators import GeneratorMetadata, TrainedGenerator, new_generator, save_generator
from kinoscope.models.trainable.predictors import PredictorMetadata, load_predictor, new_predictor, save_predictor
from tests.helpers.tiny_models import NETWORK, train_tiny

NESTED = "[" * 1000 + "]" * 1000


@pytest.fixture
def classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    monkeypatch.setattr(classifiers, "NETWORKS", (*classifiers.NETWORKS, NETWORK))
    return train_tiny(tmp_path / "classifier")


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    facts = PredictorMetadata(network="simvp", context=2, horizon=2, rate=10, size=16, channels=1, width=4)
    save_predictor(tmp_path / "predictor", new_predictor(facts), facts)
    return tmp_path / "predictor"


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    facts = GeneratorMetadata(size=16, width=2)
    save_generator(tmp_path / "generator", new_generator(facts), facts)
    return tmp_path / "generator"


@pytest.fixture
def painter(tmp_path: Path) -> Path:
    save_lipsync(tmp_path / "painter", new_nets(8), LipSyncMetadata(width=8))
    return tmp_path / "painter"


def change(folder: Path, **facts: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


LOADERS: dict[str, Any] = {
    "classifier": load_net,
    "predictor": load_predictor,
    "generator": TrainedGenerator,
    "painter": load_lipsync,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOADERS)
def test_what_is_as_it_was_written_loads(request: pytest.FixtureRequest, kind: str) -> None:
    assert LOADERS[kind](request.getfixturevalue(kind)) is not None


@pytest.mark.parametrize("kind", LOADERS)
def test_facts_nested_a_thousand_deep_are_one_line(request: pytest.FixtureRequest, kind: str) -> None:
    folder = request.getfixturevalue(kind)
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"score": {', f'"score": {{"a": {NESTED},', 1).replace(",}", "}"))
    with pytest.raises(ModelError, match=r"^[^\n]*nested deeper than 64 levels[^\n]*$"):
        LOADERS[kind](folder)


ABSURD: list[tuple[str, dict[str, Any]]] = [
    ("classifier", {"sampling": {"frames": 1_000_000_000, "rate": 4.0, "size": [16, 12]}}),
    ("classifier", {"sampling": {"frames": 16, "rate": 1e9, "size": [16, 12]}}),
    ("classifier", {"sampling": {"frames": 1000, "rate": 4.0, "size": [4096, 4096]}}),
    ("classifier", {"sampling": {"frames": 4, "rate": 4.0, "size": [16, 1_000_000]}}),
    ("classifier", {"sampling": {"frames": 4.5, "rate": 4.0, "size": [16, 12]}}),
    ("classifier", {"sampling": {"frames": True, "rate": 4.0, "size": [16, 12]}}),
    ("classifier", {"temperature": 0.0}),
    ("classifier", {"temperature": "hot"}),
    ("classifier", {"task": ["classify"]}),
    ("classifier", {"classes": ["red", "green", 3]}),
    ("classifier", {"multilabel": "yes"}),
    ("classifier", {"score": []}),
    ("classifier", {"classes": [str(n) for n in range(5000)]}),
    ("classifier", {"network": "cnn-gru", "options": {"hidden": 8000}}),
    ("predictor", {"before": 1_000_000_000}),
    ("predictor", {"after": 10**30}),
    ("predictor", {"width": 1000}),
    ("predictor", {"width": True}),
    ("predictor", {"rate": float("inf")}),
    ("predictor", {"channels": "3"}),
    ("generator", {"width": 1000}),
    ("generator", {"frames": 1_000_000_000}),
    ("generator", {"rate": 1e-9}),
    ("generator", {"spacing": 1e9}),
    ("generator", {"classes": [str(n) for n in range(5000)]}),
    ("painter", {"width": 512}),
    ("painter", {"width": 10**9}),
    ("painter", {"gain": 1e9}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "facts"), ABSURD)
def test_absurd_options_are_refused_before_they_take_memory(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, facts: dict[str, Any]
) -> None:
    folder = request.getfixturevalue(kind)
    change(folder, **facts)
    largest = [0]
    monkeypatch.setattr(torch, "empty", _measured(torch.empty, largest))
    with pytest.raises(KinoscopeError, match=r"^[^\n]{1,700}$"):
        LOADERS[kind](folder)
    assert largest[0] < 10_000_000


def _measured(empty: Any, largest: list[int]) -> Any:
    """Note how many numbers are asked for on a device that has memory."""

    def measured(*arguments: Any, **options: Any) -> Any:
        made = empty(*arguments, **options)
        largest[0] = max(largest[0], 0 if made.is_meta else made.numel())
        return made

    return measured


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", f'{{"a": {NESTED}}}'),
        ("config.json", '{"num_frames": 1000000000, "image_size": 224}'),
        ("config.json", '{"num_frames": 16, "image_size": 1000000}'),
        ("config.json", '{"num_frames": 16, "image_size": [224]}'),
        ("preprocessor_config.json", NESTED),
        ("preprocessor_config.json", '{"image_mean": [], "image_std": []}'),
    ],
)
def test_a_model_of_the_transformers_library_is_read_within_limits(tmp_path: Path, name: str, content: str) -> None:
    whole = {"architectures": ["VideoMAEForVideoClassification"], "num_frames": 16, "image_size": 224}
    texts = {"config.json": json.dumps(whole), "preprocessor_config.json": '{"do_normalize": false}', name: content}
    if content.startswith('{"num'):
        texts[name] = json.dumps(whole | json.loads(content))
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(ModelError, match=r"^[^\n]*cannot be read as a model of the Transformers library[^\n]*$"):
        find(str(tmp_path))


def keras_file(path: Path, config: bytes, weights: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    return path


def layer(name: str, **more: Any) -> bytes:
    inner = {"class_name": name, "config": {"function": "code"}} | more
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": [inner]}}).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "weights", "message"),
    [
        (b" " * 17_000_000, b"", "its config.json is larger than 16 MB"),
        (b"{}", bytes(200_000_000), "it unpacks to more than 20 times its size"),
        (NESTED.encode(), b"", "nested deeper than 64 levels"),
        (b"[1]", b"", "its config.json describes no model"),
        (layer("Lambda"), b"", "has a Lambda, which holds code of its own"),
        (layer("Lambda", module="keras.layers"), b"", "has a Lambda, which holds code of its own"),
        (layer("__lambda__"), b"", "has a __lambda__, which holds code of its own"),
        (layer("TFSMLayer"), b"", "has a TFSMLayer, which needs TensorFlow"),
        (layer("Dense"), b"", "has a Dense, which names no module"),
        (layer("Dense", module=None), b"", "has a Dense, which names no module"),
        (layer("run", module="os"), b"", "has a run, which is of os"),
        (layer("Dense", module="keras.utils"), b"", "has a Dense, which is of keras.utils"),
        (layer("Dense", module="keras.layers", compile_config=json.loads(layer("Lambda"))), b"", "has a Lambda, which"),
    ],
)
def test_a_keras_file_names_nothing_but_keras_and_unpacks_to_little(
    tmp_path: Path, config: bytes, weights: bytes, message: str
) -> None:
    from kinoscope.models.formats.keras import read_backbone

    with pytest.raises(ModelError, match=message):
        read_backbone(str(keras_file(tmp_path / "model.keras", config, weights)))
