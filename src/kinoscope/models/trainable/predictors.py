"""Trained predictors of frames: a folder with ``model.json`` and the weights, and what continues clips with it."""

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
"""Name -> network; each takes before, after, channels, width and still."""

LIMITS: Mapping[str, Limits] = {
    "before": (1, 1000), "after": (1, 1000), "rate": (0.01, 1000.0), "size": (1, 2048), "channels": (1, 3),
    "width": (1, 1024),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorMetadata:
    """What ``model.json`` says of a predictor.

    Attributes:
        network: its name. width: of its maps.
        before, after: frames that it reads, and those that it tells at once.
        rate: frames a second of both. size: their side in pixels. channels: 3 for colour, 1 for grey.
        data: name of the clips that it learned from. score: what was measured on others.
    """

    network: str
    before: int
    after: int
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


def new_predictor(facts: PredictorMetadata, still: float = 0.9) -> nn.Module:
    """Build a predictor with random weights, which lets so much of the last frame stay."""
    return NETWORKS[facts.network](facts.before, facts.after, facts.channels, facts.width, still=still)


def save_predictor(folder: Path, net: nn.Module, facts: PredictorMetadata) -> None:
    """Write a predictor into a folder; each file is whole or as it was.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, net)
    write_metadata(folder, facts, TASK)


class Predictor:
    """A trained predictor, ready to continue clips; see ``load_predictor``."""

    def __init__(self, net: nn.Module, facts: PredictorMetadata, device: str = "auto") -> None:
        self.facts, self._device = facts, torch_device(device)
        self._net = net.to(self._device).eval().requires_grad_(False)

    def go_on(self, frames: Pixels, count: int | None = None) -> Float32Array:
        """Tell how clips go on; beyond what is told at once, what was told is read in turn.

        Args:
            frames: (N, T, H, W, C) uint8, of which the last ``before`` are read. count: of frames; ``after`` if None.

        Returns:
            (N, count, H, W, C) in 0 to 1.
        """
        count = self.facts.after if count is None else count
        return np.asarray(
            predict_frames(self._net, self.facts, torch.from_numpy(frames).to(self._device), count).cpu().numpy()
        )


@torch.inference_mode()
def predict_frames(net: nn.Module, facts: PredictorMetadata, frames: Tensor, count: int) -> Tensor:
    """Tell how frames (N, T, H, W, C) go on: (N, count, H, W, C) in 0 to 1."""
    seen, told = frames[:, -facts.before :].float(), []
    for _ in range(0, count, facts.after):
        told.append(net(seen))
        seen = torch.cat([seen, 255 * told[-1]], 1)[:, -facts.before :]
    return torch.cat(told, 1)[:, :count]


def load_predictor(folder: str | Path, device: str = "auto") -> Predictor:
    """Give the predictor that lies in a folder.

    Raises:
        ModelError: a file is not what it should be.
        OptionError: the device is not known, or not here.
    """
    facts = read_metadata(Path(folder), PredictorMetadata, TASK, "predictor of frames")
    net = build_with_weights(lambda: new_predictor(facts), Path(folder) / WEIGHTS_FILE)
    return Predictor(net, facts, device)
