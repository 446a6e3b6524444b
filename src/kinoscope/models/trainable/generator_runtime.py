"""The frame generators of a clip generator as networks for any runtime: the moving foreground and the static
background.
"""

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
"""Part -> channels: colours, and an opacity mask of the foreground."""


def load_part(part: str, files: Mapping[str, Path]) -> nn.Module:
    """Return one frame generator of a clip generator, with its weights."""
    from kinoscope.models.trainable.generators import new_generator, read_generator
    from kinoscope.nets.video_gan import FrameGenerator

    metadata = read_generator(files[METADATA_FILE].parent)
    net: Any = build_with_weights(lambda: new_generator(metadata), files[WEIGHTS_FILE])
    return FrameGenerator(getattr(net, part)).eval()


def part_card(folder: Path, part: str, latent_size: int, size: int, backdrop: bool) -> Card:
    """Return the card of one frame generator of the model in a folder; it takes latents of ``latent_size`` numbers."""
    files = tuple(
        WeightFile(name, hashlib.sha256((folder / name).read_bytes()).hexdigest())
        for name in (METADATA_FILE, WEIGHTS_FILE)
    )
    return Card(
        name=f"{folder.resolve().name}-{part}",
        task=f"generate-{part}",
        about=f"frame generator of clips: {part}",
        licence="your own",
        files=files,
        sources=(f"folder:{folder.resolve()}",),
        net=partial(load_part, part),
        input=(latent_size,),
        dtype="float32",
        outputs=((size, size, CHANNELS[part] if backdrop else 3),),
        batch=64,
        tolerance=1e-3,
    )


class GeneratorRuntime:
    """Clip synthesis with the fastest available runtime.

    Args:
        folder: of a generator that synthesizes frames from content and motion latents.
        net: the same in torch.
        size: side of the frames in pixels.
        device: see ``make_runner``.
    """

    def __init__(self, folder: Path, net: Any, size: int, device: str = "auto") -> None:
        style, latent_size = net.still_length, net.moving_length
        self.moving = make_runner(part_card(folder, "moving", latent_size, size, net.backdrop), device)
        self.still = make_runner(part_card(folder, "still", style, size, True), device) if net.backdrop else None

    @property
    def runtime(self) -> str:
        """Runtime and precision of the networks."""
        return self.moving.runtime

    def __call__(self, style: Tensor, motion: Tensor) -> Pixels:
        """Generate clips (N, T, H, W, 3) from content (N, S) and motion (N, T, M)."""
        content, motion_codes = style.cpu().numpy(), motion.cpu().numpy()
        count, length = motion_codes.shape[:2]
        latents = np.concatenate([np.repeat(content, length, 0), motion_codes.reshape(count * length, -1)], 1)
        frames = self.moving(latents)[0]
        frames = frames.reshape(count, length, *frames.shape[1:])
        if self.still is not None:
            still = self.still(content)[0][:, None]
            share = 0.5 + 0.5 * np.tanh(frames[..., 3:] / 2)  # the logistic function, in a form that cannot overflow
            frames = still + share * (frames[..., :3] - still)
        return to_bytes(frames)


def to_bytes(frames: Float32Array) -> Pixels:
    """Convert values around [-1, 1] to uint8."""
    return np.asarray(((np.clip(frames, -1, 1) + 1) * 127.5).round(), np.uint8)
