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
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import TrainingError
from kinoscope.models.inference.sync import new_pair
from kinoscope.training.distributed import CPU
from kinoscope.training.sync.data import SyncExample, SyncSampler, TalkingClip

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

LOSS_STEPS = 50
"""Steps of an epoch, and of the mean that is reported as the last loss of a pair."""


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
        self.random_states = _random_states(device)

    def train_steps(self, count: int, on_step: Callable[[], None] | None = None) -> None:
        """Take some steps.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        _set_random_states(self.random_states, self.device)
        for _ in range(count):
            self.losses = [*self.losses[1 - LOSS_STEPS :], self._train_step()]
            self.step += 1
            if on_step:
                on_step()
        self.random_states = _random_states(self.device)

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
            "torch": [state.numpy().tobytes().hex() for state in self.random_states],
        }

    def restore_values(self, values: Mapping[str, Any]) -> None:
        """Restore what ``state_values`` returned."""
        self.step, self.losses = values["step"], list(values["losses"])
        group = self.optimizer.param_groups[0]
        group["lr"], group["betas"] = values["lr"], tuple(values["betas"])
        self.schedule.last_epoch = self.step
        self.sampler.generator.bit_generator.state = values["sampler"]
        states = [bytearray.fromhex(state) for state in values["torch"]]
        self.random_states = [torch.frombuffer(state, dtype=torch.uint8) for state in states]


def _random_states(device: torch.device) -> list[Tensor]:
    """Return the states of the random generators of the CPU and, if the device is one, of the GPU."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _set_random_states(states: Sequence[Tensor], device: torch.device) -> None:
    """Set the states that ``_random_states`` returned; those of a GPU only where there is one."""
    torch.set_rng_state(states[0])
    if device.type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


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
