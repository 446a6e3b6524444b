"""A training of a painter of mouths in rounds: what it measures, keeps and shows; see ``training.trainer``."""

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
from kinoscope.training.checkpoint import fill_optimizer, flatten_optimizer, joined, within
from kinoscope.training.distributed import Processes
from kinoscope.training.generation.adversarial import PATIENCE
from kinoscope.training.lipsync.losses import (
    Expert,
    Features,
    LipSyncLosses,
    LipSyncState,
    begin,
    is_painted,
    learn,
    openings,
    repaint,
    split_of,
    validate,
    warn,
)
from kinoscope.training.lipsync.options import FREE, LipSyncOptions
from kinoscope.training.logging import Row

SHOWN = 8
"""Pictures in a preview."""

MOST_GAIN = 1.6
"""Most by which lips move more than they are heard to."""

STAGES = 4
"""Stages of EfficientNet-Lite0 that are compared: its maps at a half to an eighth of the size."""


class LipSyncTrainer:
    """A painter that learns; see ``rounds.Learner``.

    Args:
        talkers: to learn from; the last share ``options.val`` of each is only measured on.
        data: name of the clips. expert: frozen judge of lips and sound; see ``painting.Expert``.

    Raises:
        DatasetError: the clips are too short to learn from.
    """

    task, free = TASK, FREE

    def __init__(
        self, options: LipSyncOptions, talkers: Sequence[TalkingFace], data: str = "", expert: Expert | None = None
    ) -> None:
        self.examples = _count(talkers, options)
        self.options, self.talkers, self.data, self.processes = options, talkers, data, Processes()
        mask = torch.from_numpy(generated_mask())[None, None].to(torch_device(options.device))
        self.teacher = LipSyncLosses(options, mask, load_features() if options.features else None, expert)
        self.state = begin(options)
        self.parameters = sum(parameter.numel() for parameter in self.state.nets.parameters())

    @property
    def epoch(self) -> int:
        """How many are done."""
        return self.state.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self.state.epoch = number

    def try_out(self) -> Row:
        """Take one step with the judge in it."""
        short = LipSyncOptions(**(self.options.to_dict() | {"steps": 1, "alone": 0}))
        teacher = LipSyncLosses(short, self.teacher.mask, self.teacher.features, self.teacher.expert)
        return learn(self.state, self.talkers, teacher)

    def learn(self, told: Callable[[int], None] | None = None) -> Row:
        """Go through the steps of an epoch."""
        return learn(self.state, self.talkers, self.teacher, told)

    def look(self, folder: Path, row: Row) -> tuple[Row, Pixels]:
        """Measure on what was not learned from, write the painter, and draw real, painted, and painted from."""
        with self.state.average.inside(self.state.nets):
            measures = validate(self.state, self.talkers, self.teacher)
            save_lipsync(folder, self.state.nets, _facts(self.state, self.talkers, self.options, measures, self.data))
            return dict(measures), preview(self.state, self.talkers, self.teacher)

    def tensors(self) -> dict[str, Tensor]:
        """Give all that changes."""
        state = self.state
        parts = {
            "nets": state.nets.state_dict(),
            "judge": state.match.judge.state_dict(),
            "optimizer": flatten_optimizer(state.optimizer),
            "judge_optimizer": flatten_optimizer(state.match.optimizer),
            "average": state.average.tensors,
        }
        return joined(parts)

    def facts(self) -> dict[str, Any]:
        """Give what else changes."""
        state = self.state
        return {
            "step": state.step,
            "turn": state.match.turn,
            "averaged": state.average.steps,
            "synced": state.synced[-PATIENCE:],
        }

    def fill(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be as a checkpoint says."""
        state = self.state
        state.nets.load_state_dict(within(tensors, "nets"))
        state.match.judge.load_state_dict(within(tensors, "judge"))
        fill_optimizer(state.optimizer, within(tensors, "optimizer"))
        fill_optimizer(state.match.optimizer, within(tensors, "judge_optimizer"))
        state.average.fill(within(tensors, "average"), facts["averaged"], state.device)
        state.step, state.match.turn = facts["step"], facts["turn"]
        state.synced = list(facts["synced"])

    def advise(self, row: Row) -> str | None:
        """Say what stalls, and its cure."""
        return warn(self.state, row)


def _count(talkers: Sequence[TalkingFace], options: LipSyncOptions) -> tuple[int, int]:
    """Count pictures to learn from and to measure on.

    Raises:
        DatasetError: there are too few.
    """
    if not any(is_painted(talker, options) for talker in talkers):
        raise DatasetError(
            f"there is no clip {options.paint} to paint; choose from {', '.join(t.name for t in talkers)}"
        )
    learned = sum(split_of(talker, options.val) for talker in talkers)
    if learned < 2 * options.batch:
        raise DatasetError(f"there are {learned} pictures of faces to learn from; give clips of a minute or more")
    return learned, sum(map(len, talkers)) - learned


def _facts(
    state: LipSyncState, talkers: Sequence[TalkingFace], options: LipSyncOptions, row: Row, data: str
) -> LipSyncMetadata:
    score = {name: round(float(value), 5) for name, value in row.items() if name.startswith("val_")}
    return LipSyncMetadata(width=options.width, gain=_gain(state.voice, talkers, options.val), data=data, score=score)


@torch.inference_mode()
def _gain(voice: nn.Module, talkers: Sequence[TalkingFace], val: float) -> float:
    """Give by how much more lips open than they are heard to, on pictures that were not learned from."""
    rows = [openings(voice, talker, split_of(talker, val)) for talker in talkers if split_of(talker, val) < len(talker)]
    heard, seen = (float(np.mean([part[i].std() for part in rows])) if rows else 1.0 for i in (0, 1))
    return round(float(np.clip(seen / max(heard, 1e-6), 1, MOST_GAIN)), 3)


@torch.inference_mode()
def preview(state: LipSyncState, talkers: Sequence[TalkingFace], teacher: LipSyncLosses) -> Pixels:
    """Draw pictures that were not learned from: real, painted with their own lips, and what they were painted from."""
    state.voice.eval()
    state.painter.eval()
    talker = max((one for one in talkers if is_painted(one, teacher.options)), key=len)
    end = split_of(talker, teacher.options.val)
    picks = np.unique(np.linspace(min(end, len(talker) - 1), len(talker) - 1, SHOWN).round().astype(int))
    made, real = repaint(state, talker, picks, teacher.mask, end)
    looks = talker.looks(end)
    near = [looks.like(talker.places[at], float(talker.times[at]))[0] for at in picks]
    rows = [real, made, looks.pictures[near].float() / 255]
    return np.concatenate([_beside(row) for row in rows])


def _beside(pictures: Tensor) -> Pixels:
    """Lay pictures (N, 3, H, W) in 0 to 1 side by side: (H, N * W, 3)."""
    pixels = (pictures.clamp(0, 1) * 255).round().byte().permute(2, 0, 3, 1).cpu()
    return np.asarray(pixels.reshape(pixels.shape[0], -1, 3).numpy(), np.uint8)


def load_features() -> Features:
    """Give the frozen first stages of EfficientNet-Lite0 as maps to compare.

    Raises:
        WeightsMissing: they cannot be had.
    """
    from kinoscope.models import find
    from kinoscope.models.store import fetch

    card = find("efficientnet-lite0")
    net: Any = card.net(fetch(card))  # type: ignore[misc]
    net.eval().requires_grad_(False)

    def maps(pictures: Tensor) -> list[Tensor]:
        x, found = pictures * (255 / 128) - 127 / 128, []
        for stage in net.trunk.stages[:STAGES]:
            x = stage.to(x.device)(x)
            found.append(x)
        return found

    return maps
