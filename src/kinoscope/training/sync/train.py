"""Training of a sync network on talking clips alone: the audio at the right time against all other times.

After Chung, Chung and Kang, "Perfect match: improved cross-modal embeddings for audio-visual synchronisation", ICASSP
2019 (arXiv 1809.08001). Negatives are the clip's own audio at every other shift, the nearest being the hardest, and the
audio of other clips. The target distribution is wide at first and narrows to a frame; a delay between two frames is
shared by them.

Time differences between mouth and audio: a *shift* is in whole frames of 40 ms, as the training compares them; a *lag*
is in steps of 10 ms, ``LAGS_PER_FRAME`` to a frame, as inference does. Both are positive if the audio is late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import OptionError, TrainingError
from kinoscope.models.inference.sync import (
    LAGS_PER_FRAME,
    SyncModelMetadata,
    bundled_calibration,
    new_pair,
    save_sync_model,
)
from kinoscope.models.runtime.runner import torch_device
from kinoscope.results.train import RunDetails, TrainingRun
from kinoscope.training.checkpoint import Part
from kinoscope.training.distributed import CPU, Processes
from kinoscope.training.logging import Row
from kinoscope.training.sync.data import AUDIO_CONTEXT_FRAMES, SyncExample, SyncSampler, TalkingClip
from kinoscope.training.sync.options import SyncOptions
from kinoscope.training.trainer import StepCallback, Trainer

if TYPE_CHECKING:
    from kinoscope.nets.syncnet import SyncNet

MAX_SHIFT = 15
"""Frames by which the audio is shifted, to either side."""

SEGMENT_FRAMES = (10, 15, 20, 25, 40)
"""Frames of the training segments."""

LONG_SEGMENT_FRAMES = 40
"""Frames from which on a step has half as many segments, so that it takes about as much time and memory as others."""

INITIAL_WIDTH, FINAL_WIDTH = 1.2, 0.45
"""Standard deviation in frames of the target distribution, at first and from a third of the steps on."""

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
"""Peak learning rate, and weight decay."""

MAX_LAG_DIFFERENCE_FRAMES = 1
"""Frames by which the lag of a window may differ from that of its clip to agree with it."""

LOSS_STEPS = 50
"""Steps of an epoch, and of the mean that is reported as the last loss of a pair."""

WINDOW_FRAMES = (15, 25, 50, 125)
"""Frames of the windows that are evaluated."""

CHANCE = 3 / (2 * MAX_SHIFT + 1)
"""Share of windows whose lag is within a frame of that of their clip by chance."""


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


class PairTraining:
    """The training of one pair of streams, which continues exactly from its saved state.

    Args:
        kind: input of the mouth stream, ``points`` or ``pixels``.
        clips: to learn from.
        steps: of the whole training.
        batch: segments of one step.
        seed: of all randomness.
        device: to compute on.

    Attributes:
        step: number of finished steps.
        losses: of the last steps.
    """

    def __init__(
        self, kind: str, clips: Sequence[TalkingClip], steps: int, batch: int, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)
        self.kind, self.steps, self.batch, self.device = kind, steps, batch, device
        self.net = new_pair(kind).to(device).train()
        self.sampler = SyncSampler(clips, MAX_SHIFT, kind == "pixels", seed)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, LEARNING_RATE, max(steps, 2), pct_start=0.15
        )
        self.step = 0
        self.losses: list[float] = []
        self.random_state = torch.get_rng_state()

    def train_steps(self, count: int, on_step: Callable[[], None] | None = None) -> None:
        """Take some steps.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        torch.set_rng_state(self.random_state)
        for _ in range(count):
            self.losses = [*self.losses[1 - LOSS_STEPS :], self._train_step()]
            self.step += 1
            if on_step:
                on_step()
        self.random_state = torch.get_rng_state()

    def _train_step(self) -> float:
        length = int(self.sampler.generator.choice(SEGMENT_FRAMES))
        count = self.batch if length < LONG_SEGMENT_FRAMES else self.batch // 2
        examples = [self.sampler.sample(length) for _ in range(count)]
        loss = contrastive_loss(self.net, examples, _width(self.step, self.steps), self.device)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss of step {self.step + 1} is {value}; check the clips for corrupt audio or video"
            )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return value

    def state_values(self) -> dict[str, Any]:
        """Return the state beside the tensors, as plain values for JSON."""
        group = self.optimizer.param_groups[0]
        return {
            "step": self.step,
            "losses": self.losses,
            "lr": group["lr"],
            "betas": group["betas"],
            "sampler": self.sampler.generator.bit_generator.state,
            "torch": self.random_state.numpy().tobytes().hex(),
        }

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore what ``state_values`` returned."""
        self.step, self.losses = values["step"], list(values["losses"])
        group = self.optimizer.param_groups[0]
        group["lr"], group["betas"] = values["lr"], tuple(values["betas"])
        self.schedule.last_epoch = self.step
        self.sampler.generator.bit_generator.state = values["sampler"]
        self.random_state = torch.frombuffer(bytearray.fromhex(values["torch"]), dtype=torch.uint8)


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
        return math.ceil(self.options.steps / LOSS_STEPS)

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

        steps = min(LOSS_STEPS, pair.steps - pair.step)
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


def _width(step: int, steps: int) -> float:
    """Return the width of the target distribution in frames: from easy to one frame."""
    done = min(1.0, 3 * step / max(steps, 1))
    return INITIAL_WIDTH + (FINAL_WIDTH - INITIAL_WIDTH) * done


def contrastive_loss(net: SyncNet, examples: Sequence[SyncExample], width: float, device: torch.device = CPU) -> Tensor:
    """Return the contrastive loss of examples of one length: cross-entropy over all shifts and others' audio."""
    mouths = torch.stack([e.points.flatten(1) if e.mouths is None else e.mouths for e in examples]).to(device)
    mel = torch.stack([example.mel for example in examples]).to(device)
    delays = torch.tensor([example.delay_frames for example in examples], device=device)
    mouth, audio = net.mouth(mouths), net.sound(mel)
    own = similarity(mouth, audio).mean(1)
    length, count = mouth.shape[1], len(examples)
    others = torch.einsum("bld,cld->bc", mouth, audio[:, MAX_SHIFT : MAX_SHIFT + length]) / length
    logits = torch.cat([own, others], 1) * net.scale.exp()
    # The audio of each example at shift 0 is among its own already, so it is no negative of another clip.
    own_audio_mask = functional.pad(torch.eye(count, dtype=torch.bool, device=device), (own.shape[1], 0))
    logits = logits.masked_fill(own_audio_mask, -torch.inf)
    shifts = torch.arange(-MAX_SHIFT, MAX_SHIFT + 1, device=device)
    target = torch.softmax(-0.5 * ((shifts[None] - delays[:, None]) / width) ** 2, 1)
    return -(target * logits.log_softmax(1)[:, : len(shifts)]).sum(1).mean()


