"""Keras models in PyTorch: the features of real TensorFlow, gradients through both, and the way to disk and back."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.classifiers import ClipNet, build_network

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras", reason="the extra keras is not installed")

from kinoscope.models.formats.keras import read_backbone  # noqa: E402
from kinoscope.models.formats.trained_model import TrainedModel, load_net, save_trained_model, trained_card  # noqa: E402
from kinoscope.models.runtime.runner import make_runner  # noqa: E402

HERE = Path(__file__).parent / "keras_parity"
CNN = str(HERE / "cnn.keras")

# Keras 3 on PyTorch calls NumPy in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")


def test_features_are_those_of_tensorflow() -> None:
    golden = np.load(HERE / "features.npz")
    found = read_backbone(CNN)(torch.from_numpy(golden["pixels"])).permute(0, 2, 3, 1)
    assert found.shape == golden["features"].shape
    assert float(golden["features"].max()) > 0.5
    np.testing.assert_allclose(found.detach().numpy(), golden["features"], atol=1e-4)


def test_one_step_trains_both_and_the_loss_falls() -> None:
    torch.manual_seed(0)
    net = build_network("keras-gru", 2, {"backbone": CNN, "hidden": 8, "dropout": 0.0})
    pixels = torch.randint(0, 256, (4, 3, 24, 32, 3), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1])
    learned = {name: tensor for name, tensor in net.named_parameters() if tensor.requires_grad}
    before = {name: tensor.detach().clone() for name, tensor in learned.items()}
    optimizer = torch.optim.SGD(learned.values(), lr=0.01)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(net(pixels)[1], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    changed = {name.split(".")[0] for name, tensor in learned.items() if not torch.equal(tensor, before[name])}
    assert changed == {"maps", "rnn", "attention", "classifier"}
    assert losses == sorted(losses, reverse=True)


@pytest.mark.slow
def test_it_is_kept_with_its_file(tmp_path: Path, cache: Path) -> None:
    net = build_network("keras-lstm", 2, {"backbone": CNN, "hidden": 8}).eval()
    (tmp_path / "cnn.keras").write_bytes(Path(CNN).read_bytes())
    options: dict[str, Any] = {"backbone": "cnn.keras", "hidden": 8}
    sampling = Sampling(3, 8, (32, 24))
    known = TrainedModel(
        task="classify",
        network="keras-lstm",
        options=options,
        classes=("a", "b"),
        sampling=sampling,
        files=("cnn.keras",),
    )
    save_trained_model(tmp_path, net, known)
    pixels = torch.randint(0, 256, (2, 3, 24, 32, 3), dtype=torch.uint8)
    again, _ = load_net(tmp_path)
    with torch.no_grad():
        wanted = net(pixels)
        torch.testing.assert_close(again(pixels), wanted)
    runner = make_runner(trained_card(tmp_path), "cpu", "fp32")
    assert runner.runtime == "openvino-fp32"
    np.testing.assert_allclose(runner(pixels.numpy())[1], wanted[1].numpy(), atol=1e-5)


def test_images_of_another_size_are_resized_to_the_models() -> None:
    maps = read_backbone(CNN, "-1..1")(torch.zeros(2, 40, 50, 3))
    assert maps.shape == (2, 8, 6, 8)


def test_what_is_no_backbone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"net.backbone is ''; give the path of a .keras file"):
        build_network("keras-gru", 2)
    with pytest.raises(OptionError, match=r"scaling 0..9 is not known; choose one of 0..255, 0..1, -1..1"):
        read_backbone(CNN, "0..9")
    torn = tmp_path / "torn.keras"
    torn.write_bytes(Path(CNN).read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"torn.keras cannot be read as a Keras model \(.*\); save it again"):
        read_backbone(str(torn))
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    dense.save(tmp_path / "dense.keras")
    with pytest.raises(ModelError, match=r"maps \(None, 4\) to \(None, 2\); a backbone maps images"):
        read_backbone(str(tmp_path / "dense.keras"))


def test_layers_with_code_of_their_own_are_refused(tmp_path: Path) -> None:
    pictures = keras.Input((8, 8, 3))
    model = keras.Model(pictures, keras.layers.Lambda(lambda x: x * 2)(pictures))
    model.save(tmp_path / "code.keras")
    with pytest.raises(
        ModelError, match=r"code.keras has a Lambda, which holds code of its own; build it from Keras's"
    ):
        read_backbone(str(tmp_path / "code.keras"))


def test_its_layers_are_stages_that_can_be_frozen_one_by_one() -> None:
    net = build_network("keras-gru", 2, {"backbone": CNN, "hidden": 8})
    stages = cast(ClipNet, net).trunk()
    assert len(stages) == 4  # a convolution, its norm, and two more convolutions
    stages[0].requires_grad_(False)
    net(torch.randint(0, 256, (1, 2, 24, 32, 3), dtype=torch.uint8))[1].sum().backward()
    reached = [any(p.grad is not None for p in stage.parameters()) for stage in stages]
    assert reached == [False, True, True, True]


def test_a_model_that_cannot_lie_in_its_file_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    pictures = keras.Input((8, 8, 3))
    layers = (keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5))
    maps = pictures
    for layer in (*layers, keras.layers.Dense(7, kernel_initializer="orthogonal")):
        maps = layer(maps)
    keras.Model(pictures, maps).save(tmp_path / "small.keras")
    assert read_backbone(str(tmp_path / "small.keras")).features == 7
    with (
        zipfile.ZipFile(tmp_path / "small.keras") as small,
        zipfile.ZipFile(tmp_path / "large.keras", "w") as large,
    ):
        for name in small.namelist():
            data = small.read(name)
            large.writestr(name, data.replace(b'"units": 7', b'"units": 2000000000'))
    with pytest.raises(ModelError, match=r"describes a model of \d+ MB, which its file is too small for"):
        read_backbone(str(tmp_path / "large.keras"))
