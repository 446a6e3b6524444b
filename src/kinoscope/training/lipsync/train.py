"""Training of a lip-sync generator: its metrics, its files and its preview; see ``training.trainer``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.errors import DatasetError
from kinoscope.core.media import Pixels
from kinoscope.models.inference.face_compositor import generated_mask
from kinoscope.models.inference.lipsync import TASK, LipSyncMetadata, TalkingFace, save_lipsync
from kinoscope.models.runtime.runner import torch_device
from kinoscope.training.checkpoint import flatten_optimizer, join_parts, restore_optimizer, select_part
from kinoscope.training.distributed import Processes
from kinoscope.training.generation.adversarial import MIN_STALL_STEPS
from kinoscope.training.lipsync.losses import (
    Expert,
    Features,
    LipSyncLosses,
    LipSyncState,
    diagnose,
    is_generated,
    new_state,
    openings,
    regenerate,
    train_epoch,
    train_frames,
    validate,
)
from kinoscope.training.lipsync.options import CHANGEABLE_OPTIONS, LipSyncOptions
from kinoscope.training.logging import Row

PREVIEW_FRAMES = 8
"""Frames in a preview."""

MAX_GAIN = 1.6
"""Maximum gain of the lips' motion over that predicted from audio."""

FEATURE_STAGES = 4
"""Stages of EfficientNet-Lite0 whose features are compared: maps of a half to an eighth of the size."""