def similarity(mouth: Tensor, audio: Tensor) -> Tensor:
    """Return the cosine of each frame (N, T, D) with the audio (N, T + 2 * K, D) at all shifts: (N, T, 2 * K + 1)."""
    length, shifts = mouth.shape[1], audio.shape[1] - mouth.shape[1] + 1
    indices = torch.arange(length)[:, None] + torch.arange(shifts)[None]
    return torch.einsum("bld,blkd->blk", mouth, audio[:, indices])


def window_agreement(
    nets_by_kind: Sequence[tuple[str, SyncNet]], clips: Sequence[TalkingClip], length: int, stride: int = 5
) -> float | None:
    """Return the fraction of windows whose best lag is within one frame of that of the whole clip.

    It is the mean over clips. The best lag of a window is that of the highest similarity within ``MAX_SHIFT`` frames of
    the clip's. None if no clip is long enough.

    Args:
        nets_by_kind: the input of the mouth stream of each network, and the network.
        clips: to measure on.
        length: frames of a window.
        stride: frames from one window to the next.
    """
    shares = []
    for clip in clips:
        window_curves = similarity_curves(nets_by_kind, clip, length, stride)
        clip_curve = similarity_curves(nets_by_kind, clip, len(clip), 1)
        if window_curves is not None and clip_curve is not None:
            clip_lag = int(clip_curve[0].argmax())
            first = max(0, clip_lag - MAX_SHIFT * LAGS_PER_FRAME)
            window_lags = window_curves[:, first : clip_lag + MAX_SHIFT * LAGS_PER_FRAME + 1].argmax(1) + first
            agrees = (window_lags - clip_lag).abs() <= MAX_LAG_DIFFERENCE_FRAMES * LAGS_PER_FRAME
            shares.append(float(agrees.float().mean()))
    return sum(shares) / len(shares) if shares else None


@torch.inference_mode()
def similarity_curves(
    nets_by_kind: Sequence[tuple[str, SyncNet]], clip: TalkingClip, length: int, stride: int, max_shift: int = 30
) -> Tensor | None:
    """Return the similarities of W windows of a clip at all lags: (W, 2 * max_shift * LAGS_PER_FRAME + 1).

    The mouth stream sees only the window; the audio around it is known, as at inference. None if the clip is shorter
    than a window.
    """
    if len(clip) < length:
        return None
    starts = range(0, len(clip) - length + 1, stride)
    total = torch.zeros(len(starts), 2 * max_shift * LAGS_PER_FRAME + 1)
    for kind, net in nets_by_kind:
        mouths = clip.points.flatten(1) if kind == "points" else clip.center_mouths
        mouth = net.mouth(torch.stack([mouths[start : start + length] for start in starts]))
        audio = _embed_audio(net, clip.mel)
        for phase in range(LAGS_PER_FRAME):
            audio_windows = torch.stack(
                [
                    audio[phase, s + AUDIO_CONTEXT_FRAMES - max_shift : s + AUDIO_CONTEXT_FRAMES + length + max_shift]
                    for s in starts
                ]
            )
            # Phase 0 has one lag more than the others: lags run from -max_shift to max_shift frames, ends included. The
            # slice is a view, so that adding to it adds to the total.
            phase_total = total[:, phase::LAGS_PER_FRAME]
            phase_total += similarity(mouth, audio_windows).mean(1)[:, : phase_total.shape[1]]
    return total / len(nets_by_kind)


def _embed_audio(net: SyncNet, mel: Tensor) -> Tensor:
    """Embed audio at each frame's time and 10, 20 and 30 ms later: (LAGS_PER_FRAME, T, D)."""
    padded = functional.pad(mel.T[None], (0, LAGS_PER_FRAME - 1), mode="replicate")[0].T
    return torch.cat([net.sound(padded[None, phase : phase + len(mel)]) for phase in range(LAGS_PER_FRAME)])
