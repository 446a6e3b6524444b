"""Training of a sync model: its pairs of streams, one after the other; see ``pair`` for one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from kinoscope.core.errors import OptionError
from kinoscope.models.inference.sync import SyncModelMetadata, bundled_calibration, save_sync_model
from kinoscope.models.runtime.runner import torch_device
from kinoscope.results.train import RunDetails, TrainingRun
from kinoscope.training.checkpoint import Part
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Row
from kinoscope.training.sync.data import TalkingClip
from kinoscope.training.sync.evaluation import CHANCE, WINDOW_FRAMES, window_agreement
from kinoscope.training.sync.options import SyncOptions
from kinoscope.training.sync.pair import PairTraining
from kinoscope.training.trainer import StepCallback, Trainer

EPOCH_STEPS = 50
"""Steps of an epoch, all of one pair."""


@dataclass(kw_only=True)
class SyncDetails(RunDetails):
    """Results of the training of a sync model.

    Attributes:
        clips: numbers of training and validation clips.
        people: likewise.
        score: share of windows whose shift is found within a frame, by their length in frames.
        losses: mean loss of the last steps of each pair.
    """

    clips: tuple[int, int]
    people: tuple[int, int]
    score: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "clips": {"train": self.clips[0], "val": self.clips[1]},
            "people": {"train": self.people[0], "val": self.people[1]},
            "within_a_frame": self.score,
            "chance": round(CHANCE, 4),
            "losses": [round(loss, 4) for loss in self.losses],
        }


class SyncTrainer(Trainer):
    """The training of a sync model: its pairs of streams, one after the other.

    Args:
        train: clips to learn from.
        val: clips of other people.
        data: name of the clips.
    """

    task = "sync"
    options: SyncOptions
    details: SyncDetails

    def __init__(
        self,
        options: SyncOptions,
        train: Sequence[TalkingClip],
        val: Sequence[TalkingClip] = (),
        data: str = "",
        processes: Processes | None = None,
    ) -> None:
        super().__init__(options, processes)
        device = torch.device(torch_device(options.device))
        people = tuple(len({clip.person for clip in clips}) for clips in (train, val))
        self.val, self.examples = val, (len(train), len(val))
        self.details = SyncDetails(clips=self.examples, people=(people[0], people[1]))
        self.data = f"{len(train)} clips of {people[0]} people in {Path(data).name}"
        self.pairs = [
            PairTraining(kind, train, options.steps, options.batch, options.seed + number, device)
            for number, kind in enumerate(options.pairs)
        ]

    @property
    def epochs(self) -> int:
        """Number of epochs: of each pair, as many as its steps take."""
        return len(self.pairs) * self._epochs_of_pair

    @property
    def _epochs_of_pair(self) -> int:
        return math.ceil(self.options.steps / EPOCH_STEPS)

    @property
    def total_steps(self) -> int:
        """Number of optimizer steps of all pairs."""
        return len(self.pairs) * self.options.steps

    @property
    def parameters(self) -> int:
        """Number of parameters of all pairs."""
        return sum(parameter.numel() for pair in self.pairs for parameter in pair.net.parameters())

    def parts(self) -> Mapping[str, Part]:
        """Return what has tensors that change."""
        parts: dict[str, Part] = {f"net{number}": pair.net for number, pair in enumerate(self.pairs, 1)}
        return parts | {f"optimizer{number}": pair.optimizer for number, pair in enumerate(self.pairs, 1)}

    def state_values(self) -> dict[str, Any]:
        """Return the clips that the pairs learn from, and the rest of the state of each pair."""
        return {"data": self.data, "pairs": [pair.state_values() for pair in self.pairs]}

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore what ``state_values`` returned.

        Raises:
            OptionError: the run learned from other clips.
        """
        if values["data"] != self.data:
            raise OptionError(f"the run learned from {values['data']}, not from {self.data}; give the clips of the run")
        for pair, state in zip(self.pairs, values["pairs"], strict=True):
            pair.restore_values(state)

    def train_epoch(self, on_step: StepCallback | None = None) -> Row:
        """Take some steps of the pair whose turn it is; return its number and its mean loss."""
        number = self.epoch // self._epochs_of_pair
        pair = self.pairs[number]

        def count() -> None:
            self.step += 1
            if on_step:
                on_step(self.step)

        steps = min(EPOCH_STEPS, pair.steps - pair.step)
        pair.train_steps(steps, count)
        return {"pair": number + 1, "loss": sum(pair.losses[-steps:]) / steps}

    def dry_run_step(self) -> Row:
        """Take one step of each pair."""
        for pair in self.pairs:
            pair.train_steps(1)
        self._record_losses()
        return {"loss": sum(self.details.losses) / len(self.pairs)}

    def _record_losses(self) -> None:
        self.details.losses = [sum(pair.losses) / len(pair.losses) for pair in self.pairs]

    def finish(self, run: TrainingRun) -> None:
        """Score the pairs on the people held out, and write the model."""
        self._record_losses()
        nets = [pair.net.cpu().eval() for pair in self.pairs]
        if run.folder is None or not self.processes.is_main:
            return
        shares = {
            length: window_agreement(list(zip(self.options.pairs, nets, strict=True)), self.val, length)
            for length in WINDOW_FRAMES
        }
        self.details.score = {str(length): round(share, 4) for length, share in shares.items() if share is not None}
        metadata = SyncModelMetadata(
            pairs=self.options.pairs, calibration=bundled_calibration(), data=self.data, score=self.details.score
        )
        save_sync_model(run.folder, nets, metadata)
