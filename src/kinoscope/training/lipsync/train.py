"""Training of a lip-sync generator: its metrics, its files and its preview; see ``training.trainer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.errors import DatasetError
from kinoscope.core.media import Pixels
from kinoscope.models.inference.face_compositor import generated_mask
from kinoscope.models.inference.lipsync import TASK, LipSyncMetadata, TalkingFace, save_lipsync
from kinoscope.models.runtime.runner import torch_device
from kinoscope.training.checkpoint import Part
from kinoscope.training.distributed import Processes
from kinoscope.training.generation.adversarial import MIN_STALL_STEPS
from kinoscope.training.lipsync.data import read_talking_faces
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
from kinoscope.training.lipsync.options import LipSyncOptions
from kinoscope.training.lipsync.sync_loss import load_expert
from kinoscope.training.logging import Row
from kinoscope.training.trainer import StepCallback, Trainer, TrainingSetup

PREVIEW_FRAMES = 8
"""Frames in a preview."""

MAX_GAIN = 1.6
"""Maximum gain of the lips' motion over that predicted from audio."""

FEATURE_STAGES = 4
"""Stages of EfficientNet-Lite0 whose features are compared: maps of a half to an eighth of the size."""


class LipSyncTrainer(Trainer):
    """The training of a lip-sync generator.

    Args:
        faces: to learn from; the last share ``options.val`` of each is for validation.
        data: name of the clips.
        expert: frozen model of lips and audio; see ``losses.Expert``.
        processes: the processes, of which the first writes files; each does the whole work.

    Raises:
        DatasetError: the clips are too short to learn from.
    """

    task = TASK
    options: LipSyncOptions

    def __init__(
        self,
        options: LipSyncOptions,
        faces: Sequence[TalkingFace],
        data: str = "",
        expert: Expert | None = None,
        processes: Processes | None = None,
    ) -> None:
        examples = _count(faces, options)
        self.state = new_state(options)
        super().__init__(options, processes)
        self.examples, self.faces, self.data = examples, faces, data
        mask = torch.from_numpy(generated_mask())[None, None].to(torch_device(options.device))
        self.losses = LipSyncLosses(options, mask, load_features() if options.features else None, expert)

    @classmethod
    def build(cls, options: LipSyncOptions, setup: TrainingSetup) -> Self:
        """Read the talking faces of the clips, and return the trainer."""
        expert = load_expert(options.expert) if options.sync else None
        with setup.bars("read") as progress:
            faces, unreadable = read_talking_faces(Path(setup.data), options.offsets, progress)
        trainer = cls(options, faces, setup.data, expert, setup.processes)
        trainer.unreadable = unreadable
        return trainer

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self.state.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.state.epoch = number

    @property
    def step(self) -> int:
        """Number of finished steps."""
        return self.state.step

    @step.setter
    def step(self, number: int) -> None:
        self.state.step = number

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        state = self.state
        return {
            "nets": state.nets,
            "discriminator": state.adversary.discriminator,
            "optimizer": state.optimizer,
            "discriminator_optimizer": state.adversary.optimizer,
            "average": state.average,
        }

    def state_values(self) -> dict[str, Any]:
        """Return the state of the discriminator's schedule, and the last sync losses."""
        return {
            "discriminator_steps": self.state.adversary.steps,
            "sync_losses": self.state.sync_losses[-MIN_STALL_STEPS:],
        }

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore what ``state_values`` returned."""
        self.state.adversary.steps = values["discriminator_steps"]
        self.state.sync_losses = list(values["sync_losses"])

    def dry_run_step(self) -> Row:
        """Take one step with the discriminator."""
        short = LipSyncOptions(**(self.options.to_dict() | {"steps": 1, "warmup_epochs": 0}))
        losses = LipSyncLosses(short, self.losses.mask, self.losses.features, self.losses.expert)
        return train_epoch(self.state, self.faces, losses)

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Take the steps of an epoch; return the means of the metrics."""
        return train_epoch(self.state, self.faces, self.losses, on_step)

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, Pixels]:
        """Validate, write the generator, and return metrics and a preview: real, generated, reference frames."""
        with self.state.average.applied_to(self.state.nets):
            metrics = validate(self.state, self.faces, self.losses)
            save_lipsync(folder, self.state.nets, _metadata(self.state, self.faces, self.options, metrics, self.data))
            return dict(metrics), preview(self.state, self.faces, self.losses)

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
