"""Trained frame predictors: a folder with ``model.json`` and the weights, and the prediction of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.core.ranges import Limits, check_ranges
from kinoscope.models.formats.metadata import read_metadata, write_metadata
from kinoscope.models.formats.trained_model import WEIGHTS_FILE, build_with_weights, write_weights
from kinoscope.models.runtime.runner import torch_device
from kinoscope.nets.conv_lstm import ConvLSTM
from kinoscope.nets.patches import PATCH_SIZE as PATCH_SIZE
from kinoscope.nets.simvp import SimVP

TASK = "predict"

NETWORKS: dict[str, Callable[..., nn.Module]] = {"convlstm": ConvLSTM, "simvp": SimVP}
"""Name -> network; each takes context, horizon, channels, width and still."""

STORED_KEYS = {"context": "before", "horizon": "after"}
"""Keys of ``model.json`` that differ from the fields of ``PredictorMetadata``."""

LIMITS: Mapping[str, Limits] = {
    "context": (1, 1000), "horizon": (1, 1000), "rate": (0.01, 1000.0), "size": (1, 2048), "channels": (1, 3),
    "width": (1, 1024),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorMetadata:
    """The content of ``model.json`` of a predictor, where ``context`` is stored as ``before``, ``horizon`` as
    ``after``.

    Attributes:
        network: its name.
        width: channels of its feature maps.
        context, horizon: number of input frames, and of frames predicted at once.
        rate: frames per second of both.
        size: their side in pixels.
        channels: 3 for colour, 1 for grey.
        data: name of the training clips.
        score: values measured on other clips.
    """

    network: str
    context: int
    horizon: int
    rate: float
    size: int
    channels: int = 3
    width: int = 32
    data: str = ""
    score: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ValueError(f"network {self.network} is not known")
        check_ranges(self, LIMITS)


def new_predictor(metadata: PredictorMetadata, still: float = 0.9) -> nn.Module:
    """Build a predictor with random weights; ``still`` is the initial share of the last frame in its predictions."""
    return NETWORKS[metadata.network](
        metadata.context, metadata.horizon, metadata.channels, metadata.width, still=still
    )


def save_predictor(folder: Path, net: nn.Module, metadata: PredictorMetadata) -> None:
    """Write a predictor into a folder; each file is written completely or left as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, net)
    write_metadata(folder, metadata, TASK, stored_keys=STORED_KEYS)


class Predictor:
    """A trained predictor, ready for inference; see ``load_predictor``."""

    def __init__(self, net: nn.Module, metadata: PredictorMetadata, device: str = "auto") -> None:
        self.metadata, self._device = metadata, torch_device(device)
        self._net = net.to(self._device).eval().requires_grad_(False)

    def predict(self, frames: Pixels, count: int | None = None) -> Float32Array:
        """Predict the frames that follow clips; beyond ``horizon``, predictions are fed back as input.

        Args:
            frames: (N, T, H, W, C) uint8, of which the last ``context`` are used.
            count: number of frames; ``horizon`` if None.

        Returns:
            (N, count, H, W, C) in [0, 1].
        """
        count = self.metadata.horizon if count is None else count
        return np.asarray(
            predict_frames(self._net, self.metadata, torch.from_numpy(frames).to(self._device), count).cpu().numpy()
        )


@torch.inference_mode()
def predict_frames(net: nn.Module, metadata: PredictorMetadata, frames: Tensor, count: int) -> Tensor:
    """Predict the frames that follow (N, T, H, W, C): (N, count, H, W, C) in [0, 1]."""
    window, predicted = frames[:, -metadata.context :].float(), []
    for _ in range(0, count, metadata.horizon):
        predicted.append(net(window))
        window = torch.cat([window, 255 * predicted[-1]], 1)[:, -metadata.context :]
    return torch.cat(predicted, 1)[:, :count]


def read_predictor(folder: Path) -> PredictorMetadata:
    """Read ``model.json`` of a predictor.

    Raises:
        ModelError: there is none, or it is damaged, of another task or of a newer version.
    """
    return read_metadata(folder, PredictorMetadata, TASK, "frame predictor", stored_keys=STORED_KEYS)


def load_predictor_net(folder: Path, metadata: PredictorMetadata) -> nn.Module:
    """Return the network of a predictor, with its weights.

    Raises:
        ModelError: the weights are missing, damaged, or those of another network.
    """
    return build_with_weights(lambda: new_predictor(metadata), folder / WEIGHTS_FILE).eval()


def load_predictor(folder: str | Path, device: str = "auto") -> Predictor:
    """Return the predictor of a folder.

    Raises:
        ModelError: a file is invalid.
        OptionError: the device is unknown or not available.
    """
    metadata = read_predictor(Path(folder))
    return Predictor(load_predictor_net(Path(folder), metadata), metadata, device)