class LipSyncTrainer:
    """The training of a lip-sync generator; see ``trainer.Trainer``.

    Args:
        faces: to learn from; the last share ``options.val`` of each is for validation.
        data: name of the clips.
        expert: frozen model of lips and audio; see ``losses.Expert``.

    Raises:
        DatasetError: the clips are too short to learn from.
    """

    task, changeable_options = TASK, CHANGEABLE_OPTIONS

    def __init__(
        self, options: LipSyncOptions, faces: Sequence[TalkingFace], data: str = "", expert: Expert | None = None
    ) -> None:
        self.examples = _count(faces, options)
        self.options, self.faces, self.data, self.processes = options, faces, data, Processes()
        mask = torch.from_numpy(generated_mask())[None, None].to(torch_device(options.device))
        self.losses = LipSyncLosses(options, mask, load_features() if options.features else None, expert)
        self.state = new_state(options)
        self.parameters = sum(parameter.numel() for parameter in self.state.nets.parameters())

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self.state.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.state.epoch = number

    def dry_run_step(self) -> Row:
        """Take one step with the discriminator."""
        short = LipSyncOptions(**(self.options.to_dict() | {"steps": 1, "warmup_epochs": 0}))
        losses = LipSyncLosses(short, self.losses.mask, self.losses.features, self.losses.expert)
        return train_epoch(self.state, self.faces, losses)

    def train_epoch(self, on_step: Callable[[int], None] | None = None) -> Row:
        """Take the steps of an epoch; return the means of the metrics."""
        return train_epoch(self.state, self.faces, self.losses, on_step)

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels]:
        """Validate, write the generator, and return metrics and a preview: real, generated, reference frames."""
        with self.state.average.applied_to(self.state.nets):
            metrics = validate(self.state, self.faces, self.losses)
            save_lipsync(folder, self.state.nets, _metadata(self.state, self.faces, self.options, metrics, self.data))
            return dict(metrics), preview(self.state, self.faces, self.losses)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of the training: all tensors that change."""
        state = self.state
        parts = {
            "nets": state.nets.state_dict(),
            "discriminator": state.adversary.discriminator.state_dict(),
            "optimizer": flatten_optimizer(state.optimizer),
            "discriminator_optimizer": flatten_optimizer(state.adversary.optimizer),
            "average": state.average.tensors,
        }
        return join_parts(parts)

    def metadata(self) -> dict[str, Any]:
        """Return the rest of the state, as plain values for JSON."""
        state = self.state
        return {
            "step": state.step,
            "discriminator_steps": state.adversary.steps,
            "averaged": state.average.steps,
            "sync_losses": state.sync_losses[-MIN_STALL_STEPS:],
        }

    def restore(self, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
        """Restore state from a checkpoint."""
        state = self.state
        state.nets.load_state_dict(select_part(tensors, "nets"))
        state.adversary.discriminator.load_state_dict(select_part(tensors, "discriminator"))
        restore_optimizer(state.optimizer, select_part(tensors, "optimizer"))
        restore_optimizer(state.adversary.optimizer, select_part(tensors, "discriminator_optimizer"))
        state.average.restore(select_part(tensors, "average"), metadata["averaged"], state.device)
        state.step, state.adversary.steps = metadata["step"], metadata["discriminator_steps"]
        state.sync_losses = list(metadata["sync_losses"])

    def diagnose(self, row: Row) -> str | None:
        """Return a one-line diagnosis and fix, or None."""
        return diagnose(self.state, row)


def _count(faces: Sequence[TalkingFace], options: LipSyncOptions) -> tuple[int, int]:
    """Count the frames for training and for validation.

    Raises:
        DatasetError: there are too few.
    """
    if not any(is_generated(face, options) for face in faces):
        raise DatasetError(
            f"there is no clip {options.paint} to learn from; choose from {', '.join(t.name for t in faces)}"
        )
    learned = sum(train_frames(face, options.val) for face in faces)
    if learned < 2 * options.batch:
        raise DatasetError(f"there are {learned} frames of faces to learn from; give clips of a minute or more")
    return learned, sum(map(len, faces)) - learned


def _metadata(
    state: LipSyncState, faces: Sequence[TalkingFace], options: LipSyncOptions, row: Row, data: str
) -> LipSyncMetadata:
    score = {name: round(float(value), 5) for name, value in row.items() if name.startswith("val_")}
    return LipSyncMetadata(width=options.width, gain=_gain(state.voice, faces, options.val), data=data, score=score)


@torch.inference_mode()
def _gain(voice: nn.Module, faces: Sequence[TalkingFace], val: float) -> float:
    """Return by how much more lips move than predicted from audio, on the validation frames."""
    rows = [openings(voice, face, train_frames(face, val)) for face in faces if train_frames(face, val) < len(face)]
    predicted, actual = (float(np.mean([part[i].std() for part in rows])) if rows else 1.0 for i in (0, 1))
    return round(float(np.clip(actual / max(predicted, 1e-6), 1, MAX_GAIN)), 3)


@torch.inference_mode()
def preview(state: LipSyncState, faces: Sequence[TalkingFace], losses: LipSyncLosses) -> Pixels:
    """Draw validation frames: real, regenerated with their own lips, and the reference frames."""
    state.voice.eval()
    state.generator.eval()
    face = max((one for one in faces if is_generated(one, losses.options)), key=len)
    end = train_frames(face, losses.options.val)
    picks = np.unique(np.linspace(min(end, len(face) - 1), len(face) - 1, PREVIEW_FRAMES).round().astype(int))
    generated, real = regenerate(state, face, picks, losses.mask, end)
    references = face.references(end)
    nearest = [references.select(face.landmarks[at], float(face.times[at]))[0] for at in picks]
    rows = [real, generated, references.crops[nearest].float() / 255]
    return np.concatenate([_side_by_side(row) for row in rows])


def _side_by_side(images: Tensor) -> Pixels:
    """Lay images (N, 3, H, W) in 0 to 1 side by side: (H, N * W, 3)."""
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(2, 0, 3, 1).cpu()
    return np.asarray(pixels.reshape(pixels.shape[0], -1, 3).numpy(), np.uint8)


def load_features() -> Features:
    """Return the frozen first stages of EfficientNet-Lite0, as feature maps to compare.

    Raises:
        WeightsMissing: its weights cannot be fetched.
    """
    from kinoscope.models import find
    from kinoscope.models.store import fetch

    card = find("efficientnet-lite0")
    net: Any = card.net(fetch(card))  # type: ignore[misc]
    net.eval().requires_grad_(False)

    def maps(images: Tensor) -> list[Tensor]:
        x, outputs = images * (255 / 128) - 127 / 128, []
        for stage in net.trunk.stages[:FEATURE_STAGES]:
            x = stage.to(x.device)(x)
            outputs.append(x)
        return outputs

    return maps
