import json

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError
from kinoscope.models.trainable.predictors import (
    NETWORKS,
    Predictor,
    PredictorMetadata,
    load_predictor,
    new_predictor,
    save_predictor,
)


def metadata(network="simvp", **others):
    return PredictorMetadata(
        **{"network": network, "context": 3, "horizon": 2, "rate": 10.0, "size": 16, "width": 4} | others
    )


def clip(frames=3, channels=3):
    return np.random.default_rng(0).integers(0, 256, (2, frames, 16, 16, channels)).astype(np.uint8)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_predictor_is_saved_and_loaded(network, channels, tmp_path):
    expected = metadata(network, channels=channels, data="clips", score={"mse": 3.5})
    net = new_predictor(expected)
    save_predictor(tmp_path / "model", net, expected)
    stored = json.loads((tmp_path / "model" / "model.json").read_text())
    assert (stored["before"], stored["after"]) == (expected.context, expected.horizon)
    loaded = load_predictor(tmp_path / "model", "cpu")
    assert loaded.metadata == expected
    predicted = loaded.predict(clip(channels=channels))
    assert predicted.shape == (2, 2, 16, 16, channels)
    by_net = net(torch.from_numpy(clip(channels=channels))).detach().numpy()
    assert predicted == pytest.approx(by_net, abs=1e-6)


class Counting(torch.nn.Module):
    """A network that predicts two frames: the last one read, plus one and two grey levels."""

    def forward(self, frames):
        assert frames.shape[1] == 3
        return torch.stack([frames[:, -1] + 1, frames[:, -1] + 2], 1) / 255


def test_predictions_are_fed_back():
    predicted = Predictor(Counting(), metadata(), "cpu").predict(np.full((1, 5, 16, 16, 3), 10, np.uint8), 5)
    assert (255 * predicted[0, :, 0, 0, 0]).tolist() == pytest.approx([11, 12, 13, 14, 15])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "newer version"),
        ({"task": "classify"}, "trained to classify, not to predict"),
        ({"network": "oracle"}, "oracle is not known"),
        ({"before": 0}, "is 0; give a "),
        ({"more": 1}, "damaged"),
    ],
)
def test_a_folder_that_is_no_predictor_is_refused(change, message, tmp_path):
    expected = metadata()
    save_predictor(tmp_path, new_predictor(expected), expected)
    plain = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(plain | change))
    with pytest.raises(ModelError, match=message):
        load_predictor(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="make one with `kinoscope train predict`"):
        load_predictor(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    save_predictor(tmp_path, new_predictor(metadata("convlstm")), metadata())
    with pytest.raises(ModelError, match="another network"):
        load_predictor(tmp_path)
