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


def facts(network="simvp", **others):
    return PredictorMetadata(
        **{"network": network, "before": 3, "after": 2, "rate": 10.0, "size": 16, "width": 4} | others
    )


def clip(frames=3, channels=3):
    return np.random.default_rng(0).integers(0, 256, (2, frames, 16, 16, channels)).astype(np.uint8)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_predictor_is_kept_and_loaded(network, channels, tmp_path):
    wanted = facts(network, channels=channels, data="clips", score={"mse": 3.5})
    net = new_predictor(wanted)
    save_predictor(tmp_path / "model", net, wanted)
    loaded = load_predictor(tmp_path / "model", "cpu")
    assert loaded.facts == wanted
    told = loaded.go_on(clip(channels=channels))
    assert told.shape == (2, 2, 16, 16, channels)
    by_net = net(torch.from_numpy(clip(channels=channels))).detach().numpy()
    assert told == pytest.approx(by_net, abs=1e-6)


class Counting(torch.nn.Module):
    """Tells two frames: the last one read, plus one and two grey levels."""

    def forward(self, frames):
        assert frames.shape[1] == 3
        return torch.stack([frames[:, -1] + 1, frames[:, -1] + 2], 1) / 255


def test_what_was_told_is_read_in_turn():
    told = Predictor(Counting(), facts(), "cpu").go_on(np.full((1, 5, 16, 16, 3), 10, np.uint8), 5)
    assert (255 * told[0, :, 0, 0, 0]).tolist() == pytest.approx([11, 12, 13, 14, 15])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "newer version"),
        ({"task": "classify"}, "trained to classify, not to predict"),
        ({"network": "oracle"}, "oracle is not known"),
        ({"before": 0}, "is 0; give a "),
        ({"more": 1}, "damaged"),
    ],
)
def test_a_folder_that_is_no_predictor_is_refused(change, said, tmp_path):
    wanted = facts()
    save_predictor(tmp_path, new_predictor(wanted), wanted)
    plain = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(plain | change))
    with pytest.raises(ModelError, match=said):
        load_predictor(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="make one with `kinoscope train predict`"):
        load_predictor(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    save_predictor(tmp_path, new_predictor(facts("convlstm")), facts())
    with pytest.raises(ModelError, match="another network"):
        load_predictor(tmp_path)
