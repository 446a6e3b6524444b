"""The painters of a generator of clips as networks that any runner runs: what moves, and what stands still."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.formats.trained_model import METADATA_FILE, WEIGHTS_FILE, build_with_weights
from kinoscope.models.runtime.runner import make_runner

if TYPE_CHECKING:
    from torch import Tensor, nn


CHANNELS = {"moving": 4, "still": 3}
"""Part -> channels: colours, and a mask of what moves."""


def load_part(part: str, files: Mapping[str, Path]) -> nn.Module:
    """Give one painter of a generator, with its weights."""
    from kinoscope.models.trainable.generators import new_generator, read_generator
    from kinoscope.nets.video_gan import FrameGenerator

    facts = read_generator(files[METADATA_FILE].parent)
    net: Any = build_with_weights(lambda: new_generator(facts), files[WEIGHTS_FILE])
    return FrameGenerator(getattr(net, part)).eval()


def part_card(folder: Path, part: str, code: int, size: int, backdrop: bool) -> Card:
    """Give the card of one painter of the generator in a folder, which takes codes of so many numbers."""
    files = tuple(
        WeightFile(name, hashlib.sha256((folder / name).read_bytes()).hexdigest())
        for name in (METADATA_FILE, WEIGHTS_FILE)
    )
    return Card(
        name=f"{folder.resolve().name}-{part}",
        task=f"generate-{part}",
        about=f"painter of clips: {part}",
        licence="your own",
        files=files,
        sources=(f"folder:{folder.resolve()}",),
        net=partial(load_part, part),
        input=(code,),
        dtype="float32",
        outputs=((size, size, CHANNELS[part] if backdrop else 3),),
        batch=64,
        tolerance=1e-3,
    )


class GeneratorRuntime:
    """Paint clips with whatever runs networks best here.

    Args:
        folder: of a generator that paints pictures from codes of content and motion. net: the same in torch.
        size: side of the pictures in pixels. device: see ``make_runner``.
    """

    def __init__(self, folder: Path, net: Any, size: int, device: str = "auto") -> None:
        style, code = net.still_length, net.moving_length
        self.moving = make_runner(part_card(folder, "moving", code, size, net.backdrop), device)
        self.still = make_runner(part_card(folder, "still", style, size, True), device) if net.backdrop else None

    @property
    def runtime(self) -> str:
        """What runs the networks."""
        return self.moving.runtime

    def __call__(self, style: Tensor, motion: Tensor) -> Pixels:
        """Give clips (N, T, S, S, 3) for content (N, S) and motion (N, T, M)."""
        content, moves = style.cpu().numpy(), motion.cpu().numpy()
        count, frames = moves.shape[:2]
        codes = np.concatenate([np.repeat(content, frames, 0), moves.reshape(count * frames, -1)], 1)
        pictures = self.moving(codes)[0]
        pictures = pictures.reshape(count, frames, *pictures.shape[1:])
        if self.still is not None:
            still = self.still(content)[0][:, None]
            share = 0.5 + 0.5 * np.tanh(pictures[..., 3:] / 2)  # the logistic function, which cannot overflow so
            pictures = still + share * (pictures[..., :3] - still)
        return to_bytes(pictures)


def to_bytes(pictures: Float32Array) -> Pixels:
    """Give uint8 of numbers around -1 to 1."""
    return np.asarray(((np.clip(pictures, -1, 1) + 1) * 127.5).round(), np.uint8)
